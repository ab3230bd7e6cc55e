/**
 * Writes Events: what `kubectl describe` shows at its end. Repeats of one event raise its count instead of making new ones. Nobody
 * waits for it and nothing fails because of it: what cannot be written is dropped, oldest first.
 */
import { isNotFound } from '../api/api-error.ts';
import { EVENTS } from '../api/kinds.ts';
import type { Event, KubeObject } from '../api/types.ts';
import { fnv1a32 } from '../lib/hash.ts';
import { realClock, timestamp, type Clock } from '../lib/clock.ts';
import type { Client } from './client.ts';

export interface EventRecorder {
  /** Returns at once. `object` needs apiVersion and kind, or it cannot be referred to. */
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when everything recorded so far is written or dropped: for shutdown and tests. */
  flush(): Promise<void>;
}

/** Events waiting to be written, and events remembered for counting repeats. */
const MAX_WAITING = 1000;
const MAX_KNOWN = 4096;
/** Repeats within this belong to one Event; later ones start a new one. The server forgets Events after an hour (8-105). */
const SERIES_MS = 10 * 60_000;
/** Kubernetes cuts longer messages as well. */
const MAX_MESSAGE = 1024;

interface Known {
  readonly name: string;
  readonly namespace: string;
  count: number;
  lastAt: number;
}

interface Note {
  readonly key: string;
  readonly event: Event;
  readonly at: number;
}

/** @param component the part that speaks, `kubelet` @param host the node it runs on, where that matters */
export function createEventRecorder(
  client: Client,
  component: string,
  host?: string,
  clock: Clock = realClock,
): EventRecorder {
  const known = new Map<string, Known>();
  let waiting: Note[] = [];
  let writing: Promise<void> | undefined;
  let serial = 0;

  const write = async ({ key, event, at }: Note): Promise<void> => {
    const same = known.get(key);
    known.delete(key);
    if (same && at - same.lastAt < SERIES_MS) {
      const next = { ...same, count: same.count + 1, lastAt: at };
      if (await raise(client, next)) {
        known.set(key, next);
        return;
      }
    }
    const { name, namespace = '' } = (await client.create(EVENTS, event)).metadata;
    known.set(key, { name, namespace, count: 1, lastAt: at });
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
  };

  const drain = async (): Promise<void> => {
    for (let note = waiting.shift(); note; note = waiting.shift()) await write(note).catch(() => {});
    writing = undefined;
  };

  return {
    event(object, type, reason, message) {
      const at = clock.now();
      const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 3)}...` : message;
      const source = { component, ...(host !== undefined && { host }) };
      const id = fnv1a32(`${component} ${String(process.pid)} ${String(at)} ${String((serial += 1))}`);
      const suffix = `${at.toString(16)}${id.toString(16).padStart(8, '0')}`;
      const event = compose(object, { type, reason, message: text, source, at, suffix });
      // The version of the object is no part of it: the same trouble with a later version is a repeat.
      const key = JSON.stringify([{ ...event.involvedObject, resourceVersion: '' }, type, reason, text]);
      waiting.push({ key, event, at });
      if (waiting.length > MAX_WAITING) waiting = waiting.slice(-MAX_WAITING);
      writing ??= Promise.resolve().then(drain);
    },
    async flush() {
      while (writing) await writing;
    },
  };
}

/** False when the Event is gone meanwhile. */
async function raise(client: Client, { name, namespace, count, lastAt }: Known): Promise<boolean> {
  try {
    await client.patch(EVENTS, name, namespace, 'merge', { count, lastTimestamp: timestamp(lastAt) });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

interface Words {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly source: { component: string; host?: string };
  readonly at: number;
  readonly suffix: string;
}

/** Events about cluster-scoped objects live in `default` (8-105). */
function compose(object: KubeObject, { type, reason, message, source, at, suffix }: Words): Event {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const time = timestamp(at);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    // A name has at most 253 characters, the suffix 20 of them.
    metadata: { name: `${name.slice(0, 230)}.${suffix}`, namespace: namespace ?? 'default' },
    involvedObject: {
      ...(object.apiVersion !== undefined && { apiVersion: object.apiVersion }),
      ...(object.kind !== undefined && { kind: object.kind }),
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    type,
    reason,
    message,
    source,
    reportingComponent: source.component,
    reportingInstance: source.host ?? '',
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
  };
}
