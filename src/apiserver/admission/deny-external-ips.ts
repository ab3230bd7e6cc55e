/** DenyServiceExternalIPs, off unless it is asked for: nobody takes external IPs by a Service (feature 1-072). */
import { forbiddenRequest } from '../../api/api-error.ts';
import { SERVICES } from '../../api/kinds.ts';
import type { Service } from '../../api/types.ts';
import type { Attributes } from './attributes.ts';

/** Throws Forbidden for an address the Service did not have before. */
export function denyExternalIps({ kind, subresource, object, old }: Attributes): void {
  if (kind !== SERVICES || subresource !== undefined || !object) return;
  const before = (old as Service | undefined)?.spec.externalIPs ?? [];
  const added = ((object as Service).spec.externalIPs ?? []).filter((address) => !before.includes(address));
  if (added.length === 0) return;
  throw forbiddenRequest(SERVICES, object.metadata.name, 'Use of external IPs is denied by admission control');
}
