/** The shell of the proxy: watches the API, plans, and keeps the kernel of one node in step with it. */
import type { Server } from 'node:http';
import { ENDPOINT_SLICES, EVENTS, NODES, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, Node, Service } from '../api/types.ts';
import type { Client, Informer } from '../client/client.ts';
import { startInformer } from '../client/informer.ts';
import { createConntrack } from '../host/conntrack.ts';
import { chooseIptables, type Iptables } from '../host/iptables.ts';
import { sysctl } from '../host/sysctl.ts';
import { realClock, timestamp, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { IptablesApplier, type SyncResult } from './iptables/apply.ts';
import { renderCleanup } from './iptables/cleanup.ts';
import { compile } from './iptables/compile.ts';
import { parse } from './iptables/parse.ts';
import { render } from './iptables/render.ts';
import { FlowKeeper } from './flow-keeper.ts';
import { ProxyMetrics } from './metrics.ts';
import { planOptionsOf, type ProxyHost, type ProxyOptions } from './options.ts';
import { Pacer } from './pacer.ts';
import { createPlanner, plan } from './plan/plan.ts';
import type { Plan, PlanNode, PlanOptions } from './plan/types.ts';
import { answerHealth, answerMetrics, serve, type HttpAnswer } from './serve.ts';

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
  planOptionsOf(options, true);
  const proxy = new Proxy(options);
  proxy.start();
  return proxy;
}

const SERVICE_SELECTOR = '!service.kubernetes.io/service-proxy-name';
const SLICE_SELECTOR = '!service.kubernetes.io/headless';

class Proxy implements RunningProxy {
  readonly synced: Promise<void>;
  readonly #options: ProxyOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #nodes: Informer<Node>;
  readonly #metrics = new ProxyMetrics();
  readonly #planner = createPlanner();
  readonly #pacer: Pacer;
  #machine: { applier: IptablesApplier; flows: FlowKeeper; planOptions: PlanOptions } | undefined;
  #node: PlanNode;
  #markSynced = () => {};
  #waitingSince: number | undefined;
  /** Times at which changes of endpoints became true, not yet in force. */
  #triggers: number[] = [];
  #problems = '';
  #stopped = false;
  #servers: Server[] = [];
  #cancels = new Set<() => void>();
  #checking: Promise<void> = Promise.resolve();

  constructor(options: ProxyOptions) {
    const { client, log, clock = realClock, nodeName } = options;
    this.#options = options;
    this.#log = log;
    this.#clock = clock;
    this.#node = { name: nodeName, ips: options.nodeIps, labels: {} };
    this.#services = startInformer(client, SERVICES, { labelSelector: SERVICE_SELECTOR }, log, { clock });
    this.#slices = startInformer(client, ENDPOINT_SLICES, { labelSelector: SLICE_SELECTOR }, log, { clock });
    this.#nodes = startInformer(client, NODES, { fieldSelector: `metadata.name=${nodeName}` }, log, { clock });
    this.synced = new Promise((resolve) => (this.#markSynced = resolve));
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
    this.#services.onChange(() => {
      this.#metrics.serviceChanges++;
      this.#metrics.pendingServiceChanges++;
      this.#changed();
    });
    this.#slices.onChange((change) => {
      this.#metrics.endpointChanges++;
      this.#metrics.pendingEndpointChanges++;
      this.#noteTrigger(change.object);
      this.#changed();
    });
    this.#nodes.onChange((change) => {
      const labels = change.object.metadata.labels ?? {};
      // a new object makes the planner forget, so only for a change that counts: status changes come every few seconds
      if (JSON.stringify(labels) === JSON.stringify(this.#node.labels)) return;
      this.#node = { ...this.#node, labels };
      this.#changed();
    });
    void Promise.all([this.#services.synced, this.#slices.synced]).then(() => {
      this.#changed();
    });
    void this.#listen();
    void sayStarting(this.#options.client, this.#options.nodeName, this.#clock).catch((error: unknown) => {
      this.#log.debug({ err: error }, 'the event "Starting" could not be written');
    });
    this.#every(this.#options.flushCheckPeriod ?? 1000, () => this.#lookForFlush());
    this.#every(this.#options.syncPeriod ?? 30_000, () => {
      this.#machine?.applier.distrust();
      this.#pacer.trigger();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
    for (const informer of [this.#services, this.#slices, this.#nodes]) informer.stop();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    await this.#pacer.stop();
    await this.#checking;
  }

  #changed(): void {
    // 3-001: half a picture would take away good rules
    if (!this.#services.hasSynced || !this.#slices.hasSynced) return;
    this.#metrics.lastQueuedAt = this.#clock.now();
    this.#waitingSince ??= this.#clock.now();
    this.#pacer.trigger();
  }

  #noteTrigger(slice: EndpointSlice): void {
    const text = slice.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time'];
    const time = text === undefined ? NaN : Date.parse(text);
    if (this.lastSyncAt > 0 && !Number.isNaN(time)) this.#triggers.push(time);
  }

  async #sync(): Promise<void> {
    const since = this.#waitingSince;
    const triggers = this.#triggers;
    this.#waitingSince = undefined;
    this.#triggers = [];
    this.#metrics.pendingServiceChanges = 0;
    this.#metrics.pendingEndpointChanges = 0;
    try {
      const machine = (this.#machine ??= await this.#prepare());
      const start = this.#clock.now();
      const current = this.#planner(this.#services.list(), this.#slices.list(), this.#node, machine.planOptions);
      const result = await machine.applier.sync(current);
      this.#report(current, result, start, triggers);
      this.#markSynced();
      await this.#keepFlows(machine.flows, current, result);
    } catch (error) {
      this.#waitingSince = since ?? this.#waitingSince ?? this.#clock.now();
      throw error;
    }
  }

  /** Flows that cannot be cleaned hurt some UDP clients until they expire; rules that are not written hurt everybody. */
  async #keepFlows(flows: FlowKeeper, current: Plan, result: SyncResult): Promise<void> {
    try {
      this.#metrics.deletedFlows += await flows.reconcile(current, result.kind === 'full');
    } catch (error) {
      this.#log.warn({ err: error }, 'stale UDP flows could not be deleted');
    }
  }

  #report(current: Plan, result: SyncResult, start: number, triggers: readonly number[]): void {
    const metrics = this.#metrics;
    const now = this.#clock.now();
    const seconds = (now - start) / 1000;
    metrics.lastSyncAt = now;
    metrics.sync.observe(seconds);
    (result.kind === 'full' ? metrics.fullSync : metrics.partialSync).observe(seconds);
    for (const time of triggers) metrics.programming.observe(Math.max(0, now - time) / 1000);
    const dropped = (route: 'internalRoute' | 'externalRoute') =>
      current.servicePorts.filter((service) => service[route] === 'DROP').length;
    metrics.noLocalEndpoints = { internal: dropped('internalRoute'), external: dropped('externalRoute') };
    const { kind, bytes, written, removed, inserted } = result;
    if (bytes > 0) this.#log.debug({ kind, bytes, written, removed, inserted, ms: now - start }, 'rules written');
    const problems = [...current.problems, ...result.refused];
    const text = JSON.stringify(problems);
    if (text === this.#problems) return;
    this.#problems = text;
    for (const problem of problems) this.#log.warn({ ...problem }, 'left out of the rules');
  }

  async #prepare() {
    const { host, log } = { log: this.#log, host: this.#options.host ?? (await realHost(this.#log)) };
    const { dropInvalid, warnings } = await prepareKernel(host, this.#options.localhostNodePorts ?? true);
    for (const warning of warnings) log.warn({}, warning);
    return {
      applier: new IptablesApplier(host.iptables),
      flows: new FlowKeeper(host.conntrack),
      planOptions: planOptionsOf(this.#options, dropInvalid),
    };
  }

  async #lookForFlush(): Promise<void> {
    const { applier } = this.#machine ?? {};
    if (!applier || this.lastSyncAt === 0) return;
    try {
      if (await applier.isIntact()) return;
    } catch (error) {
      this.#log.debug({ err: error }, 'could not look whether the rules are still there');
      return;
    }
    this.#metrics.foreignFlushes++;
    this.#log.warn({}, 'another program flushed iptables; writing all rules again');
    applier.distrust();
    this.#pacer.trigger();
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

  async #listen(): Promise<void> {
    const { healthzBindAddress = '0.0.0.0:10256', metricsBindAddress = '127.0.0.1:10249', mode } = this.#options;
    await this.#serve(healthzBindAddress, (path) =>
      answerHealth(path, {
        now: this.#clock.now(),
        lastSyncAt: this.lastSyncAt,
        waitingSince: this.#waitingSince,
        nodeEligible: isEligible(this.#nodes, this.#options.nodeName),
        patience: 2 * (this.#options.syncPeriod ?? 30_000),
      }),
    );
    await this.#serve(metricsBindAddress, (path) => answerMetrics(path, mode, () => this.#metrics.render()));
  }

  /** 3-156: a port that is taken is tried again, and never a reason not to write rules. */
  async #serve(address: string, answer: (path: string) => HttpAnswer): Promise<void> {
    if (address === '') return;
    try {
      const server = await serve(address, answer);
      if (this.#stopped) server.close();
      else this.#servers.push(server);
    } catch (error) {
      this.#log.warn({ err: error, address }, 'cannot listen; trying again in 5 s');
      if (this.#stopped) return;
      const cancel = this.#clock.after(
        5000,
        () => {
          this.#cancels.delete(cancel);
          void this.#serve(address, answer);
        },
        true,
      );
      this.#cancels.add(cancel);
    }
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

async function realHost(log: Log): Promise<ProxyHost> {
  const { iptables, warnings } = await chooseIptables();
  for (const warning of warnings) log.warn({}, warning);
  log.info({ variant: iptables.variant }, 'using iptables');
  return { iptables, conntrack: createConntrack(), sysctl };
}

/** 3-042, 3-046 and what bridges need: settings of the node's namespace, as far as it may change them. */
async function prepareKernel(host: ProxyHost, localhostNodePorts: boolean) {
  const warnings: string[] = [];
  if (localhostNodePorts && !(await host.sysctl.write('net.ipv4.conf.all.route_localnet', '1'))) {
    warnings.push('net.ipv4.conf.all.route_localnet cannot be set: node ports will not answer on 127.0.0.1');
  }
  // without it, answers between Pods on one bridge take the short way and are never translated back
  if (!(await host.sysctl.write('net.bridge.bridge-nf-call-iptables', '1'))) {
    warnings.push(
      'net.bridge.bridge-nf-call-iptables cannot be set: Pods of this node may not reach each other through Services',
    );
  }
  const liberal = await host.sysctl.read('net.netfilter.nf_conntrack_tcp_be_liberal');
  return { dropInvalid: liberal === undefined || liberal === '0', warnings };
}

/** 3-031. */
async function sayStarting(client: Client, nodeName: string, clock: Clock): Promise<void> {
  const now = timestamp(clock.now());
  await client.create(EVENTS, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${nodeName}.proxy.${clock.now().toString(16)}`, namespace: 'default' },
    involvedObject: { kind: 'Node', name: nodeName, uid: nodeName },
    type: 'Normal',
    reason: 'Starting',
    message: 'Starting kube-proxy.',
    source: { component: 'kube-proxy', host: nodeName },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    reportingComponent: 'kube-proxy',
    reportingInstance: nodeName,
  });
}

/** The rules this node would get, as text for iptables-restore; nothing is written. */
export async function dryRun(
  options: Pick<
    ProxyOptions,
    'client' | 'nodeName' | 'nodeIps' | 'clusterCidr' | 'masqueradeAll' | 'nodePortAddresses'
  >,
): Promise<string> {
  const { client, nodeName, nodeIps } = options;
  const [services, slices, nodes] = await Promise.all([
    client.list(SERVICES, { labelSelector: SERVICE_SELECTOR }),
    client.list(ENDPOINT_SLICES, { labelSelector: SLICE_SELECTOR }),
    client.list(NODES, { fieldSelector: `metadata.name=${nodeName}` }),
  ]);
  const node = { name: nodeName, ips: nodeIps, labels: nodes.items[0]?.metadata.labels ?? {} };
  return render(compile(plan(services.items, slices.items, node, planOptionsOf(options, true))));
}

/** Takes away every rule and chain of ours, and nothing else (3-072). */
export async function cleanup(iptables: Iptables): Promise<void> {
  const text = renderCleanup(parse(await iptables.save()));
  if (text !== '') await iptables.restore(text);
}
