/** The scheduler's shell: watches Pods and Nodes, decides, binds, and says so in conditions and events. */
import { isConflict, isNotFound } from '../api/api-error.ts';
import { NAMESPACES, NODES, PODS, type Kind } from '../api/kinds.ts';
import type { KubeObject, Node, Pod } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder, type EventRecorder } from '../client/events.ts';
import { startInformer } from '../client/informer.ts';
import { realClock, timestamp, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { WorkQueue, done, type Outcome } from '../lib/queue.ts';
import { ClusterState, podKey } from './cluster-state.ts';
import { decide } from './decide.ts';

const NAME = 'default-scheduler';
/** A Pod that found no Node is not tried again sooner, whatever happens meanwhile; in ms. */
const RETRY_PAUSE = 1000;
/** And is tried again after this long even if nothing seems to have changed; in ms. */
const RETRY_ANYWAY = 60_000;

export interface SchedulerOptions {
  readonly client: Client;
  readonly log: Log;
  readonly clock?: Clock;
  /** Pods that name another scheduler in `spec.schedulerName` are left alone. */
  readonly schedulerName?: string;
}

export interface Scheduler {
  readonly started: Promise<void>;
  stop(): Promise<void>;
}

export function runScheduler(options: SchedulerOptions): Scheduler {
  const scheduler = new Shell(options);
  return { started: scheduler.start(), stop: () => scheduler.stop() };
}

class Shell {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #events: EventRecorder;
  readonly #queue: WorkQueue;
  readonly #state = new ClusterState();
  /** Pods without a place -> when that was last found out. */
  readonly #waiting = new Map<string, number>();
  /** Those among them for which something has changed since. */
  readonly #hopeful = new Set<string>();
  readonly #pods;
  readonly #nodes;
  readonly #namespaces;
  #stopped = false;

  constructor({ client, log, clock = realClock, schedulerName = NAME }: SchedulerOptions) {
    const ownLog = log.child({ component: 'scheduler' });
    this.#client = client;
    this.#clock = clock;
    this.#name = schedulerName;
    this.#events = createEventRecorder(client, schedulerName);
    this.#pods = startInformer(client, PODS, {}, ownLog);
    this.#nodes = startInformer(client, NODES, {}, ownLog);
    this.#namespaces = startInformer(client, NAMESPACES, {}, ownLog);
    // Deciding is instant and never overlaps; what overlaps is the writing.
    this.#queue = new WorkQueue({ concurrency: 16, reconcile: (key) => this.#schedule(key), clock, log: ownLog });
  }

  async start(): Promise<void> {
    await Promise.all([this.#pods.synced, this.#nodes.synced, this.#namespaces.synced]);
    if (this.#stopped) return;
    this.#nodes.onChange((change) => {
      if (change.type === 'deleted') this.#state.removeNode(change.object.metadata.name);
      else this.#state.setNode(change.object);
      if (change.type !== 'updated' || nodeFacts(change.old) !== nodeFacts(change.object)) this.#retryWaiting();
    });
    this.#pods.onChange((change) => {
      const key = podKey(change.object);
      if (change.type === 'deleted') {
        this.#state.removePod(key);
        this.#forget(key);
        this.#retryWaiting();
        return;
      }
      this.#state.setPod(change.object);
      if (this.#isMine(change.object)) this.#queue.add(key);
      else if (change.type === 'updated' && podFacts(change.old) !== podFacts(change.object)) this.#retryWaiting();
    });
    this.#queue.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#queue.stop();
    for (const informer of [this.#pods, this.#nodes, this.#namespaces]) informer.stop();
  }

  #isMine(pod: Pod): boolean {
    return (
      (pod.spec.nodeName ?? '') === '' &&
      pod.metadata.deletionTimestamp === undefined &&
      pod.status?.phase !== 'Failed' &&
      pod.status?.phase !== 'Succeeded' &&
      (pod.spec.schedulerName ?? NAME) === this.#name
    );
  }

  #retryWaiting(): void {
    const now = this.#clock.now();
    for (const [key, since] of this.#waiting) {
      this.#hopeful.add(key);
      this.#queue.addAfter(key, Math.max(0, since + RETRY_PAUSE - now));
    }
  }

  #forget(key: string): void {
    this.#waiting.delete(key);
    this.#hopeful.delete(key);
  }

  async #schedule(key: string): Promise<Outcome> {
    const slash = key.indexOf('/');
    const pod = this.#pods.get(key.slice(slash + 1), key.slice(0, slash));
    if (!pod || !this.#isMine(pod) || this.#state.hasPod(pod)) {
      this.#forget(key);
      return done;
    }
    if ((pod.spec.schedulingGates ?? []).length > 0) {
      await this.#explain(pod, 'SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates');
      return done;
    }
    const since = this.#waiting.get(key);
    const pause = since === undefined ? 0 : since + RETRY_PAUSE - this.#clock.now();
    // Our own note on the Pod comes back as a change; and a timer may fire a moment early.
    if (pause > 0) return { retryAfter: this.#hopeful.has(key) ? pause : RETRY_ANYWAY };
    this.#hopeful.delete(key);
    const namespaceLabels = (namespace: string) => this.#namespaces.get(namespace)?.metadata.labels ?? {};
    const decision = decide(pod, { nodes: this.#state.nodes, namespaceLabels });
    if ('node' in decision) {
      this.#waiting.delete(key);
      return this.#bind(pod, decision.node);
    }
    this.#waiting.set(key, this.#clock.now());
    this.#events.event(pod, 'Warning', 'FailedScheduling', decision.unschedulable);
    await this.#explain(pod, 'Unschedulable', decision.unschedulable);
    return { retryAfter: RETRY_ANYWAY };
  }

  async #bind(pod: Pod, node: string): Promise<Outcome> {
    const { name, namespace = '', uid } = pod.metadata;
    this.#state.assume(pod, node);
    const binding: KubeObject & { target: object } = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, ...(uid !== undefined && { uid }) },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    try {
      await this.#client.create(PODS as Kind, binding, { subresource: 'binding' });
    } catch (error) {
      this.#state.forget(pod);
      // Gone, or somebody else was faster: the informer tells.
      if (isNotFound(error) || isConflict(error)) return done;
      throw error;
    }
    this.#events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
    return done;
  }

  /** Notes on the Pod why it waits, unless that is noted already. */
  async #explain(pod: Pod, reason: string, message: string): Promise<void> {
    const conditions = pod.status?.conditions ?? [];
    const before = conditions.find(({ type }) => type === 'PodScheduled');
    if (before?.status === 'False' && before.reason === reason && before.message === message) return;
    const lastTransitionTime =
      before?.status === 'False' && before.lastTransitionTime !== undefined
        ? before.lastTransitionTime
        : timestamp(this.#clock.now());
    const condition = { type: 'PodScheduled', status: 'False', reason, message, lastTransitionTime };
    const next = {
      ...pod,
      status: { ...pod.status, conditions: [...conditions.filter((c) => c !== before), condition] },
    };
    try {
      await this.#client.update(PODS, next, { subresource: 'status' });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }
}

/** Everything of a Node a decision may hang on; its heartbeat is not. */
function nodeFacts({ metadata, spec, status }: Node): string {
  return JSON.stringify([metadata.labels, spec?.taints, spec?.unschedulable, status?.allocatable]);
}

/** Everything of a placed Pod that may make room or company for another. */
function podFacts({ metadata, spec, status }: Pod): string {
  const over = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return JSON.stringify([metadata.labels, metadata.deletionTimestamp !== undefined, spec.nodeName, over]);
}
