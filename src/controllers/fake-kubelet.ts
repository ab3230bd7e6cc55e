/**
 * For tests: stands in for scheduler and kubelet. Every pod it sees gets a node and, unless told otherwise, becomes Running and Ready;
 * a pod that is deleted goes at once.
 */
import { PODS } from '../api/kinds.ts';
import type { Pod } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import { timestamp } from '../lib/clock.ts';
import { nodeOf } from './daemon-set-pod.ts';

export interface FakeKubelet {
  stop(): Promise<void>;
}

export interface FakeKubeletOptions {
  readonly node?: string;
  /** What becomes of a new pod; the default is `ready`. `ignore` leaves it Pending. */
  readonly decide?: (pod: Pod) => 'ready' | 'unready' | 'succeed' | 'fail' | 'ignore';
  readonly now?: () => number;
}

export function startFakeKubelet(client: Client, options: FakeKubeletOptions = {}): FakeKubelet {
  const stopped = new AbortController();
  const running = run(client, options, stopped.signal);
  return {
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

async function run(client: Client, options: FakeKubeletOptions, signal: AbortSignal): Promise<void> {
  for await (const event of client.watch(PODS, { signal })) {
    if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
    const pod = event.object;
    const { name, namespace } = pod.metadata;
    if (pod.metadata.deletionTimestamp !== undefined) {
      await client.delete(PODS, name, namespace, { gracePeriodSeconds: 0 }).catch(() => undefined);
    } else if (pod.status?.phase === undefined || pod.status.phase === 'Pending') {
      await start(client, pod, options).catch(() => undefined);
    }
  }
}

async function start(client: Client, pod: Pod, options: FakeKubeletOptions): Promise<void> {
  const fate = options.decide?.(pod) ?? 'ready';
  if (fate === 'ignore') return;
  const placed = pod.spec.nodeName
    ? pod
    : await client.update(PODS, { ...pod, spec: { ...pod.spec, nodeName: nodeOf(pod) ?? options.node ?? 'node01' } });
  await client.update(
    PODS,
    { ...placed, status: podStatus(fate, options.now?.() ?? Date.now()) },
    { subresource: 'status' },
  );
}

/** The status of a pod that is ready, running but not ready, or at its end. */
export function podStatus(fate: 'ready' | 'unready' | 'succeed' | 'fail', now: number): NonNullable<Pod['status']> {
  const phase = { ready: 'Running', unready: 'Running', succeed: 'Succeeded', fail: 'Failed' }[fate];
  const status = fate === 'ready' ? 'True' : 'False';
  return { phase, conditions: [{ type: 'Ready', status, lastTransitionTime: timestamp(now) }] };
}
