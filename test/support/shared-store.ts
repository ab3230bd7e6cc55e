/** One store for several servers of a test. */
import type { Store } from '../../src/store/store.ts';

/** Whoever closes it leaves it open for the others. */
export function sharedStore(store: Store): Store {
  const lend = (target: Store, name: keyof Store): unknown => {
    const member = target[name] as unknown;
    if (name === 'close') return () => Promise.resolve();
    return typeof member === 'function' ? (member.bind(target) as unknown) : member;
  };
  return new Proxy(store, { get: (target, name) => lend(target, name as keyof Store) });
}
