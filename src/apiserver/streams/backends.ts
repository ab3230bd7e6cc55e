/** Where a proxy request goes: one endpoint of a Service, a Pod, a node or its kubelet (features 7-067, 7-068, 8-114 to 8-116). */
import { badRequest, unavailable } from '../../api/api-error.ts';
import { ENDPOINTS, NODES, PODS, SERVICES } from '../../api/kinds.ts';
import { podIps } from '../../api/pods.ts';
import type { Endpoints, Node, Pod, Service } from '../../api/types.ts';
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';
import { readObject } from '../read.ts';
import type { Call } from '../resources.ts';
import type { Backend } from './backend.ts';
import type { Kubelets } from './kubelets.ts';
import { parseProxyTarget, type ProxyTarget } from './proxy-target.ts';

/** Pods and nodes show certificates nobody here can know. */
const anyCertificate = { rejectUnauthorized: false } as const;

/** Throws ApiError: 400, 404, 503. */
export async function findBackend(core: Core, kubelets: Kubelets, { kind, info }: Pick<Call, 'kind' | 'info'>) {
  const { namespace = '', name = '' } = info;
  if (kind === NODES) return await nodeBackend(core, kubelets, parseProxyTarget(name, 'node'));
  if (kind === SERVICES) return await serviceBackend(core, kubelets, namespace, parseProxyTarget(name, 'service'));
  return await podBackend(core, kubelets, namespace, parseProxyTarget(name, 'pod'));
}

/** Without a port, or with the kubelet's, it is the kubelet; another port is any server on the node's own network. */
async function nodeBackend(core: Core, kubelets: Kubelets, { secure, name, port }: ProxyTarget): Promise<Backend> {
  const node = (await readObject(core, NODES, undefined, name)).object as Node;
  const kubelet = kubelets.backendOfNode(node);
  if (port === '' || port === String(kubelet.port)) return kubelet;
  return backendAt(secure, kubelet.host, portNumber(port));
}

async function podBackend(
  core: Core,
  kubelets: Kubelets,
  namespace: string,
  { secure, name, port }: ProxyTarget,
): Promise<Backend> {
  const pod = (await readObject(core, PODS, namespace, name)).object as Pod;
  const declared = pod.spec.containers.flatMap((container) => container.ports ?? []);
  const named = declared.find((each) => each.name !== undefined && each.name === port)?.containerPort;
  const number = port === '' ? (declared[0]?.containerPort ?? 80) : (named ?? portNumber(port));
  const host = pod.status?.podIP ?? '';
  if (host === '') throw unavailable(`pod ${JSON.stringify(name)} has no IP address yet`);
  return { ...backendAt(secure, host, number), ...kubelets.wayTo(pod) };
}

/** A ready address of the Endpoints that belongs to a Pod of the namespace: nothing else is reachable this way (feature 8-116). */
async function serviceBackend(
  core: Core,
  kubelets: Kubelets,
  namespace: string,
  { secure, name, port }: ProxyTarget,
): Promise<Backend> {
  const service = (await readObject(core, SERVICES, namespace, name)).object as Service;
  const portName = portNameOf(service, port);
  const endpoints = core.cache.of(ENDPOINTS).get(keyOf(ENDPOINTS, namespace, name))?.object as Endpoints | undefined;
  const candidates = (endpoints?.subsets ?? []).flatMap((subset) => {
    const found = subset.ports?.find((each) => (each.name ?? '') === portName);
    if (!found) return [];
    return (subset.addresses ?? []).flatMap(({ ip, targetRef }) => {
      const pod = podAt(core, namespace, ip, targetRef?.name);
      return pod ? [{ ip, port: found.port, pod }] : [];
    });
  });
  const chosen = candidates[candidates.length > 1 ? core.random(candidates.length) : 0];
  if (!chosen) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return { ...backendAt(secure, chosen.ip, chosen.port), ...kubelets.wayTo(chosen.pod) };
}

function portNameOf({ metadata, spec }: Service, asked: string): string {
  const ports = spec.ports ?? [];
  if (asked === '') return ports[0]?.name ?? '';
  if (!/^\d+$/.test(asked)) return asked;
  const found = ports.find((each) => each.port === Number(asked));
  if (!found) throw unavailable(`no service port ${asked} found for service ${JSON.stringify(metadata.name)}`);
  return found.name ?? '';
}

/** The Pod an address belongs to, where it is one of the namespace. */
function podAt(core: Core, namespace: string, ip: string, name: string | undefined): Pod | undefined {
  if (name === undefined) return undefined;
  const pod = core.cache.of(PODS).get(keyOf(PODS, namespace, name))?.object as Pod | undefined;
  return pod && podIps(pod).includes(ip) ? pod : undefined;
}

function portNumber(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > 65535) throw badRequest(`invalid port ${JSON.stringify(text)}`);
  return number;
}

/** What a status says is an address must not lead to the API server's own machine, nor to its neighbours on the link. */
function backendAt(secure: boolean, host: string, port: number): Backend {
  if (!isProxyable(host)) throw badRequest('address not allowed');
  return { host, port, ...(secure && { tls: anyCertificate }) };
}

/** Loopback, link-local, multicast, none and all; IPv4 also in IPv6's clothes. */
const unproxyable = [
  ...['0.0.0.0/32', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32'].flatMap((range) => {
    const [base = '', length = '0'] = range.split('/');
    return [range, `::ffff:${base}/${String(96 + Number(length))}`];
  }),
  ...['::/128', '::1/128', 'fe80::/10', 'ff00::/8'],
].flatMap((text) => parseCidr(text) ?? []);

/** A unicast address that means the same for everybody. */
export function isProxyable(address: string): boolean {
  const ip = parseIp(address);
  return ip !== undefined && !unproxyable.some((range) => cidrContains(range, ip));
}
