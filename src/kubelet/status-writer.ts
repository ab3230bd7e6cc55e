/**
 * Carries computed statuses to the API server: at once on change, one request at a time per pod, always the newest. What was lost on the
 * way, or changed by somebody else, is sent again.
 */
import { isDeepStrictEqual } from 'node:util';
import { ApiError } from '../api/api-error.ts';
import { PODS } from '../api/kinds.ts';
import type { Core, Pod } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

export interface StatusWriterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
}

interface Entry {
  /** The newest copy of the pod that the API server is known to have. */
  known: Pod;
  desired: Core.PodStatus | undefined;
  writing: boolean;
  readonly waiters: (() => void)[];
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #backoff = new Backoff({ initial: 200, max: 10_000 });
  #stopped = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** The API server has (at least) this. */
  observe(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const entry = this.#entries.get(uid);
    if (!entry) this.#entries.set(uid, { known: pod, desired: undefined, writing: false, waiters: [] });
    else if (isNewer(pod, entry.known)) {
      entry.known = pod;
      void this.#write(uid, entry);
    }
  }

  set(uid: string, status: Core.PodStatus): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    entry.desired = status;
    void this.#write(uid, entry);
  }

  /** Resolves when the API server has the newest status, or the pod is gone there. */
  async flushed(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (!entry?.desired || statusPatch(entry.known, entry.desired) === undefined) return;
    await new Promise<void>((resolve) => entry.waiters.push(resolve));
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    this.#entries.delete(uid);
    this.#backoff.reset(uid);
    for (const wake of entry?.waiters.splice(0) ?? []) wake();
  }

  stop(): void {
    this.#stopped = true;
    for (const uid of [...this.#entries.keys()]) this.forget(uid);
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    if (entry.writing || this.#stopped) return;
    entry.writing = true;
    let accepted: Core.PodStatus | undefined;
    for (;;) {
      const patch = entry.desired && statusPatch(entry.known, entry.desired);
      // A server that took a status and still has another one will not change its mind: wait for the next change.
      if (!patch || entry.desired === accepted || this.#entries.get(uid) !== entry) break;
      const sending = entry.desired;
      const outcome = await this.#send(entry, patch);
      if (outcome === 'gone') break;
      if (outcome !== 'again') {
        if (outcome === 'sent') accepted = sending;
        continue;
      }
      await new Promise<void>((resolve) => this.#options.clock.after(this.#backoff.next(uid), resolve, true));
    }
    entry.writing = false;
    for (const wake of entry.waiters.splice(0)) wake();
  }

  async #send(entry: Entry, patch: unknown): Promise<'sent' | 'stale' | 'gone' | 'again'> {
    const { client, log } = this.#options;
    const { name, namespace, uid } = entry.known.metadata;
    try {
      const written = await client.patch(PODS, name, namespace, 'merge', patch, { subresource: 'status' });
      if (isNewer(written, entry.known)) entry.known = written;
      this.#backoff.reset(uid ?? '');
      return 'sent';
    } catch (error) {
      if (error instanceof ApiError && error.reason === 'NotFound') return 'gone';
      if (error instanceof ApiError && error.reason === 'Conflict') {
        const now = await client.get(PODS, name, namespace).catch(() => undefined);
        if (now && now.metadata.uid !== uid) return 'gone';
        if (now) entry.known = now;
        return now ? 'stale' : 'again';
      }
      log.warn({ pod: name, namespace, err: error }, 'pod status could not be written, will try again');
      return 'again';
    }
  }
}

/**
 * A merge patch from what is known to what is desired; undefined where nothing differs. Conditions of others are kept, and guarded by
 * the resource version, because a merge patch replaces lists whole. Pure.
 */
export function statusPatch(known: Pod, desired: Core.PodStatus): unknown {
  const own = new Set((desired.conditions ?? []).map(({ type }) => type).filter((type) => OWN_CONDITIONS.has(type)));
  const foreign = (known.status?.conditions ?? []).filter(({ type }) => !own.has(type));
  const conditions = [...(desired.conditions ?? []).filter(({ type }) => own.has(type)), ...foreign];
  const wanted: Record<string, unknown> = { ...desired, conditions };
  const present: Record<string, unknown> = { ...known.status };
  const changes: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(present)])) {
    if (isDeepStrictEqual(plain(wanted[key]), plain(present[key]))) continue;
    if (key in wanted) changes[key] = wanted[key];
    else if (OWN_FIELDS.has(key)) changes[key] = null;
  }
  if (Object.keys(changes).length === 0) return undefined;
  const { uid, resourceVersion } = known.metadata;
  const guarded = 'conditions' in changes && foreign.length > 0;
  return { metadata: { uid, ...(guarded && { resourceVersion }) }, status: changes };
}

const OWN_CONDITIONS = new Set([
  'PodScheduled',
  'PodReadyToStartContainers',
  'Initialized',
  'ContainersReady',
  'Ready',
]);
const OWN_FIELDS = new Set([
  'reason',
  'message',
  'podIP',
  'podIPs',
  'initContainerStatuses',
  'ephemeralContainerStatuses',
]);

/** Without the differences JSON does not carry. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function isNewer(a: Pod, b: Pod): boolean {
  const [left, right] = [a.metadata.resourceVersion ?? '0', b.metadata.resourceVersion ?? '0'];
  return !/^\d+$/.test(left + right) || BigInt(left) > BigInt(right);
}
