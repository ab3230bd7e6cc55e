/**
 * Keeps the kernel in step for one address family: opens what writes its rules, syncs at its own pace, and keeps the books. Families
 * run beside each other: one that cannot be written, or not even opened, never holds up the other (3-028).
 */
import type { EndpointSlice, Service } from '../api/types.ts';
import type { Informer } from '../client/client.ts';
import type { Clock } from '../lib/clock.ts';
import type { Family } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import type { OpenedFamily } from './assemble.ts';
import { Complaint } from '../lib/complaint.ts';
import { FamilyProxy, type FamilySync, type PlanContext } from './family-proxy.ts';
import type { HealthBook } from './faces/health.ts';
import type { ProxyMetrics } from './faces/metrics.ts';
import { Pacer } from './pacer.ts';
import type { PlanFollower, PlanProblem } from './plan/types.ts';
import { TriggerTimes } from './trigger-times.ts';

export interface FamilyRunnerParts {
  readonly family: Family;
  /** Where it cannot be opened the proxy goes on without it, and tries again. */
  readonly isOptional: boolean;
  readonly open: () => Promise<OpenedFamily>;
  /** Asked whenever it may be another, and once the family is open. */
  readonly context: () => PlanContext;
  readonly followers: () => readonly PlanFollower[];
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly health: HealthBook;
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  readonly clock: Clock;
  /** ms. */
  readonly minSyncPeriod: number;
  readonly syncPeriod: number;
  /** After each sync that worked, and when it turned out that the proxy must go on without this family. */
  readonly onSettled: () => void;
}

export class FamilyRunner {
  readonly family: Family;
  /** What was left out of the rules in force, and why. The same array until that changes. */
  problems: readonly PlanProblem[] = [];
  readonly #parts: FamilyRunnerParts;
  readonly #pacer: Pacer;
  readonly #triggers: TriggerTimes;
  readonly #unwritten: Complaint;
  readonly #staleFlows: Complaint;
  readonly #flushed: Complaint;
  #proxy: FamilyProxy | undefined;
  #unsubscribe: (() => void)[] = [];
  #state: 'waiting' | 'leftOut' | 'open' | 'synced' = 'waiting';
  /** Counts syncs begun; and up to which of them rules were known to be taken away. */
  #begun = 0;
  #tamperedIn: number | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #isWatched = false;
  #stopped = false;

  constructor(parts: FamilyRunnerParts) {
    const { clock } = parts;
    this.#parts = parts;
    this.family = parts.family;
    this.#triggers = new TriggerTimes(clock.now());
    this.#unwritten = new Complaint(clock);
    this.#staleFlows = new Complaint(clock);
    this.#flushed = new Complaint(clock);
    this.#pacer = new Pacer({
      clock,
      minInterval: parts.minSyncPeriod,
      maxRetry: parts.syncPeriod,
      run: () => this.#run(),
      onError: (error) => {
        this.#failed(error);
      },
    });
  }

  /** Its rules were in force once, or there is no hope that they soon are. */
  get isSettled(): boolean {
    return this.#state === 'synced' || this.#state === 'leftOut';
  }

  get hasSynced(): boolean {
    return this.#state === 'synced';
  }

  get backend(): FamilyProxy['backend'] | undefined {
    return this.#proxy?.backend;
  }

  /** The kernel tells when somebody touches the rules. */
  get isWatched(): boolean {
    return this.#isWatched;
  }

  /** To be called once both lists are there: half a picture would take away good rules (3-001). */
  begin(): void {
    this.#changed();
  }

  /** Node or options are others. */
  contextChanged(): void {
    if (!this.#proxy) return;
    this.#proxy.setContext(this.#parts.context());
    this.#changed();
  }

  /** Looks at the whole rule set with the next sync, which comes at once. */
  distrust(): void {
    if (!this.#proxy) return;
    this.#proxy.backend.distrust();
    this.#pacer.trigger();
  }

  /** Mends what another program took away. Never rejects. */
  lookForFlush(): Promise<void> {
    this.#lookAgain = true;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#pacer.stop();
    await this.#looking;
    await this.#proxy?.stop();
  }

  #changed(): void {
    const now = this.#parts.clock.now();
    this.#parts.metrics.queued(now, this.family);
    this.#parts.health.queued(now, this.family);
    this.#pacer.trigger();
  }

  async #run(): Promise<void> {
    const proxy = this.#proxy ?? (await this.#open());
    if (this.#stopped) return;
    const { health, metrics, clock, onSettled } = this.#parts;
    const start = clock.now();
    const begun = ++this.#begun;
    const triggers = this.#triggers.take();
    health.begun(this.family);
    metrics.begun(this.family);
    let result: FamilySync;
    try {
      result = await proxy.sync();
    } catch (error) {
      this.#triggers.giveBack(triggers);
      throw error;
    }
    const now = clock.now();
    const { log } = this.#parts;
    if (this.#unwritten.clear()) log.info({ family: this.family }, 'rules are written again');
    if (this.#tamperedIn !== undefined && this.#tamperedIn < begun) this.#tamperedIn = undefined;
    this.#state = 'synced';
    health.succeeded(this.family, now);
    const delays = triggers.map((time) => Math.max(0, now - time) / 1000);
    metrics.synced(this.family, result, (now - start) / 1000, now, delays);
    metrics.noLocalEndpoints(this.family, proxy.tally.noLocalEndpoints);
    const { kind, changes } = result;
    if (changes > 0) log.debug({ family: this.family, kind, changes, ms: now - start }, 'rules written');
    this.problems = result.problems;
    onSettled();
    await this.#keepFlows(proxy, kind === 'full');
  }

  #failed(error: unknown): void {
    const { family, isOptional, log, health, metrics, clock, onSettled } = this.#parts;
    const isClosed = this.#proxy === undefined;
    health.failed(family, clock.now());
    if (!isClosed) metrics.failed(family);
    const what = isClosed ? `rules of ${family} cannot be written on this machine` : 'rules could not be written';
    const without = isClosed && isOptional ? ', going on without them' : '';
    this.#unwritten.raise(`${what} ${error instanceof Error ? error.message : String(error)}`, (repeats) => {
      log.error({ err: error, family, ...(repeats > 0 && { repeats }) }, `${what}${without}; will try again`);
    });
    if (!isClosed || !isOptional || this.#state === 'leftOut') return;
    this.#state = 'leftOut';
    health.leaveOut(family);
    onSettled();
  }

  /** Begins to follow Services and slices: whoever subscribes late is told of all that are there. */
  async #open(): Promise<FamilyProxy> {
    const { family, open, context, followers, services, slices, health, metrics } = this.#parts;
    const opened = await open();
    const proxy = new FamilyProxy({ family, context: context(), ...opened, followers: followers() });
    // whoever stops meanwhile finds it there, and ends it
    this.#proxy = proxy;
    if (this.#stopped) return proxy;
    this.#state = 'open';
    health.takeIn(family);
    // those that are there are part of the sync under way
    let isLate = false;
    const stopServices = services.onChange(({ type, object }) => {
      proxy.setService(object, type === 'deleted');
      metrics.serviceChanged(family);
      if (isLate) this.#changed();
    });
    const stopSlices = slices.onChange((change) => {
      if (change.object.addressType !== family) return;
      proxy.setSlice(change.object, change.type === 'deleted');
      metrics.endpointsChanged(family);
      if (!isLate) return;
      this.#triggers.add(change);
      this.#changed();
    });
    isLate = true;
    this.#unsubscribe = [stopServices, stopSlices, this.#watch(proxy)];
    return proxy;
  }

  /** What the kernel will not tell is found by looking. */
  #watch({ backend }: FamilyProxy): () => void {
    try {
      const stop = backend.watch?.(() => void this.lookForFlush());
      this.#isWatched = stop !== undefined;
      if (stop) return stop;
    } catch (error) {
      this.#parts.log.warn({ err: error, family: this.family }, 'the kernel will not tell who touches our rules');
    }
    return () => undefined;
  }

  /** Flows that cannot be cleaned hurt some UDP clients until they expire; rules that are not written hurt everybody. */
  async #keepFlows(proxy: FamilyProxy, always: boolean): Promise<void> {
    const { family, metrics, clock, log } = this.#parts;
    const start = clock.now();
    try {
      const deleted = await proxy.keepFlows(always);
      metrics.flowsReconciled(family, deleted, (clock.now() - start) / 1000);
      this.#staleFlows.clear();
    } catch (error) {
      this.#staleFlows.raise(error instanceof Error ? error.message : String(error), (repeats) => {
        log.warn({ err: error, family, ...(repeats > 0 && { repeats }) }, 'stale UDP flows could not be deleted');
      });
    }
  }

  /** Once more where it was asked for meanwhile: what was read may be older than that. */
  async #look(): Promise<void> {
    const { family, log, metrics } = this.#parts;
    while (this.#lookAgain && !this.#stopped) {
      this.#lookAgain = false;
      // before the first sync nothing is there; and what is known to be gone is being written
      if (!this.#proxy || !this.hasSynced || this.#tamperedIn !== undefined) continue;
      try {
        if (await this.#proxy.backend.isIntact()) continue;
      } catch (error) {
        log.debug({ err: error, family }, 'could not look whether the rules are still there');
        continue;
      }
      metrics.flushed(family);
      // one that does so all the time would fill the log
      const text = 'another program took our rules away; writing all of them again';
      this.#flushed.raise(text, (repeats) => {
        log.warn({ family, ...(repeats > 0 && { repeats }) }, text);
      });
      this.#tamperedIn = this.#begun;
      this.distrust();
    }
  }
}
