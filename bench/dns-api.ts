/**
 * An API server for bench/dns.ts, a process of its own: lists Services and EndpointSlices in pages and lets them be watched, as complete as a real
 * one shows them, and keeps none. Arguments: SERVICES ENDPOINTS. Prints its port. `POST /make/NAME` tells the watches of one Service more.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeObject } from '../src/api/types.ts';

export const NAMESPACE = 'bench';

const address = (at: number, low: number): string =>
  `10.${String(low + (at >> 16))}.${String((at >> 8) & 255)}.${String(at & 255)}`;

const uid = (at: number, kind: number): string =>
  `${at.toString(16).padStart(8, '0')}-0000-4000-8000-${kind.toString(16).padStart(12, '0')}`;

const managed = (manager: string, fieldsV1: object) => [
  { manager, operation: 'Update', apiVersion: 'v1', time: '2026-11-28T10:00:00Z', fieldsType: 'FieldsV1', fieldsV1 },
];

function service(at: number, name = `s${String(at)}`): KubeObject {
  const ip = address(at, 96);
  return {
    metadata: {
      name,
      namespace: NAMESPACE,
      uid: uid(at, 1),
      resourceVersion: String(1000 + at),
      creationTimestamp: '2026-11-28T10:00:00Z',
      labels: { app: name, tier: 'backend' },
      annotations: { 'example.test/owner': 'someone' },
      managedFields: managed('kubectl', {
        'f:metadata': {
          'f:annotations': { '.': {}, 'f:example.test/owner': {} },
          'f:labels': { '.': {}, 'f:app': {} },
        },
        'f:spec': { 'f:ports': { '.': {}, 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} } } },
      }),
    },
    ...{
      spec: {
        ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
        selector: { app: name },
        clusterIP: ip,
        clusterIPs: [ip],
        type: 'ClusterIP',
        sessionAffinity: 'None',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        internalTrafficPolicy: 'Cluster',
      },
      status: { loadBalancer: {} },
    },
  } as KubeObject;
}

function slice(at: number, endpoints: number): KubeObject {
  const name = `s${String(at)}`;
  return {
    metadata: {
      name: `${name}-x7k2p`,
      generateName: `${name}-`,
      namespace: NAMESPACE,
      uid: uid(at, 2),
      resourceVersion: String(1000 + at),
      creationTimestamp: '2026-11-28T10:00:00Z',
      labels: { app: name, 'endpointslice.kubernetes.io/managed-by': 'x', 'kubernetes.io/service-name': name },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-11-28T10:00:00Z' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name, uid: uid(at, 1), controller: true }],
      managedFields: managed('kube-controller-manager', {
        'f:addressType': {},
        'f:endpoints': {},
        'f:metadata': { 'f:generateName': {}, 'f:labels': { '.': {}, 'f:app': {} }, 'f:ownerReferences': { '.': {} } },
      }),
    },
    ...{
      addressType: 'IPv4',
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
      endpoints: Array.from({ length: endpoints }, (_, number) => ({
        addresses: [address(at * endpoints + number, 128)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'node01',
        targetRef: { kind: 'Pod', namespace: NAMESPACE, name: `${name}-${String(number)}`, uid: uid(at, 3 + number) },
      })),
    },
  } as KubeObject;
}

if (import.meta.main) {
  const [services = 0, endpoints = 2] = process.argv.slice(2).map(Number);
  const watches = new Set<ServerResponse>();
  let made = services;
  const namespaces = ['default', 'kube-system', NAMESPACE].map((name) => ({
    metadata: { name, resourceVersion: '1' },
  }));
  const kinds: Record<string, { count: number; item: (at: number) => object } | undefined> = {
    services: { count: services, item: (at) => service(at) },
    endpointslices: { count: services, item: (at) => slice(at, endpoints) },
    namespaces: { count: namespaces.length, item: (at) => namespaces[at] ?? {} },
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://api');
    const [, verb, name] = url.pathname.split('/');
    const kind = url.pathname.split('/').pop() ?? '';
    if (request.method === 'POST' && verb === 'make') {
      const object = { apiVersion: 'v1', kind: 'Service', ...service(made++, name) };
      const event = `${JSON.stringify({ type: 'ADDED', object })}\n`;
      for (const watch of watches) watch.write(event);
      response.end();
    } else if (url.searchParams.has('watch')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      if (kind !== 'services') return;
      watches.add(response);
      response.on('close', () => watches.delete(response));
    } else {
      const { count = 0, item } = kinds[kind] ?? {};
      const from = Number(url.searchParams.get('continue') ?? 0);
      const end = Math.min(count, from + Number(url.searchParams.get('limit') ?? count));
      const items = Array.from({ length: end - from }, (_, number) => item?.(from + number));
      const metadata = { resourceVersion: '2', ...(end < count && { continue: String(end) }) };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'List', apiVersion: 'v1', metadata, items }));
    }
  });
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`${String((server.address() as AddressInfo).port)}\n`);
  });
}
