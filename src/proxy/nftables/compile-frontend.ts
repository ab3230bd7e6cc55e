/** One frontend with the ServicePort that owns it -> its elements. Spells the Plan; decides nothing. */
import type { Family } from '../../lib/ip.ts';
import type { Endpoint, Route, ServicePort } from '../plan/types.ts';
import { addressBytes, numberBytes, portBytes } from './bytes.ts';
import { verdictValue, type Emit } from './elements.ts';
import type { Frontend } from './frontends.ts';
import { LOCAL_POOL, type SetName } from './schema.ts';
import { rangesOf } from './source-ranges.ts';

/** Longest comment the kernel's user data takes, less what a cut says. */
const COMMENT_LIMIT = 120;

/** Sets of addresses and their twins for node ports, whose keys have no address. */
interface Names {
  readonly first: SetName;
  readonly endpoints: SetName;
  readonly clusterPicks: SetName;
  readonly localPicks: SetName;
  readonly nowhere: SetName;
  readonly affinity: SetName;
  /** Of chains. */
  readonly prefix: '' | 'nodeport-';
}

const ADDRESS: Names = {
  first: 'service-ips',
  endpoints: 'service-endpoints',
  clusterPicks: 'cluster-picks',
  localPicks: 'local-picks',
  nowhere: 'no-endpoint-services',
  affinity: 'affinity-services',
  prefix: '',
};
const NODE_PORT: Names = {
  first: 'service-nodeports',
  endpoints: 'nodeport-endpoints',
  clusterPicks: 'nodeport-cluster-picks',
  localPicks: 'nodeport-local-picks',
  nowhere: 'no-endpoint-nodeports',
  affinity: 'affinity-nodeports',
  prefix: 'nodeport-',
};

export function compileFrontend(frontend: Frontend, service: ServicePort, family: Family, emit: Emit): void {
  const { key, kind } = frontend;
  if (kind === 'clusterIP') {
    compileInternal(key, service, emit);
    return;
  }
  const names = kind === 'nodePort' ? NODE_PORT : ADDRESS;
  compileExternal(key, service, names, emit);
  // without any endpoint everybody is refused: there is nothing to protect
  if (kind === 'loadBalancerIP' && service.sourceRanges.length > 0 && service.externalRoute !== 'REJECT') {
    emit('firewall-ips', key, '');
    for (const { from, to } of rangesOf(service, family)) emit('firewall-allowed', from + key + to + key, '');
  }
}

function compileInternal(key: string, service: ServicePort, emit: Emit): void {
  const { internalRoute, affinitySeconds } = service;
  if (internalRoute === 'REJECT' || internalRoute === 'DROP') {
    refuse(key, service, internalRoute, ADDRESS, emit);
    return;
  }
  const pool = internalRoute === 'Cluster' ? service.clusterEndpoints : service.localEndpoints;
  const count = emitPool(key, pool, 0, ADDRESS, emit);
  const comment = commentOf(service);
  if (affinitySeconds === undefined) {
    emit('service-ips', key, verdictValue(`goto cluster-ip-${String(count)}`, comment));
    return;
  }
  emit('service-ips', key, verdictValue('goto cluster-ip-affinity', comment));
  emit('cluster-picks', key, `goto pick-${String(count)}`);
  emit('affinity-services', key, `jump remember-${String(affinitySeconds)}`);
}

function compileExternal(key: string, service: ServicePort, names: Names, emit: Emit): void {
  const { externalRoute, externalPolicy, affinitySeconds } = service;
  if (externalRoute === 'REJECT') {
    refuse(key, service, externalRoute, names, emit);
    return;
  }
  const { prefix } = names;
  const kind = externalPolicy === 'Cluster' ? 'external' : 'external-local';
  const affinity = affinitySeconds === undefined ? '' : '-affinity';
  emit(names.first, key, verdictValue(`goto ${prefix}${kind}${affinity}`, commentOf(service)));
  const count = emitPool(key, service.clusterEndpoints, 0, names, emit);
  emit(names.clusterPicks, key, `goto ${prefix}pick-${String(count)}`);
  if (externalRoute === 'Local') {
    const local = emitPool(key, service.localEndpoints, LOCAL_POOL, names, emit);
    emit(names.localPicks, key, `goto ${prefix}local-pick-${String(local)}`);
  }
  if (affinitySeconds !== undefined) emit(names.affinity, key, `jump remember-${String(affinitySeconds)}`);
  if (externalRoute === 'DROP') refuse(key, service, externalRoute, names, emit);
}

/** 3-083, 3-084. */
function refuse(key: string, service: ServicePort, route: Route, names: Names, emit: Emit): void {
  emit(names.nowhere, key, verdictValue(route === 'REJECT' ? 'goto reject-chain' : 'drop', commentOf(service)));
}

/** Returns how many: a pool that does not fit below the other is cut. */
function emitPool(key: string, pool: readonly Endpoint[], first: number, names: Names, emit: Emit): number {
  const count = Math.min(pool.length, LOCAL_POOL);
  for (let at = 0; at < count; at++) {
    const endpoint = pool[at];
    if (endpoint)
      emit(names.endpoints, key + numberBytes(first + at), addressBytes(endpoint.ip) + portBytes(endpoint.port));
  }
  return count;
}

/** For people who list the map. What nft could take for the end of the text cannot be in a name, but whoever serves the API may be anyone. */
function commentOf({ name }: ServicePort): string {
  const words = name.replaceAll(/[^\w./:-]/g, '?');
  return words.length > COMMENT_LIMIT ? `${words.slice(0, COMMENT_LIMIT)}...` : words;
}

/** Elements that several ServicePorts may ask for; each is there as long as one does. */
export function emitShared(service: ServicePort, emit: (set: SetName, key: string) => void): void {
  emit('cluster-ips', addressBytes(service.clusterIP));
  const { clusterEndpoints, localEndpoints } = service;
  const seen = new Set<string>();
  for (const pool of [clusterEndpoints, localEndpoints]) {
    for (const { ip } of pool) {
      if (seen.has(ip)) continue;
      seen.add(ip);
      const bytes = addressBytes(ip);
      emit('hairpin-connections', bytes + bytes);
    }
  }
}
