/** Sets of objects, one of each kind a scraper looks at, and what Prometheus' documentation says it makes of them. */
import {
  apiVersionOf,
  ENDPOINT_SLICES,
  ENDPOINTS,
  INGRESSES,
  NODES,
  PODS,
  SERVICES,
  type Kind,
} from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/types.ts';
import type { Labels } from './victoria-metrics.ts';

export const SHOP = 'shop';
export const ROLES = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const;

export interface Made {
  readonly kind: Kind;
  readonly object: KubeObject;
  /** To be written through the subresource. */
  readonly status?: object;
}

/** `id` below 50 tells sets apart. Nobody listens at any of their addresses (RFC 5737). */
export function shopObjects(id: number): Made[] {
  const { node, web, ip, nodeIp, idleIp } = namesOf(id);
  const made = (kind: Kind, metadata: object, more: object, status?: object): Made => ({
    kind,
    object: {
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata: { ...(kind === NODES ? {} : { namespace: SHOP }), ...metadata },
      ...more,
    } as KubeObject,
    ...(status && { status }),
  });
  const targetRef = { kind: 'Pod', namespace: SHOP, name: web };
  const ports = [{ name: 'metrics', port: 9102, protocol: 'TCP' }];
  const backend = { service: { name: web, port: { number: 9102 } } };
  return [
    made(
      NODES,
      { name: node, labels: { zone: 'north' } },
      {},
      {
        addresses: [
          { type: 'InternalIP', address: nodeIp },
          { type: 'Hostname', address: node },
        ],
        daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      },
    ),
    made(
      PODS,
      { name: web, labels: { app: 'web' }, annotations: { 'prometheus.io/scrape': 'true' } },
      {
        spec: {
          nodeName: node,
          containers: [
            {
              name: 'web',
              image: 'web',
              ports: [
                { name: 'http', containerPort: 8080 },
                { name: 'metrics', containerPort: 9102 },
              ],
            },
          ],
        },
      },
      {
        phase: 'Running',
        hostIP: nodeIp,
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    ),
    made(SERVICES, { name: web, labels: { team: 'a' } }, { spec: { ports } }),
    made(
      ENDPOINTS,
      { name: web },
      {
        subsets: [{ addresses: [{ ip, targetRef }], notReadyAddresses: [{ ip: idleIp }], ports }],
      },
    ),
    made(
      ENDPOINT_SLICES,
      { name: `${web}-abc`, labels: { 'kubernetes.io/service-name': web } },
      {
        addressType: 'IPv4',
        ports,
        endpoints: [
          { addresses: [ip], conditions: { ready: true }, targetRef },
          { addresses: [idleIp], conditions: { ready: false } },
        ],
      },
    ),
    made(
      INGRESSES,
      { name: web },
      {
        spec: {
          ingressClassName: 'nginx',
          tls: [{ hosts: [`${web}.example`] }],
          rules: [`${web}.example`, `plain-${web}.example`].map((host) => ({
            host,
            http: { paths: [{ path: '/cart', pathType: 'Prefix', backend }] },
          })),
        },
      },
    ),
  ];
}

/** By role: each target of that set, with labels it must have among others. */
export function shopTargets(id: number): Record<(typeof ROLES)[number], Labels[]> {
  const { node, web, ip, nodeIp, idleIp } = namesOf(id);
  const namespace = { namespace: SHOP };
  const pod = {
    pod_name: web,
    pod_ip: ip,
    pod_host_ip: nodeIp,
    pod_node_name: node,
    pod_phase: 'Running',
    pod_ready: 'true',
    pod_label_app: 'web',
    pod_labelpresent_app: 'true',
    pod_annotation_prometheus_io_scrape: 'true',
    pod_container_name: 'web',
  };
  const port = (name: string, number: number) => ({
    pod_container_port_name: name,
    pod_container_port_number: String(number),
    pod_container_port_protocol: 'TCP',
  });
  const service = { service_name: web, service_label_team: 'a' };
  // A port of a Pod behind a Service that the Service does not have is a target as well, without the endpoint's own labels.
  const beside = target(`${ip}:8080`, { ...namespace, ...service, ...pod, ...port('http', 8080) });
  const endpoint = (ready: string) => ({
    ...namespace,
    ...service,
    endpoints_name: web,
    endpoint_ready: ready,
    endpoint_port_name: 'metrics',
    endpoint_port_protocol: 'TCP',
  });
  const inSlice = (ready: string) => ({
    ...namespace,
    ...service,
    endpointslice_name: `${web}-abc`,
    endpointslice_address_type: 'IPv4',
    endpointslice_endpoint_conditions_ready: ready,
    endpointslice_port: '9102',
    endpointslice_port_name: 'metrics',
    endpointslice_port_protocol: 'TCP',
  });
  const ingress = (host: string, scheme: string) =>
    target(host, {
      ...namespace,
      ingress_name: web,
      ingress_class_name: 'nginx',
      ingress_scheme: scheme,
      ingress_host: host,
      ingress_path: '/cart',
    });
  return {
    node: [
      target(`${nodeIp}:10250`, {
        node_name: node,
        node_label_zone: 'north',
        node_address_InternalIP: nodeIp,
        node_address_Hostname: node,
      }),
    ],
    pod: [
      target(`${ip}:8080`, { ...namespace, ...pod, ...port('http', 8080) }),
      target(`${ip}:9102`, { ...namespace, ...pod, ...port('metrics', 9102) }),
    ],
    service: [
      target(`${web}.${SHOP}.svc:9102`, {
        ...namespace,
        ...service,
        service_port_name: 'metrics',
        service_port_protocol: 'TCP',
        service_type: 'ClusterIP',
      }),
    ],
    endpoints: [
      target(`${ip}:9102`, {
        ...endpoint('true'),
        ...pod,
        ...port('metrics', 9102),
        endpoint_address_target_kind: 'Pod',
        endpoint_address_target_name: web,
      }),
      target(`${idleIp}:9102`, endpoint('false')),
      beside,
    ],
    endpointslice: [
      target(`${ip}:9102`, {
        ...inSlice('true'),
        ...pod,
        ...port('metrics', 9102),
        endpointslice_address_target_kind: 'Pod',
        endpointslice_address_target_name: web,
      }),
      target(`${idleIp}:9102`, inSlice('false')),
      beside,
    ],
    ingress: [ingress(`${web}.example`, 'https'), ingress(`plain-${web}.example`, 'http')],
  };
}

function target(address: string, labels: Labels): Labels {
  const meta = Object.entries(labels).map(([name, value]) => [`__meta_kubernetes_${name}`, value] as const);
  return { __address__: address, ...Object.fromEntries(meta) };
}

const namesOf = (id: number) => ({
  node: `worker-${String(id)}`,
  web: `web-${String(id)}`,
  ip: `192.0.2.${String(1 + id)}`,
  nodeIp: `192.0.2.${String(51 + id)}`,
  idleIp: `192.0.2.${String(101 + id)}`,
});
