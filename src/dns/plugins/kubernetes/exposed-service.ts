/** What is the same about Services of this cluster and of a clusterset, as far as names go. Pure. */
import type { Service } from '../../../api/types.ts';
import { clusterIpsOf } from './cluster-view.ts';
import { canonicalAddress, type NamedPort } from './service-endpoints.ts';
import type { ServiceImport } from './service-import.ts';

export interface ExposedService {
  readonly namespace: string;
  readonly name: string;
  /** `nowhere`: an ExternalName that looks like an address, which is no name to go on with (feature 4-016). */
  readonly kind: 'cluster-ip' | 'headless' | 'alias' | 'nowhere';
  /** Canonical; none but for `cluster-ip`. */
  readonly addresses: readonly string[];
  readonly ports: readonly NamedPort[];
  /** With the final dot; of an `alias` only. */
  readonly target?: string;
}

export function exposedService(service: Service): ExposedService {
  const { metadata, spec } = service;
  const named = { namespace: metadata.namespace ?? '', name: metadata.name ?? '' };
  if (spec.type === 'ExternalName') {
    const external = (spec.externalName ?? '').replace(/\.$/, '');
    const isName = external !== '' && canonicalAddress(external) === undefined;
    return {
      ...named,
      addresses: [],
      ports: [],
      ...(isName ? { kind: 'alias', target: `${external}.` } : { kind: 'nowhere' }),
    };
  }
  const kind = spec.clusterIP === 'None' ? 'headless' : 'cluster-ip';
  return { ...named, kind, addresses: clusterIpsOf(service), ports: (spec.ports ?? []).map(namedPort) };
}

export function exposedImport({ metadata, spec }: ServiceImport): ExposedService {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    kind: spec.type === 'Headless' ? 'headless' : 'cluster-ip',
    addresses: (spec.ips ?? []).flatMap((address) => canonicalAddress(address) ?? []),
    ports: (spec.ports ?? []).map(namedPort),
  };
}

function namedPort({ name, protocol, port }: { name?: string; protocol?: string; port: number }): NamedPort {
  return { name: name ?? '', protocol: (protocol ?? 'TCP').toLowerCase(), port };
}
