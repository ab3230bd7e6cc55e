/** What the pod worker remembers about one pod between two looks at it. Lost with the process, except for what the runtime and the API keep. */
import { deepEqual } from '../api/deep-equal.ts';
import type { Core, Pod } from '../api/types.ts';
import { Backoff } from '../lib/backoff.ts';
import { ANNOTATIONS, LABELS } from './runtime-view.ts';
import type { RuntimePod } from './runtime-view.ts';
import { graceSeconds } from './containers.ts';
import type { Ending } from './plan.ts';
import type { RestartState } from './restart.ts';

export interface PodRecord {
  readonly uid: string;
  /** As the API server has it, but with the newest status computed here. */
  pod: Pod;
  /** The API server no longer has it. */
  gone: boolean;
  /** Tasks under way; the value of a kill is its deadline. */
  readonly busy: Map<string, number>;
  readonly retryAt: Map<string, number>;
  readonly retries: Backoff;
  /** Container name to why it does not start. */
  readonly waiting: Map<string, { reason: string; message: string }>;
  readonly restarts: Map<string, RestartState>;
  /** Name to host path, once all are mounted. */
  volumes: ReadonlyMap<string, string> | undefined;
  refreshAt: number;
  ending: Ending | undefined;
  /** The grace that `ending` was made from: a shorter one makes a new deadline. */
  endingGrace: number;
  failure: { reason: string; message: string } | undefined;
  /** Aborted when the pod must end: work for containers that have not started yet stops. */
  readonly abort: AbortController;
  /** Containers whose preStop hook has been called. */
  readonly hooked: Set<string>;
  /** Container name to the end of the run for which BackOff was reported. */
  readonly reported: Map<string, number>;
  /** Containers that ran before this process did. */
  readonly adopted: boolean;
  finalized: boolean;
}

export function newRecord(pod: Pod, runtime: RuntimePod, firstLook: boolean): PodRecord {
  return {
    uid: pod.metadata.uid ?? '',
    pod,
    gone: false,
    busy: new Map(),
    retryAt: new Map(),
    retries: new Backoff({ initial: 500, max: 10_000 }),
    waiting: new Map(),
    restarts: new Map(),
    volumes: undefined,
    refreshAt: Infinity,
    ending: undefined,
    endingGrace: Infinity,
    failure: undefined,
    abort: new AbortController(),
    hooked: new Set(),
    reported: new Map(),
    adopted: firstLook && runtime.containers.some(({ state }) => state === 'RUNNING'),
    finalized: false,
  };
}

/**
 * The API server's newest copy, with the status this kubelet has computed since; conditions of others are the API server's. New labels and
 * annotations are wanted at once by the volumes that show them.
 */
export function takeIn(record: PodRecord, pod: Pod): void {
  const own = record.pod.status;
  const names = new Set(['PodScheduled', 'PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready']);
  const conditions = [
    ...(own?.conditions ?? []).filter(({ type }) => names.has(type)),
    ...(pod.status?.conditions ?? []).filter(({ type }) => !names.has(type)),
  ];
  const { labels, annotations } = record.pod.metadata;
  const isShownAnew = !deepEqual([labels, annotations], [pod.metadata.labels, pod.metadata.annotations]);
  if (isShownAnew && record.refreshAt !== Infinity) record.refreshAt = 0;
  record.pod = own?.startTime === undefined ? pod : { ...pod, status: { ...own, conditions } };
}

/** Sets, or shortens, the time by which the pod must have ended. */
export function updateEnding(record: PodRecord, now: number): void {
  const { pod } = record;
  const expired = deadlineOf(pod);
  if (expired !== undefined && expired <= now && !record.failure && !isTerminal(pod)) {
    const message = 'Pod was active on the node longer than the specified deadline';
    record.failure = { reason: 'DeadlineExceeded', message };
  }
  const deleted = record.gone || pod.metadata.deletionTimestamp !== undefined;
  if (!deleted && !record.failure) return;
  const grace = record.gone && pod.metadata.deletionTimestamp === undefined ? 0 : graceSeconds(pod);
  if (grace >= record.endingGrace) return;
  record.endingGrace = grace;
  record.ending = { deadline: Math.min(record.ending?.deadline ?? Infinity, now + grace * 1000) };
  record.abort.abort();
}

/** When activeDeadlineSeconds runs out. */
export function deadlineOf(pod: Pod): number | undefined {
  const { activeDeadlineSeconds } = pod.spec;
  const start = pod.status?.startTime;
  if (activeDeadlineSeconds === undefined || start === undefined) return undefined;
  return Date.parse(start) + activeDeadlineSeconds * 1000;
}

export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** A pod that only the runtime knows: deleted while this kubelet was away. Enough of it is made up to end it in order. */
export function orphan(runtime: RuntimePod): Pod {
  const names = [...new Set(runtime.containers.map(({ labels }) => labels[LABELS.containerName] ?? ''))];
  const seconds = Number(runtime.containers[0]?.annotations[ANNOTATIONS.podTerminationGracePeriod] ?? 30);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: runtime.name,
      namespace: runtime.namespace,
      uid: runtime.uid,
      deletionTimestamp: new Date(0).toISOString(),
      deletionGracePeriodSeconds: Number.isFinite(seconds) ? seconds : 30,
    },
    spec: { containers: names.map((name): Core.Container => ({ name })) },
  };
}
