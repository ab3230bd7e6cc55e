/** The shell of the proxy: watches the API, feeds one FamilyProxy per address family, and keeps the kernel of one node in step. */
import { ENDPOINT_SLICES, NODES, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, Node, Service } from '../api/types.ts';
import type { Change, Informer } from '../client/client.ts';
import { startInformer } from '../client/informer.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { assemble } from './assemble.ts';
import type { FamilyProxy, FamilySync } from './family-proxy.ts';
import { ProxyMetrics } from './metrics.ts';
import { familiesOf, planOptionsOf, type ProxyOptions } from './options.ts';
import { Pacer } from './pacer.ts';
import type { PlanNode } from './plan/types.ts';
import { answerHealth, answerMetrics, ProxyServers } from './serve.ts';
import { ServiceCIDRWatch } from './service-cidrs.ts';
import { slim } from './slim.ts';
import { sayStarting } from './starting-event.ts';
import { SERVICE_SELECTOR, SLICE_SELECTOR } from './watched.ts';

export interface RunningProxy {
  /** Rules stay: traffic goes on, and the next proxy adopts them (trap T12). */
  stop(): Promise<void>;
  /** Resolves after the first sync that wrote what the API said. */
  readonly synced: Promise<void>;
  /** ms since the epoch; 0 before the first. */
  readonly lastSyncAt: number;
}

/** Begins at once; trouble with the machine is logged and tried again. Throws RangeError on options that make no sense. */
export function runProxy(options: ProxyOptions): RunningProxy {
  for (const family of familiesOf(options)) planOptionsOf(options, { family, dropInvalid: false });
  const proxy = new Proxy(options);
  proxy.start();
  return proxy;
}

class Proxy implements RunningProxy {
  readonly synced: Promise<void>;
  readonly #options: ProxyOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #nodes: Informer<Node>;
  readonly #serviceCIDRs: ServiceCIDRWatch;
  readonly #metrics = new ProxyMetrics();
  readonly #pacer: Pacer;
  readonly #servers: ProxyServers;
  /** One for each address family, once the machine is prepared. */
  #families: readonly FamilyProxy[] = [];
  #dropInvalid = false;
  #node: PlanNode;
  #podCIDRs = '';
  #markSynced = () => {};
  #waitingSince: number | undefined;
  /** Times at which changes of endpoints became true, not yet in force. */
  #triggers: number[] = [];
  #problems = '';
  #stopped = false;
  #cancels = new Set<() => void>();
  #unwatch: (() => void)[] = [];
  #checking: Promise<void> = Promise.resolve();

  constructor(options: ProxyOptions) {
    const { client, log, clock = realClock, nodeName } = options;
    this.#options = options;
    this.#log = log;
    this.#clock = clock;
    this.#node = { name: nodeName, ips: options.nodeIps, labels: {} };
    const services = { labelSelector: SERVICE_SELECTOR, transform: slim<Service> };
    const slices = { labelSelector: SLICE_SELECTOR, transform: slim<EndpointSlice> };
    this.#services = startInformer(client, SERVICES, services, log, { clock });
    this.#slices = startInformer(client, ENDPOINT_SLICES, slices, log, { clock });
    this.#nodes = startInformer(client, NODES, { fieldSelector: `metadata.name=${nodeName}` }, log, { clock });
    this.#serviceCIDRs = new ServiceCIDRWatch(client, log, clock, () => {
      this.#contextChanged();
    });
    this.synced = new Promise((resolve) => (this.#markSynced = resolve));
    this.#servers = new ProxyServers(log, clock);
    this.#pacer = new Pacer({
      clock,
      minInterval: options.minSyncPeriod ?? 0,
      maxRetry: options.syncPeriod ?? 30_000,
      run: () => this.#sync(),
      onError: (error) => {
        this.#metrics.restoreFailures++;
        log.error({ err: error }, 'rules could not be written; will try again');
      },
    });
  }

  get lastSyncAt(): number {
    return this.#metrics.lastSyncAt;
  }

  start(): void {
    this.#nodes.onChange((change) => {
      this.#nodeChanged(change.object);
    });
    void Promise.all([this.#services.synced, this.#slices.synced, this.#serviceCIDRs.looked]).then(() => {
      this.#changed();
    });
    this.#listen();
    void sayStarting(this.#options.client, this.#options.nodeName, this.#clock).catch((error: unknown) => {
      this.#log.debug({ err: error }, 'the event "Starting" could not be written');
    });
    this.#every(this.#options.flushCheckPeriod ?? 1000, () => this.#lookForFlush());
    this.#every(this.#options.syncPeriod ?? 30_000, () => {
      for (const family of this.#families) family.backend.distrust();
      if (this.#families.length > 0) this.#pacer.trigger();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
    for (const stop of this.#unwatch) stop();
    for (const informer of [this.#services, this.#slices, this.#nodes, this.#serviceCIDRs]) informer.stop();
    this.#servers.stop();
    await this.#pacer.stop();
    await this.#checking;
    await Promise.all(this.#families.map((family) => family.backend.stop()));
  }

  #changed(): void {
    // 3-001: half a picture would take away good rules
    if (!this.#services.hasSynced || !this.#slices.hasSynced || !this.#serviceCIDRs.hasLooked) return;
    this.#metrics.lastQueuedAt = this.#clock.now();
    this.#waitingSince ??= this.#clock.now();
    this.#pacer.trigger();
  }

  #serviceChanged({ type, object }: Change<Service>): void {
    this.#metrics.serviceChanges++;
    this.#metrics.pendingServiceChanges++;
    for (const family of this.#families) family.setService(object, type === 'deleted');
    this.#changed();
  }

  #sliceChanged({ type, object }: Change<EndpointSlice>): void {
    this.#metrics.endpointChanges++;
    this.#metrics.pendingEndpointChanges++;
    const text = object.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time'];
    const time = text === undefined ? NaN : Date.parse(text);
    if (this.lastSyncAt > 0 && !Number.isNaN(time)) this.#triggers.push(time);
    for (const family of this.#families) family.setSlice(object, type === 'deleted');
    this.#changed();
  }

  /** Status changes come every few seconds and mean nothing here; other labels or Pod ranges make all be planned again. */
  #nodeChanged(node: Node): void {
    const labels = node.metadata.labels ?? {};
    const podCIDRs = JSON.stringify(node.spec?.podCIDRs ?? node.spec?.podCIDR);
    if (JSON.stringify(labels) === JSON.stringify(this.#node.labels) && podCIDRs === this.#podCIDRs) return;
    this.#node = { ...this.#node, labels };
    this.#podCIDRs = podCIDRs;
    this.#contextChanged();
  }

  #contextChanged(): void {
    for (const family of this.#families) family.setContext(this.#node, this.#planOptions(family.family));
    this.#changed();
  }

  #planOptions(family: FamilyProxy['family']) {
    const node = this.#nodes.get(this.#node.name);
    const serviceCIDRs = this.#serviceCIDRs.ranges();
    return planOptionsOf(this.#options, { family, dropInvalid: this.#dropInvalid, node, serviceCIDRs });
  }

  async #sync(): Promise<void> {
    const since = this.#waitingSince;
    const triggers = this.#triggers;
    this.#waitingSince = undefined;
    this.#triggers = [];
    this.#metrics.pendingServiceChanges = 0;
    this.#metrics.pendingEndpointChanges = 0;
    try {
      if (this.#families.length === 0) await this.#prepare();
      const start = this.#clock.now();
      const results = await Promise.all(this.#families.map((family) => family.sync()));
      this.#report(results, start, triggers);
      this.#markSynced();
      const isFull = results.some((one) => one.kind === 'full');
      for (const family of this.#families) await this.#keepFlows(family, isFull);
    } catch (error) {
      this.#waitingSince = since ?? this.#waitingSince ?? this.#clock.now();
      throw error;
    }
  }

  /** Flows that cannot be cleaned hurt some UDP clients until they expire; rules that are not written hurt everybody. */
  async #keepFlows(family: FamilyProxy, always: boolean): Promise<void> {
    try {
      this.#metrics.deletedFlows += await family.keepFlows(always);
    } catch (error) {
      this.#log.warn({ err: error, family: family.family }, 'stale UDP flows could not be deleted');
    }
  }

  #report(results: readonly FamilySync[], start: number, triggers: readonly number[]): void {
    const metrics = this.#metrics;
    const now = this.#clock.now();
    const seconds = (now - start) / 1000;
    const kind = results.some((one) => one.kind === 'full') ? 'full' : 'partial';
    metrics.lastSyncAt = now;
    metrics.sync.observe(seconds);
    (kind === 'full' ? metrics.fullSync : metrics.partialSync).observe(seconds);
    for (const time of triggers) metrics.programming.observe(Math.max(0, now - time) / 1000);
    const tallies = this.#families.map((family) => family.tally.noLocalEndpoints);
    metrics.noLocalEndpoints = {
      internal: tallies.reduce((sum, one) => sum + one.internal, 0),
      external: tallies.reduce((sum, one) => sum + one.external, 0),
    };
    const changes = results.reduce((sum, one) => sum + one.changes, 0);
    if (changes > 0) this.#log.debug({ kind, changes, ms: now - start }, 'rules written');
    const problems = results.flatMap((one) => one.problems);
    const text = JSON.stringify(problems);
    if (text === this.#problems) return;
    this.#problems = text;
    for (const problem of problems) this.#log.warn({ ...problem }, 'left out of the rules');
  }

  /** Begins to follow Services and slices: whoever subscribes late is told of all that are there. */
  async #prepare(): Promise<void> {
    const families = await assemble(this.#options, this.#node, (family, dropInvalid) => {
      this.#dropInvalid = dropInvalid;
      return this.#planOptions(family);
    });
    if (this.#stopped) return;
    this.#families = families;
    for (const { backend } of families) {
      const stop = backend.watch?.(() => {
        void this.#lookForFlush();
      });
      if (stop) this.#unwatch.push(stop);
    }
    this.#services.onChange((change) => {
      this.#serviceChanged(change);
    });
    this.#slices.onChange((change) => {
      this.#sliceChanged(change);
    });
  }

  async #lookForFlush(): Promise<void> {
    if (this.lastSyncAt === 0) return;
    for (const { backend, family } of this.#families) {
      try {
        if (await backend.isIntact()) continue;
      } catch (error) {
        this.#log.debug({ err: error, family }, 'could not look whether the rules are still there');
        continue;
      }
      this.#metrics.foreignFlushes++;
      this.#log.warn({ family }, 'another program took our rules away; writing all of them again');
      backend.distrust();
      this.#pacer.trigger();
    }
  }

  /** Runs again `ms` after it ended, later where that would take more than one hundredth of the time; until stopped. */
  #every(period: number, task: () => Promise<void> | void, wait = period): void {
    const cancel = this.#clock.after(
      wait,
      () => {
        this.#cancels.delete(cancel);
        if (this.#stopped) return;
        const start = this.#clock.now();
        this.#checking = Promise.resolve(task()).then(() => {
          if (!this.#stopped) this.#every(period, task, Math.max(period, 99 * (this.#clock.now() - start)));
        });
      },
      true,
    );
    this.#cancels.add(cancel);
  }

  #listen(): void {
    const { healthzBindAddress = '0.0.0.0:10256', metricsBindAddress = '127.0.0.1:10249', mode } = this.#options;
    this.#servers.listen(healthzBindAddress, (path) =>
      answerHealth(path, {
        now: this.#clock.now(),
        lastSyncAt: this.lastSyncAt,
        waitingSince: this.#waitingSince,
        nodeEligible: isEligible(this.#nodes, this.#options.nodeName),
        patience: 2 * (this.#options.syncPeriod ?? 30_000),
      }),
    );
    this.#servers.listen(metricsBindAddress, (path) => answerMetrics(path, mode, () => this.#metrics.render()));
  }
}

function isEligible(nodes: Informer<Node>, name: string): boolean {
  const node = nodes.get(name);
  if (!node) return !nodes.hasSynced;
  const taints = node.spec?.taints ?? [];
  return (
    node.metadata.deletionTimestamp === undefined &&
    !taints.some((taint) => taint.key === 'ToBeDeletedByClusterAutoscaler')
  );
}
