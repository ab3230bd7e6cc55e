/**
 * Brings the pods of this node to life and to their end. One look at one pod: observe the runtime, plan, start what is planned, report.
 * Work that takes time runs beside; when it is done the pod is looked at again.
 */
import { ApiError } from '../api/api-error.ts';
import { PODS } from '../api/kinds.ts';
import type { Pod } from '../api/types.ts';
import { removeCgroup } from '../host/cgroups.ts';
import { done, retryAfter, WorkQueue } from '../lib/queue.ts';
import type { Outcome } from '../lib/queue.ts';
import { containersOf, podTitle } from './containers.ts';
import type { ContainerRecord, PodLookup, ProbeTarget } from './parts.ts';
import { plan, taskKey } from './plan.ts';
import type { Action, Plan } from './plan.ts';
import { environmentContext, podIPsOf } from './pod-context.ts';
import type { PodContext } from './pod-context.ts';
import { removePodFiles } from './pod-files.ts';
import { deadlineOf, isTerminal, newRecord, orphan, takeIn, updateEnding } from './pod-record.ts';
import type { PodRecord } from './pod-record.ts';
import { perform, removeSandbox, Reported, VOLUME_REFRESH } from './pod-tasks.ts';
import type { TaskScope } from './pod-tasks.ts';
import { RuntimeCache } from './runtime-cache.ts';
import { currentSandbox, newestContainer, previousContainer } from './runtime-view.ts';
import { podCgroup, podLogDirectory } from './sandbox.ts';
import { StatusWriter } from './status-writer.ts';
import { computeStatus } from './status.ts';
import { lastWords } from './termination-message.ts';

const FINISH = 'finish';
const DELETE_AGAIN = 5000;

/** Milliseconds between two listings of the runtime; what is done here is seen at once anyway. */
const RELIST_PERIOD = 1000;

export class PodWorker implements PodLookup {
  readonly #context: PodContext;
  readonly #records = new Map<string, PodRecord>();
  readonly #cache: RuntimeCache;
  readonly #queue: WorkQueue;
  readonly #writer: StatusWriter;
  readonly #startedAt: number;
  #firstLook = true;
  #stopped = false;
  #cancelRelist: () => void = () => undefined;

  constructor(context: PodContext) {
    const { cri, clock, log } = context;
    this.#context = context;
    this.#startedAt = clock.now();
    this.#cache = new RuntimeCache({
      cri,
      lastWords,
      onChange: (uids) => {
        for (const uid of uids) this.#queue.add(uid);
      },
    });
    this.#queue = new WorkQueue({ concurrency: Infinity, reconcile: (uid) => this.#reconcile(uid), clock, log });
    this.#writer = new StatusWriter(context);
    context.probes.onResult((uid) => {
      this.#queue.add(uid);
    });
  }

  /** `pods`: all that are bound to this node. Containers that run already are taken over; those of pods that are gone end. */
  async start(pods: readonly Pod[]): Promise<void> {
    await this.#fresh();
    for (const pod of pods) this.update(pod);
    this.#firstLook = false;
    for (const uid of this.#cache.uids()) if (!this.#records.has(uid)) this.#adoptOrphan(uid);
    const left = await this.#context.volumes.listPods();
    for (const uid of left) if (!this.#records.has(uid)) await this.#context.volumes.cleanUp(uid);
    this.#queue.start();
    this.#scheduleRelist();
  }

  update(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const record = this.#records.get(uid);
    if (record) takeIn(record, pod);
    else this.#records.set(uid, newRecord(pod, this.#cache.get(uid), this.#firstLook));
    this.#writer.observe(pod);
    this.#queue.add(uid);
  }

  /** The API server has no such pod any more. */
  remove(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const record = this.#records.get(uid);
    if (!record) return;
    record.gone = true;
    record.retryAt.delete(FINISH);
    this.#writer.forget(uid);
    this.#queue.add(uid);
  }

  /** Leaves every container running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRelist();
    this.#writer.stop();
    await this.#queue.stop();
  }

  list(): Pod[] {
    return [...this.#records.values()].map(({ pod }) => pod);
  }

  get(namespace: string, name: string): Pod | undefined {
    return this.list().find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  }

  sandboxId(podUid: string): string | undefined {
    return currentSandbox(this.#cache.get(podUid))?.id;
  }

  container(podUid: string, name: string, previous = false): ContainerRecord | undefined {
    const runtime = this.#cache.get(podUid);
    const found = previous ? previousContainer(runtime, name) : newestContainer(runtime, name);
    return found && { id: found.id, name, state: found.state, logPath: found.logPath };
  }

  /** Running containers with their log files, for rotation. */
  running(): { id: string; logPath: string }[] {
    return this.#cache
      .uids()
      .flatMap((uid) => this.#cache.get(uid).containers.filter(({ state }) => state === 'RUNNING'));
  }

  #adoptOrphan(uid: string): void {
    const record = newRecord(orphan(this.#cache.get(uid)), this.#cache.get(uid), true);
    record.gone = true;
    this.#records.set(uid, record);
    this.#queue.add(uid);
  }

  #scheduleRelist(): void {
    if (this.#stopped) return;
    this.#cancelRelist = this.#context.clock.after(RELIST_PERIOD, () => {
      void this.#cache
        .relist()
        .catch((error: unknown) => {
          this.#context.log.warn({ err: error }, 'the container runtime does not answer');
        })
        .then(() => {
          this.#scheduleRelist();
        });
    });
  }

  /** Resolves once the runtime was listed anew, however long that takes: what is planned on an old copy would be done twice. */
  async #fresh(): Promise<void> {
    for (;;) {
      try {
        await this.#cache.relist();
        return;
      } catch (error) {
        if (this.#stopped) return;
        this.#context.log.warn({ err: error }, 'the container runtime does not answer');
        await new Promise<void>((resolve) => this.#context.clock.after(500, resolve));
      }
    }
  }

  async #reconcile(uid: string): Promise<Outcome> {
    const record = this.#records.get(uid);
    if (!record || record.finalized) return done;
    const now = this.#context.clock.now();
    updateEnding(record, now);
    const next = this.#plan(record, now);
    this.#syncProbes(record);
    this.#report(record, next, now);
    for (const action of next.actions) this.#begin(record, action);
    this.#beginRefresh(record, now);
    if (next.ended && (record.gone || record.pod.metadata.deletionTimestamp !== undefined)) this.#finish(record);
    // A pod that ends is not refreshed any more, and one that is being refreshed is looked at when that is done.
    const refreshAt = record.ending || record.busy.has('refresh') ? Infinity : record.refreshAt;
    const wakeAt = Math.min(
      next.wakeAt ?? Infinity,
      refreshAt,
      record.retryAt.get(FINISH) ?? Infinity,
      isTerminal(record.pod) ? Infinity : (deadlineOf(record.pod) ?? Infinity),
    );
    return wakeAt === Infinity ? done : retryAfter(Math.max(1, wakeAt - now));
  }

  #plan(record: PodRecord, now: number): Plan {
    const { probes } = this.#context;
    return plan({
      ...record,
      runtime: this.#cache.get(record.uid),
      probes: (id) => probes.results(id),
      volumesReady: record.volumes !== undefined,
      now,
    });
  }

  #syncProbes(record: PodRecord): void {
    const { pod, ending } = record;
    const runtime = this.#cache.get(record.uid);
    const running = containersOf(pod).flatMap(({ spec, role }): ProbeTarget[] => {
      const found = role === 'init' ? undefined : newestContainer(runtime, spec.name);
      return found?.state === 'RUNNING' ? [{ container: spec, containerId: found.id, startedAt: found.startedAt }] : [];
    });
    const podIP = podIPsOf(this.#context, pod, runtime)[0] ?? '';
    this.#context.probes.sync(pod, podIP, running, {
      terminating: ending !== undefined,
      adopted: record.adopted && running.every(({ startedAt }) => startedAt < this.#startedAt),
    });
  }

  #report(record: PodRecord, next: Plan, now: number): void {
    const { probes, node } = this.#context;
    const delays = new Map([...next.backingOff.keys()].map((name) => [name, record.restarts.get(name)?.delay ?? 0]));
    const status = computeStatus({
      ...record,
      runtime: this.#cache.get(record.uid),
      probes: (id) => probes.results(id),
      backingOff: delays,
      ended: next.ended,
      nodeIPs: node.ips,
      now,
    });
    for (const [name, at] of next.backingOff) this.#reportBackOff(record, name, at);
    record.pod = { ...record.pod, status };
    if (!record.gone) this.#writer.set(record.uid, status);
  }

  #reportBackOff(record: PodRecord, name: string, at: number): void {
    if (record.reported.get(name) === at) return;
    record.reported.set(name, at);
    const message = `Back-off restarting failed container ${name} in pod ${podTitle(record.pod)}`;
    this.#context.event(record.pod, 'Warning', 'BackOff', message, name);
  }

  #begin(record: PodRecord, action: Action): void {
    const scope = this.#scope(record);
    this.#run(record, keyOf(action), action.do === 'killContainer' ? action.deadline : 0, () => perform(scope, action));
  }

  #scope(record: PodRecord): TaskScope {
    return {
      context: this.#context,
      record,
      runtime: () => this.#cache.get(record.uid),
      refresh: async () => {
        await this.#fresh();
        this.#queue.add(record.uid);
      },
    };
  }

  #run(record: PodRecord, key: string, value: number, work: () => Promise<void>): void {
    record.busy.set(key, value);
    record.retryAt.delete(key);
    const run = async () => {
      try {
        await work();
        record.retries.reset(key);
      } catch (error) {
        record.retryAt.set(key, this.#context.clock.now() + record.retries.next(key));
        if (!(error instanceof Reported))
          this.#context.log.warn(
            { pod: podTitle(record.pod), task: key, err: error },
            'pod task failed, will try again',
          );
      }
      await this.#fresh();
      if (record.busy.get(key) === value) record.busy.delete(key);
      this.#queue.add(record.uid);
    };
    void run();
  }

  #beginRefresh(record: PodRecord, now: number): void {
    if (now < record.refreshAt || record.ending || record.busy.has('refresh')) return;
    record.refreshAt = isTerminal(record.pod) ? Infinity : now + VOLUME_REFRESH;
    const podIPs = podIPsOf(this.#context, record.pod, this.#cache.get(record.uid));
    const { volumes } = this.#context;
    this.#run(record, 'refresh', 0, () => volumes.refresh(record.pod, environmentContext(this.#context, podIPs)));
  }

  /** Nothing runs any more: give back what the pod held, then let the API server forget it (7-029). */
  #finish(record: PodRecord): void {
    const now = this.#context.clock.now();
    if (record.busy.size > 0 || (record.retryAt.get(FINISH) ?? 0) > now) return;
    this.#run(record, FINISH, 0, async () => {
      const { volumes, probes, log } = this.#context;
      await volumes.cleanUp(record.uid);
      probes.remove(record.uid);
      if (!record.gone) {
        await this.#writer.flushed(record.uid);
        await this.#deleteObject(record);
        // The watch will say that it is gone; should it stay (a finalizer), ask again now and then.
        record.retryAt.set(FINISH, this.#context.clock.now() + DELETE_AGAIN);
        return;
      }
      for (const { id } of this.#cache.get(record.uid).sandboxes) await removeSandbox(this.#context.cri, id);
      await removePodFiles(this.#context, record.uid, podLogDirectory(this.#context.node.podLogsDir, record.pod));
      if (!(await removeCgroup(podCgroup(this.#context.node.cgroupRoot, record.uid))))
        log.warn({ pod: podTitle(record.pod) }, 'a control group of the pod is still busy');
      record.finalized = true;
      this.#records.delete(record.uid);
    });
  }

  async #deleteObject({ pod, uid }: PodRecord): Promise<void> {
    const { name, namespace } = pod.metadata;
    try {
      await this.#context.client.delete(PODS, name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      if (!(error instanceof ApiError) || (error.reason !== 'NotFound' && error.reason !== 'Conflict')) throw error;
    }
  }
}

function keyOf(action: Action): string {
  switch (action.do) {
    case 'mountVolumes':
      return taskKey.volumes;
    case 'createSandbox':
      return taskKey.sandbox;
    case 'startContainer':
      return taskKey.start(action.name);
    case 'killContainer':
    case 'stopSandbox':
      return taskKey.kill(action.id);
    case 'removeContainer':
    case 'removeSandbox':
      return taskKey.remove(action.id);
  }
}
