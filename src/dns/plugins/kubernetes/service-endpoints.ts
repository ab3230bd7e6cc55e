/** The endpoints of a Service as DNS shows them: ready ones, each with a hostname. Pure. */
import type { EndpointSlice } from '../../../api/types.ts';
import { formatIp, parseIp, type Family } from '../../../lib/ip.ts';
import { dashedAddress } from './names.ts';

export interface NamedEndpoint {
  /** Lower case. */
  readonly hostname: string;
  /** Canonical. */
  readonly address: string;
  readonly family: Family;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

/** Some servers write `null` for none. */
export const endpointsOf = (slice: EndpointSlice): EndpointSlice['endpoints'] =>
  (slice.endpoints as EndpointSlice['endpoints'] | null) ?? [];

/**
 * Ready endpoints; an absent condition means ready. `publishNotReadyAddresses` is in the condition already: the EndpointSlice controller
 * sets it for such Services (feature 4-017).
 */
export function readyEndpoints(slices: readonly EndpointSlice[]): NamedEndpoint[] {
  return slices.flatMap((slice) => {
    const ports = (slice.ports ?? []).flatMap(({ name = '', protocol = 'TCP', port }) =>
      port === undefined ? [] : [{ name, protocol: protocol.toLowerCase(), port }],
    );
    return endpointsOf(slice)
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses, hostname }) =>
        addresses.flatMap((text): NamedEndpoint[] => {
          const ip = parseIp(text);
          if (!ip) return [];
          const address = formatIp(ip);
          return [{ hostname: (hostname ?? dashedAddress(address)).toLowerCase(), address, family: ip.family, ports }];
        }),
      );
  });
}
