/** What the plugin knows of a query, for `log`, `rewrite` and others (feature 4-045). Pure. */
import type { Pod } from '../../../api/types.ts';
import type { ParsedName } from './names.ts';

/** Values by the names CoreDNS gives them; '' where the name has no such part. */
export function describeName({ target }: ParsedName): ReadonlyMap<string, string> {
  const isBelow = 'namespace' in target;
  const kind = !isBelow ? '' : target.about === 'pod' ? 'pod' : target.about === 'namespace' ? target.tree : 'svc';
  return new Map([
    ['kubernetes/endpoint', target.about === 'endpoint' ? target.hostname : ''],
    ['kubernetes/kind', kind],
    ['kubernetes/namespace', isBelow ? target.namespace : ''],
    ['kubernetes/port-name', target.about === 'port' ? target.port : ''],
    ['kubernetes/protocol', target.about === 'port' || target.about === 'protocol' ? target.protocol : ''],
    ['kubernetes/service', 'service' in target ? target.service : ''],
    ['kubernetes/zone', target.about === 'zonal' ? (target.topologyZone ?? '') : ''],
  ]);
}

/** @param pod the one at the asker's address */
export function describeAsker(pod: Pod | undefined): ReadonlyMap<string, string> {
  if (!pod) return new Map<string, string>();
  return new Map([
    ['kubernetes/client-namespace', pod.metadata.namespace ?? ''],
    ['kubernetes/client-pod-name', pod.metadata.name],
  ]);
}
