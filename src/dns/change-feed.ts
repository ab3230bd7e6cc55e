/** Tells who keeps packets that something they were made from has changed. */
import type { ChangeFeed, Dependency } from './plugin.ts';

type Listener = (dependency: Dependency | undefined) => void;

export function createChangeFeed(): ChangeFeed {
  const listeners = new Set<Listener>();
  return {
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    announce(dependency) {
      for (const listener of listeners) listener(dependency);
    },
  };
}
