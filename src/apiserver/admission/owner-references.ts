/** An owner named twice counts once, and the client is told (feature 8-082). */
import type { KubeObject } from '../../api/types.ts';
import type { WriteContext } from '../core.ts';

export const AFTER_ADMISSION = ' after mutating admission happens';

/** Changes the object in place. `when`: what the warning says of the moment, where it is not the client who named it twice. */
export function dedupeOwners({ metadata }: KubeObject, { warnings }: WriteContext, when = ''): void {
  const owners = metadata.ownerReferences;
  if (!owners || owners.length < 2) return;
  // References to one owner that differ in anything are left to validation.
  const byText = Map.groupBy(owners, (owner) => JSON.stringify(Object.entries(owner).sort(byName)));
  if (byText.size === owners.length) return;
  const groups = [...byText.values()];
  metadata.ownerReferences = groups.flatMap(([owner]) => owner ?? []);
  const uids = new Set(groups.filter(({ length }) => length > 1).map(([owner]) => owner?.uid));
  warnings.push(
    `.metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...uids].join(', ')}`,
  );
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);
