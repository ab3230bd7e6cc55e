/** A commit as one transaction of etcd, and what its answer says. Pure. */
import { MAX_OPERATIONS as MOST } from '../refusals.ts';
import { ConditionFailed, type Entry, type Operation } from '../store.ts';
import type { WireKeyValue } from './revisions.ts';

/** What a member takes by itself (`--max-txn-ops`). */
export const MAX_OPERATIONS = Math.min(128, MOST);

export interface WireTxn {
  readonly header: { readonly revision: number };
  readonly succeeded: boolean;
  readonly responses: readonly { readonly responseRange: { readonly kvs: readonly WireKeyValue[] } | null }[];
}

/** Keys with a condition, in the order of the operations. */
function conditions(operations: readonly Operation[]): { key: string; expect: number }[] {
  return operations.flatMap(({ key, expect }) => (expect === undefined ? [] : [{ key, expect }]));
}

/**
 * The revision of a key's last change is compared, 0 for none. Where a condition fails, all keys that have one are read in the same moment.
 * @param leases by key of the put
 */
export function toTxn(operations: readonly Operation[], prefix: string, leases: ReadonlyMap<string, number>): object {
  if (operations.length > MAX_OPERATIONS) {
    throw new Error(
      `a commit to etcd has at most ${String(MAX_OPERATIONS)} operations, not ${String(operations.length)}`,
    );
  }
  const conditioned = conditions(operations);
  return {
    compare: conditioned.map(({ key, expect }) => ({ target: 'MOD', key: prefix + key, modRevision: expect })),
    success: operations.flatMap((operation): object[] => {
      const key = prefix + operation.key;
      if (operation.type === 'put')
        return [{ requestPut: { key, value: operation.value, lease: leases.get(operation.key) } }];
      return operation.type === 'delete' ? [{ requestDeleteRange: { key } }] : [];
    }),
    failure: conditioned.map(({ key }) => ({ requestRange: { key: prefix + key } })),
  };
}

export function toEntry({ key, value, modRevision, createRevision }: WireKeyValue, prefix: string): Entry {
  return { key: key.slice(prefix.length), value, revision: modRevision, createRevision };
}

/** Which condition it was that failed. */
export function refusalOf(operations: readonly Operation[], { responses }: WireTxn, prefix: string): ConditionFailed {
  const conditioned = conditions(operations);
  for (const [index, { key, expect }] of conditioned.entries()) {
    const found = responses[index]?.responseRange?.kvs[0];
    if ((found?.modRevision ?? 0) !== expect) return new ConditionFailed(key, found && toEntry(found, prefix));
  }
  throw new Error('etcd refused a transaction whose conditions hold');
}
