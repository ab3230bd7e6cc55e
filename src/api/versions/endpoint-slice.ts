/**
 * EndpointSlice of discovery.k8s.io/v1beta1, in which a map of labels says where an endpoint is; v1 has fields for zone and node and only
 * remembers what else the map held (feature 2-041).
 */
import { semanticEqual } from '../deep-equal.ts';
import type { Discovery, EndpointSlice, KubeObject } from '../types.ts';
import type { Conversion } from './conversion.ts';

const ZONE = 'topology.kubernetes.io/zone';
const HOSTNAME = 'kubernetes.io/hostname';

type Endpoint = Discovery.Endpoint;
type OldEndpoint = Omit<Endpoint, 'zone' | 'deprecatedTopology'> & { topology?: Record<string, string> };

function toOldEndpoint({ zone, deprecatedTopology, ...endpoint }: Endpoint): OldEndpoint {
  const { nodeName } = endpoint;
  if (deprecatedTopology === undefined && zone === undefined && nodeName === undefined) return endpoint;
  const topology: Record<string, string> = { ...deprecatedTopology, ...(zone !== undefined && { [ZONE]: zone }) };
  // In v1beta1 the label and the field may differ.
  if (nodeName !== undefined) topology[HOSTNAME] ??= nodeName;
  return { ...endpoint, topology };
}

function fromOldEndpoint({ topology, ...endpoint }: OldEndpoint): Endpoint {
  const { [ZONE]: zone, ...rest } = topology ?? {};
  if (endpoint.nodeName !== undefined && rest[HOSTNAME] === endpoint.nodeName) delete rest[HOSTNAME];
  return {
    ...endpoint,
    ...(zone !== undefined && { zone }),
    ...(Object.keys(rest).length > 0 && { deprecatedTopology: rest }),
  };
}

const endpointsOf = (slice: KubeObject): Endpoint[] => (slice as Partial<EndpointSlice>).endpoints ?? [];

export const endpointSliceV1beta1: Conversion = {
  toVersion: (stored) => ({ ...stored, endpoints: endpointsOf(stored).map(toOldEndpoint) }) as KubeObject,
  fromVersion: (object) =>
    ({ ...object, endpoints: (endpointsOf(object) as OldEndpoint[]).map(fromOldEndpoint) }) as KubeObject,
  errorIn: (error) => ({
    ...error,
    field: error.field
      .replace(/\.deprecatedTopology\b/, '.topology')
      .replace(/^(endpoints\[\d+\])\.zone$/, '$1.topology'),
  }),
};

/** v1 itself: the old map cannot be written, but is kept while the endpoints stay what they are. */
export const endpointSliceConversion: Conversion = {
  toVersion: (stored) => stored,
  fromVersion(object, old) {
    const endpoints = endpointsOf(object);
    if (endpoints.every(({ deprecatedTopology }) => deprecatedTopology === undefined)) return object;
    const before = old ? endpointsOf(old) : [];
    if (semanticEqual(endpoints, before)) return object;
    const hosts = new Set(before.map(({ deprecatedTopology }) => deprecatedTopology?.[HOSTNAME]));
    return { ...object, endpoints: endpoints.map((endpoint) => withoutTopology(endpoint, hosts)) } as KubeObject;
  },
};

/** A host that was known before becomes the endpoint's node. */
function withoutTopology(
  { deprecatedTopology, ...endpoint }: Endpoint,
  hosts: ReadonlySet<string | undefined>,
): Endpoint {
  const host = deprecatedTopology?.[HOSTNAME];
  return host !== undefined && hosts.has(host) ? { nodeName: host, ...endpoint } : endpoint;
}
