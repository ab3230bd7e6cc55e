/**
 * Lets the contract suite, which counts revisions from 0, run on a store that has been counting for longer: what goes in is raised by the
 * revision the store had when it was opened, and what comes out is lowered by it.
 */
import { Compacted, ConditionFailed, type Entry, type Operation, type Store, type StoreEvent } from './store.ts';

/** `inner` counts from `base`, the result from 0. */
export function shifted(inner: Store, base: number): Store {
  const down = (revision: number) => revision - base;
  const entry = (each: Entry): Entry => ({
    ...each,
    revision: down(each.revision),
    createRevision: down(each.createRevision),
  });
  const event = (each: StoreEvent): StoreEvent => ({
    ...each,
    revision: down(each.revision),
    createRevision: down(each.createRevision),
  });
  const operation = (each: Operation): Operation =>
    each.expect === undefined || each.expect === 0 ? each : { ...each, expect: each.expect + base };
  const translate = (error: unknown): unknown => {
    if (error instanceof ConditionFailed) return new ConditionFailed(error.key, error.found && entry(error.found));
    if (error instanceof Compacted) {
      const [, asked = ''] = /^revision (\d+)/.exec(error.message) ?? [];
      return new Compacted(down(Number(asked)), down(error.oldest));
    }
    if (error instanceof RangeError) {
      return new RangeError(error.message.replace(/\d+/g, (number) => String(down(Number(number)))));
    }
    return error;
  };
  const attempt = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      throw translate(error);
    }
  };
  return {
    shared: inner.shared,
    expires: inner.expires,
    get: (key) => attempt(async () => await inner.get(key).then((found) => found && entry(found))),
    list: (prefix, options = {}) =>
      attempt(async () => {
        const { atRevision } = options;
        const asked = atRevision === undefined ? options : { ...options, atRevision: atRevision + base };
        const { entries, revision, remaining } = await inner.list(prefix, asked);
        return { entries: entries.map(entry), revision: down(revision), remaining };
      }),
    commit: (operations) =>
      attempt(async () => ({ revision: down((await inner.commit(operations.map(operation))).revision) })),
    watch: (prefix, after, onEvents, onLost) => {
      try {
        return inner.watch(
          prefix,
          after + base,
          (events) => {
            onEvents(events.map(event));
          },
          onLost,
        );
      } catch (error) {
        throw translate(error);
      }
    },
    revision: () => down(inner.revision()),
    reach: async () => down(await inner.reach()),
    compact: (revision) => inner.compact(revision + base),
    close: () => inner.close(),
  };
}
