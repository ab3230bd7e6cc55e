/** One store for several servers of a test. */
import type { Store } from '../../src/store/store.ts';

/** Whoever closes it leaves it open for the others. `told`: the servers know that they share it. */
export function sharedStore(store: Store, told = false): Store {
  const lend = (target: Store, name: keyof Store): unknown => {
    if (name === 'close') return () => Promise.resolve();
    if (name === 'shared' && told) return true;
    const member = target[name] as unknown;
    return typeof member === 'function' ? (member.bind(target) as unknown) : member;
  };
  return new Proxy(store, { get: (target, name) => lend(target, name as keyof Store) });
}
