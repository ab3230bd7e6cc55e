/** The shell of the proxy: watches the API, and keeps the kernel of one node in step by one FamilyRunner for each address family. */
import { ENDPOINT_SLICES, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, Service } from '../api/types.ts';
import type { Informer } from '../client/client.ts';
import { createEventRecorder, type EventRecorder } from '../client/events.ts';
import { startInformer } from '../client/informer.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Family } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import { openFamily, prepareMachine, type OpenedFamily } from './assemble.ts';
import { cleanup } from './cleanup.ts';
import type { PlanContext } from './family-proxy.ts';
import { FamilyRunner } from './family-runner.ts';
import { HealthBook } from './faces/health.ts';
import { HealthCheckPorts } from './faces/health-check-ports.ts';
import type { PreparedKernel } from './settings/kernel-settings.ts';
import { ProxyMetrics } from './faces/metrics.ts';
import { NodeWatch } from './node-watch.ts';
import { familiesOf, planOptionsOf, type ProxyOptions } from './options.ts';
import { nodePortsOf } from './plan/node-ports.ts';
import type { PlanFollower } from './plan/types.ts';
import { answerHealth, answerMetrics, ProxyServers } from './faces/serve.ts';
import { renderProcessMetrics } from '../lib/process-metrics.ts';
import { ServiceCIDRWatch } from './service-cidrs.ts';
import { ServiceEvents } from './faces/service-events.ts';
import { slim } from './slim.ts';
import { sayStarting } from './faces/starting-event.ts';
import { LoopbackRelays } from './userspace/loopback.ts';
import { SERVICE_SELECTOR, SLICE_SELECTOR } from './watched.ts';

export interface RunningProxy {
  /** Rules stay: traffic goes on, and the next proxy adopts them (trap T12). */
  stop(): Promise<void>;
  /** Resolves after the first sync of every family this machine can have: the kernel does what the API said. */
  readonly synced: Promise<void>;
  /** ms since the epoch, of any family; 0 before the first. */
  readonly lastSyncAt: number;
}

/** Begins at once; trouble with the machine is logged and tried again. Throws RangeError on options that make no sense. */
export function runProxy(options: ProxyOptions): RunningProxy {
  for (const family of familiesOf(options)) planOptionsOf(options, { family, dropInvalid: false });
  const proxy = new Proxy(options);
  proxy.start();
  return proxy;
}

/** ms between looks for a foreign flush, and how many times that where the kernel tells of one. */
const LOOK_MS = 100;
const SELDOM = 10;

class Proxy implements RunningProxy {
  readonly synced: Promise<void>;
  readonly #options: ProxyOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #node: NodeWatch;
  readonly #serviceCIDRs: ServiceCIDRWatch;
  readonly #metrics: ProxyMetrics;
  readonly #health: HealthBook;
  readonly #recorder: EventRecorder;
  readonly #events: ServiceEvents;
  readonly #servers: ProxyServers;
  /** One for each address family, the primary first. */
  readonly #families: readonly FamilyRunner[];
  #machine: Promise<PreparedKernel> | undefined;
  #dropInvalid = false;
  #markSynced = () => {};
  #lastSyncAt = 0;
  #stopped = false;
  #cancels = new Set<() => void>();
  #cleaning: Promise<void> | undefined;
  #rendering: Promise<string> | undefined;

  constructor(options: ProxyOptions) {
    const { client, log, clock = realClock, nodeName } = options;
    this.#options = options;
    this.#log = log;
    this.#clock = clock;
    const services = { labelSelector: SERVICE_SELECTOR, transform: slim<Service> };
    const slices = { labelSelector: SLICE_SELECTOR, transform: slim<EndpointSlice> };
    const onChange = () => {
      for (const family of this.#families) family.contextChanged();
    };
    this.#services = startInformer(client, SERVICES, services, log, { clock });
    this.#slices = startInformer(client, ENDPOINT_SLICES, slices, log, { clock });
    const needsRanges = options.detectLocal?.mode === 'NodeCIDR';
    this.#node = new NodeWatch({ client, name: nodeName, needsRanges, log, clock, onChange });
    this.#serviceCIDRs = new ServiceCIDRWatch(client, log, clock, onChange);
    this.synced = new Promise((resolve) => (this.#markSynced = resolve));
    const families = familiesOf(options);
    this.#metrics = new ProxyMetrics(options.mode, families);
    this.#health = new HealthBook(families, 2 * (options.syncPeriod ?? 30_000));
    this.#recorder = createEventRecorder(client, 'kube-proxy', nodeName, clock);
    this.#events = new ServiceEvents(this.#recorder, log, (namespace, name) => {
      return this.#services.get(name, namespace)?.metadata.uid;
    });
    this.#servers = new ProxyServers(log, clock, options.onBindFailure);
    this.#families = families.map((family, at) => this.#runnerOf(family, at > 0));
  }

  get lastSyncAt(): number {
    return this.#lastSyncAt;
  }

  start(): void {
    const { flushCheckPeriod, syncPeriod = 30_000, nodeName, mode } = this.#options;
    const needed = [this.#services.synced, this.#slices.synced, this.#serviceCIDRs.looked, this.#node.looked];
    // 3-001: half a picture would take away good rules
    void Promise.all(needed).then(() => {
      for (const family of this.#families) family.begin();
    });
    this.#listen();
    sayStarting(this.#recorder, nodeName, mode);
    let turn = 0;
    this.#every(flushCheckPeriod ?? LOOK_MS, async () => {
      const isSeldom = flushCheckPeriod === undefined && turn++ % SELDOM !== 0;
      // what the kernel tells of need not be looked for as often
      const families = this.#families.filter((family) => !isSeldom || !family.isWatched);
      await Promise.all(families.map((family) => family.lookForFlush()));
    });
    this.#every(syncPeriod, () => {
      for (const family of this.#families) family.distrust();
      return Promise.resolve();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
    for (const watch of [this.#services, this.#slices, this.#node, this.#serviceCIDRs]) watch.stop();
    this.#servers.stop();
    await Promise.all(this.#families.map((family) => family.stop()));
    await this.#cleaning;
  }

  #runnerOf(family: Family, isOptional: boolean): FamilyRunner {
    const { minSyncPeriod = 0, syncPeriod = 30_000 } = this.#options;
    return new FamilyRunner({
      ...{ family, isOptional, minSyncPeriod, syncPeriod },
      services: this.#services,
      slices: this.#slices,
      health: this.#health,
      metrics: this.#metrics,
      log: this.#log,
      clock: this.#clock,
      open: () => this.#open(family),
      context: () => this.#contextOf(family),
      followers: () => this.#followersOf(family),
      onSettled: () => {
        this.#settled();
      },
    });
  }

  async #open(family: Family): Promise<OpenedFamily> {
    this.#machine ??= prepareMachine(this.#options).then((machine) => {
      for (const warning of machine.warnings) this.#log.warn({}, warning);
      return machine;
    });
    try {
      this.#dropInvalid = (await this.#machine).dropInvalid;
    } catch (error) {
      this.#machine = undefined; // to be tried again
      throw error;
    }
    return openFamily(this.#options, family);
  }

  #contextOf(family: Family): PlanContext {
    const { nodeName: name, nodeIps: ips } = this.#options;
    const { node, labels } = this.#node;
    const circumstances = { family, dropInvalid: this.#dropInvalid, node, serviceCIDRs: this.#serviceCIDRs.ranges() };
    return { node: { name, ips, labels }, options: planOptionsOf(this.#options, circumstances) };
  }

  #followersOf(family: Family): readonly PlanFollower[] {
    const loopback = new LoopbackRelays({ log: this.#log, clock: this.#clock });
    const { node, options } = this.#contextOf(family);
    const ports = new HealthCheckPorts({
      family,
      addresses: nodePortsOf(node, options).nodePortIPs,
      isHealthy: () => this.#health.isHealthy(this.#clock.now()),
      onBindFailure: (namespace, service, message) => {
        this.#events.warn(namespace, service, 'FailedToStartServiceHealthcheck', `node ${node.name}: ${message}`);
      },
      log: this.#log,
      clock: this.#clock,
    });
    return [loopback, ports];
  }

  #settled(): void {
    if (this.#families.some((family) => family.hasSynced)) this.#lastSyncAt = this.#clock.now();
    this.#events.report(this.#families.map((family) => family.problems));
    if (!this.#families.every((family) => family.isSettled)) return;
    this.#markSynced();
    this.#cleaning ??= this.#cleanUp();
  }

  /** Only now that our rules are in force: traffic goes on while those of another mode go (3-073). Never rejects. */
  async #cleanUp(): Promise<void> {
    const { host = {}, mode, masqueradeBit = 14, ipvs = {} } = this.#options;
    const clean = host.cleanup ?? (host.backend ? undefined : cleanup);
    if (!clean || this.#stopped) return;
    const { removed, failures } = await clean({ ...host, log: this.#log, inForce: mode, masqueradeBit, ipvs });
    if (removed.length > 0) this.#log.info({ removed }, 'took away what another mode had left');
    if (failures.length > 0) this.#log.warn({ failures }, 'could not look for what another mode may have left');
  }

  /** Runs again `ms` after it ended, later where that would take more than one hundredth of the time; until stopped. */
  #every(period: number, task: () => Promise<void>, wait = period): void {
    const run = async () => {
      this.#cancels.delete(cancel);
      const start = this.#clock.now();
      try {
        await task();
      } catch (error) {
        this.#log.error({ err: error }, 'looking at the rules failed');
      }
      if (!this.#stopped) this.#every(period, task, Math.max(period, 99 * (this.#clock.now() - start)));
    };
    const cancel = this.#clock.after(wait, () => void run(), true);
    this.#cancels.add(cancel);
  }

  #listen(): void {
    const { healthzBindAddress = '0.0.0.0:10256', metricsBindAddress = '127.0.0.1:10249', mode } = this.#options;
    this.#servers.listen(healthzBindAddress, (path) => {
      const now = this.#clock.now();
      const nodeEligible = this.#node.isEligible;
      const answer = answerHealth(path, { now, families: this.#health.status(now), nodeEligible });
      if (path === '/healthz' || path === '/livez')
        this.#metrics.probed(path === '/healthz' ? 'healthz' : 'livez', answer.status);
      return answer;
    });
    this.#servers.listen(metricsBindAddress, (path) =>
      answerMetrics(path, {
        mode,
        // who asks while the kernel is being asked gets the same
        metrics: () => (this.#rendering ??= this.#renderMetrics().finally(() => (this.#rendering = undefined))),
        isHealthy: () => this.#health.isHealthy(this.#clock.now()),
        config: this.#options.config,
      }),
    );
  }

  async #renderMetrics(): Promise<string> {
    for (const { family, backend } of this.#families) {
      const counters = await backend?.counters?.().catch(() => undefined);
      if (counters) this.#metrics.counted(family, counters);
    }
    return this.#metrics.render() + renderProcessMetrics();
  }
}
