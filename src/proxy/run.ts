/** The shell of the proxy: watches the API, feeds one FamilyProxy per address family, and keeps the kernel of one node in step. */
import { ENDPOINT_SLICES, NODES, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, Node, Service } from '../api/types.ts';
import type { Change, Informer } from '../client/client.ts';
import { createEventRecorder, type EventRecorder } from '../client/events.ts';
import { startInformer } from '../client/informer.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { assemble } from './assemble.ts';
import { cleanup } from './cleanup.ts';
import type { FamilyProxy, FamilySync } from './family-proxy.ts';
import { HealthBook } from './health.ts';
import { HealthCheckPorts } from './health-check-ports.ts';
import { ProxyMetrics } from './metrics.ts';
import { familiesOf, planOptionsOf, type ProxyOptions } from './options.ts';
import { Pacer } from './pacer.ts';
import { nodePortsOf } from './plan/node-ports.ts';
import type { PlanNode, PlanOptions } from './plan/types.ts';
import { answerHealth, answerMetrics, ProxyServers } from './serve.ts';
import { renderProcessMetrics } from './process-metrics.ts';
import { ServiceCIDRWatch } from './service-cidrs.ts';
import { ServiceEvents } from './service-events.ts';
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
  readonly #metrics: ProxyMetrics;
  readonly #health: HealthBook;
  readonly #recorder: EventRecorder;
  readonly #events: ServiceEvents;
  /** One for each address family, once the machine is prepared. */
  #healthChecks: HealthCheckPorts[] = [];
  readonly #pacer: Pacer;
  readonly #servers: ProxyServers;
  /** One for each address family, once the machine is prepared. */
  #families: readonly FamilyProxy[] = [];
  #dropInvalid = false;
  #node: PlanNode;
  #podCIDRs = '';
  #markSynced = () => {};
  #lastSyncAt = 0;
  /** Address type -> times at which changes of endpoints became true, not yet in force. */
  readonly #triggers = new Map<string, number[]>();
  #stopped = false;
  #cancels = new Set<() => void>();
  #unwatch: (() => void)[] = [];
  #checking: Promise<void> = Promise.resolve();
  #cleaning: Promise<void> | undefined;

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
    const families = familiesOf(options);
    this.#metrics = new ProxyMetrics(options.mode, families);
    this.#health = new HealthBook(families, 2 * (options.syncPeriod ?? 30_000));
    this.#recorder = createEventRecorder(client, 'kube-proxy', nodeName, clock);
    this.#events = new ServiceEvents(this.#recorder, log, (namespace, name) => {
      return this.#services.get(name, namespace)?.metadata.uid;
    });
    this.#servers = new ProxyServers(log, clock, options.onBindFailure);
    this.#pacer = new Pacer({
      clock,
      minInterval: options.minSyncPeriod ?? 0,
      maxRetry: options.syncPeriod ?? 30_000,
      run: () => this.#sync(),
      onError: (error) => {
        log.error({ err: error }, 'rules could not be written; will try again');
      },
    });
  }

  get lastSyncAt(): number {
    return this.#lastSyncAt;
  }

  start(): void {
    this.#nodes.onChange((change) => {
      this.#nodeChanged(change.object);
    });
    void Promise.all([this.#services.synced, this.#slices.synced, this.#serviceCIDRs.looked]).then(() => {
      this.#changed();
    });
    this.#listen();
    sayStarting(this.#recorder, this.#options.nodeName, this.#options.mode);
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
    for (const ports of this.#healthChecks) ports.stop();
    await this.#pacer.stop();
    await this.#checking;
    await this.#cleaning;
    await Promise.all(this.#families.map((family) => family.stop()));
  }

  #changed(): void {
    // 3-001: half a picture would take away good rules
    if (!this.#services.hasSynced || !this.#slices.hasSynced || !this.#serviceCIDRs.hasLooked) return;
    this.#metrics.queued(this.#clock.now());
    this.#health.queued(this.#clock.now());
    this.#pacer.trigger();
  }

  #serviceChanged({ type, object }: Change<Service>): void {
    this.#metrics.serviceChanged();
    for (const family of this.#families) family.setService(object, type === 'deleted');
    this.#changed();
  }

  #sliceChanged({ type, object }: Change<EndpointSlice>): void {
    this.#metrics.endpointsChanged(object.addressType);
    const text = object.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time'];
    const time = text === undefined ? NaN : Date.parse(text);
    if (this.lastSyncAt > 0 && !Number.isNaN(time)) this.#triggers.get(object.addressType)?.push(time);
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
    if (this.#families.length === 0) await this.#prepare();
    const start = this.#clock.now();
    // both end before the next sync begins, also where one of them fails
    const outcomes = await Promise.allSettled(this.#families.map((family) => this.#syncFamily(family)));
    const results = outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
    this.#report(results, start);
    this.#markSynced();
    const isFull = results.some((one) => one.kind === 'full');
    for (const family of this.#families) await this.#keepFlows(family, isFull);
    this.#cleaning ??= this.#cleanUp();
  }

  /** Only now that our rules are in force: traffic goes on while those of another mode go (3-073). */
  async #cleanUp(): Promise<void> {
    const { host = {}, mode, masqueradeBit = 14, ipvs = {} } = this.#options;
    const clean = host.cleanup ?? (host.backend ? undefined : cleanup);
    if (!clean) return;
    const { removed, failures } = await clean({ ...host, log: this.#log, inForce: mode, masqueradeBit, ipvs });
    if (removed.length > 0) this.#log.info({ removed }, 'took away what another mode had left');
    if (failures.length > 0) this.#log.warn({ failures }, 'could not look for what another mode may have left');
  }

  async #syncFamily(proxy: FamilyProxy): Promise<FamilySync> {
    const { family } = proxy;
    const start = this.#clock.now();
    const triggers = this.#triggers.get(family) ?? [];
    this.#triggers.set(family, []);
    this.#health.begun(family);
    this.#metrics.begun(family);
    try {
      const result = await proxy.sync();
      const now = this.#clock.now();
      this.#health.succeeded(family, now);
      const delays = triggers.map((time) => Math.max(0, now - time) / 1000);
      this.#metrics.synced(family, result, (now - start) / 1000, now, delays);
      this.#metrics.noLocalEndpoints(family, proxy.tally.noLocalEndpoints);
      return result;
    } catch (error) {
      this.#triggers.get(family)?.unshift(...triggers);
      this.#health.failed(family, this.#clock.now());
      this.#metrics.failed(family);
      throw error;
    }
  }

  /** Flows that cannot be cleaned hurt some UDP clients until they expire; rules that are not written hurt everybody. */
  async #keepFlows(proxy: FamilyProxy, always: boolean): Promise<void> {
    const { family } = proxy;
    const start = this.#clock.now();
    try {
      const deleted = await proxy.keepFlows(always);
      this.#metrics.flowsReconciled(family, deleted, (this.#clock.now() - start) / 1000);
    } catch (error) {
      this.#log.warn({ err: error, family }, 'stale UDP flows could not be deleted');
    }
  }

  #report(results: readonly FamilySync[], start: number): void {
    const now = this.#clock.now();
    this.#lastSyncAt = now;
    for (const ports of this.#healthChecks) ports.apply();
    const changes = results.reduce((sum, one) => sum + one.changes, 0);
    if (changes > 0)
      this.#log.debug({ kinds: results.map((one) => one.kind), changes, ms: now - start }, 'rules written');
    this.#events.report(results.flatMap((one) => one.problems));
  }

  /** Begins to follow Services and slices: whoever subscribes late is told of all that are there. */
  async #prepare(): Promise<void> {
    this.#healthChecks = [];
    const optionsOf = (family: FamilyProxy['family'], dropInvalid: boolean) => {
      this.#dropInvalid = dropInvalid;
      return this.#planOptions(family);
    };
    const families = await assemble(this.#options, this.#node, optionsOf, (family, planOptions) => {
      const ports = this.#healthChecksOf(family, planOptions);
      this.#healthChecks.push(ports);
      return [ports];
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

  #healthChecksOf(family: FamilyProxy['family'], planOptions: PlanOptions): HealthCheckPorts {
    return new HealthCheckPorts({
      family,
      addresses: nodePortsOf(this.#node, planOptions).nodePortIPs,
      isHealthy: () => this.#health.isHealthy(this.#clock.now()),
      onBindFailure: (namespace, service, message) => {
        this.#events.warn(namespace, service, 'FailedToStartServiceHealthcheck', `node ${this.#node.name}: ${message}`);
      },
      log: this.#log,
      clock: this.#clock,
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
      this.#metrics.flushed(family);
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
    this.#servers.listen(healthzBindAddress, (path) => {
      const now = this.#clock.now();
      const nodeEligible = isEligible(this.#nodes, this.#options.nodeName);
      const answer = answerHealth(path, { now, families: this.#health.status(now), nodeEligible });
      if (path === '/healthz' || path === '/livez')
        this.#metrics.probed(path === '/healthz' ? 'healthz' : 'livez', answer.status);
      return answer;
    });
    this.#servers.listen(metricsBindAddress, (path) =>
      answerMetrics(path, {
        mode,
        metrics: () => this.#renderMetrics(),
        isHealthy: () => this.#health.isHealthy(this.#clock.now()),
        config: this.#options.config,
      }),
    );
  }

  async #renderMetrics(): Promise<string> {
    for (const { family, backend } of this.#families) {
      const counters = await backend.counters?.().catch(() => undefined);
      if (counters) this.#metrics.counted(family, counters);
    }
    return this.#metrics.render() + renderProcessMetrics();
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
