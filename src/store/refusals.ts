/** What both engines refuse, in the same words. */
import { Compacted, ConditionFailed, type Entry, type Operation } from './store.ts';

/** Bounds one transaction; the sequence numbers of the SQLite engine rely on it. */
export const MAX_OPERATIONS = 4096;

/** @throws Error when the operations make no sense together: the caller's mistake, not a refusal. */
export function assertCommit(operations: readonly Operation[]): void {
  if (operations.length > MAX_OPERATIONS) {
    throw new Error(`a commit has at most ${String(MAX_OPERATIONS)} operations, not ${String(operations.length)}`);
  }
  const written = new Set<string>();
  for (const { type, key } of operations) {
    if (type === 'check') continue;
    if (written.has(key)) throw new Error(`a commit may write ${key} once only`);
    written.add(key);
  }
}

/** The refusal, or undefined when every condition holds. */
export function failedCondition(
  operations: readonly Operation[],
  find: (key: string) => Entry | undefined,
): ConditionFailed | undefined {
  for (const { key, expect } of operations) {
    if (expect === undefined) continue;
    const found = find(key);
    if ((found?.revision ?? 0) !== expect) return new ConditionFailed(key, found);
  }
  return undefined;
}

/** @throws Compacted for a past that is gone; RangeError for a future, which only a mistake can ask for. */
export function assertReachable(asked: number, oldest: number, newest: number): void {
  if (asked < oldest) throw new Compacted(asked, oldest);
  if (asked > newest)
    throw new RangeError(`revision ${String(asked)} has not happened yet: the last is ${String(newest)}`);
}
