/** All probes of this node's pods. Told which containers run, it starts and ends workers; told nothing new, it does nothing. */
import type { Core, Pod } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ProbeManager, ProbeResult, ProbeTarget } from '../parts.ts';
import type { PodEvent } from '../pod-context.ts';
import { initialResults, probeTimes, type ProbeType } from './conclusion.ts';
import type { Outcome } from './outcome.ts';
import type { RunProbe } from './runner.ts';
import { ProbeWorker } from './worker.ts';

export interface ProbeManagerOptions {
  readonly run: RunProbe;
  readonly clock: Clock;
  readonly event: PodEvent;
  /** 0 up to 1, for spreading (7-007). */
  readonly random?: () => number;
}

/** How often a probe of one container gave what: the metric prober_probe_total (7-019). */
export interface ProbeCount {
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  readonly container: string;
  readonly type: ProbeType;
  readonly result: Outcome['result'];
  count: number;
}

interface ContainerProbes {
  /** The newest copy: events and named ports come from it. */
  pod: Pod;
  podIP: string;
  readonly target: ProbeTarget;
  readonly adopted: boolean;
  readonly workers: Map<ProbeType, ProbeWorker>;
  /** Results that outlive their worker. */
  readonly settled: Map<ProbeType, ProbeResult>;
}

const titles: Record<ProbeType, string> = { startup: 'Startup', readiness: 'Readiness', liveness: 'Liveness' };

export function createProbeManager(options: ProbeManagerOptions): ProbeManager & { counts(): Iterable<ProbeCount> } {
  return new Probes(options);
}

class Probes implements ProbeManager {
  readonly #options: ProbeManagerOptions;
  readonly #pods = new Map<string, Map<string, ContainerProbes>>();
  readonly #byContainer = new Map<string, ContainerProbes>();
  readonly #handlers: ((podUid: string) => void)[] = [];
  readonly #counts = new Map<string, ProbeCount>();

  constructor(options: ProbeManagerOptions) {
    this.#options = options;
  }

  sync(
    pod: Pod,
    podIP: string,
    running: readonly ProbeTarget[],
    state: { terminating: boolean; adopted: boolean },
  ): void {
    const uid = pod.metadata.uid ?? '';
    const containers = this.#pods.get(uid) ?? new Map<string, ContainerProbes>();
    const ids = new Set(running.map(({ containerId }) => containerId));
    for (const [id, probes] of containers) {
      if (!ids.has(id)) this.#end(containers, id, probes);
    }
    for (const target of running) {
      if (!hasProbe(target.container)) continue;
      const probes = containers.get(target.containerId) ?? this.#begin(pod, podIP, target, state.adopted);
      containers.set(target.containerId, probes);
      probes.pod = pod;
      probes.podIP = podIP;
      this.#follow(probes, state.terminating);
    }
    if (containers.size > 0) this.#pods.set(uid, containers);
    else this.#pods.delete(uid);
  }

  results(containerId: string): { startup: ProbeResult; readiness: ProbeResult; liveness: ProbeResult } {
    const probes = this.#byContainer.get(containerId);
    const of = (type: ProbeType) => (probes && resultOf(probes, type)) ?? initialResults[type];
    return { startup: of('startup'), readiness: of('readiness'), liveness: of('liveness') };
  }

  remove(podUid: string): void {
    const containers = this.#pods.get(podUid) ?? new Map<string, ContainerProbes>();
    for (const [id, probes] of containers) this.#end(containers, id, probes);
    this.#pods.delete(podUid);
    for (const [key, { podUid: owner }] of this.#counts) if (owner === podUid) this.#counts.delete(key);
  }

  onResult(handler: (podUid: string) => void): void {
    this.#handlers.push(handler);
  }

  counts(): Iterable<ProbeCount> {
    return this.#counts.values();
  }

  stop(): void {
    for (const uid of [...this.#pods.keys()]) this.remove(uid);
  }

  #begin(pod: Pod, podIP: string, target: ProbeTarget, adopted: boolean): ContainerProbes {
    const probes = { pod, podIP, target, adopted, workers: new Map(), settled: new Map() };
    this.#byContainer.set(target.containerId, probes);
    return probes;
  }

  #end(containers: Map<string, ContainerProbes>, id: string, probes: ContainerProbes): void {
    for (const worker of probes.workers.values()) worker.stop();
    containers.delete(id);
    this.#byContainer.delete(id);
  }

  /** Starts the workers that are due and ends those that are not: readiness and liveness wait for the startup probe (7-005). */
  #follow(probes: ContainerProbes, terminating: boolean): void {
    const { container } = probes.target;
    if (terminating) {
      for (const type of ['startup', 'liveness'] as const) {
        probes.workers.get(type)?.stop();
        probes.workers.delete(type);
        probes.settled.set(type, 'success');
      }
    }
    if (container.startupProbe && !terminating) this.#start(probes, 'startup', container.startupProbe);
    const started = !container.startupProbe || resultOf(probes, 'startup') === 'success';
    if (!started) return;
    if (container.readinessProbe) this.#start(probes, 'readiness', container.readinessProbe);
    if (container.livenessProbe && !terminating) this.#start(probes, 'liveness', container.livenessProbe);
  }

  #start(probes: ContainerProbes, type: ProbeType, probe: Core.Probe): void {
    if (probes.workers.has(type) || probes.settled.has(type)) return;
    const { target, adopted } = probes;
    const { clock, run, random = Math.random } = this.#options;
    const known = adopted ? knownResult(probes.pod, target, type) : undefined;
    if (type === 'startup' && known === 'success') {
      probes.settled.set(type, known);
      return;
    }
    const worker = new ProbeWorker({
      type,
      probe,
      clock,
      startedAt: target.startedAt,
      spread: adopted ? random() * probeTimes(probe).period : 0,
      ...(known !== undefined && { known }),
      run: (spec, timeoutMs, signal) => {
        const { container, containerId } = target;
        return run(spec, { pod: probes.pod, podIP: probes.podIP, container, containerId }, timeoutMs, signal);
      },
      onOutcome: (outcome, changed) => {
        this.#take(probes, type, outcome, changed);
      },
    });
    probes.workers.set(type, worker);
  }

  #take(probes: ContainerProbes, type: ProbeType, outcome: Outcome, changed: boolean): void {
    const { pod, target } = probes;
    this.#count(pod, target.container.name, type, outcome.result);
    const report = describeOutcome(type, outcome);
    if (report) this.#options.event(pod, 'Warning', report.reason, report.message, target.container.name);
    if (!changed) return;
    this.#follow(probes, false);
    for (const handler of this.#handlers) handler(pod.metadata.uid ?? '');
  }

  #count({ metadata }: Pod, container: string, type: ProbeType, result: Outcome['result']): void {
    const { uid: podUid = '', namespace = '', name: pod } = metadata;
    const key = [podUid, container, type, result].join('\n');
    const counter = this.#counts.get(key) ?? { namespace, pod, podUid, container, type, result, count: 0 };
    counter.count += 1;
    this.#counts.set(key, counter);
  }
}

function hasProbe({ startupProbe, readinessProbe, livenessProbe }: Core.Container): boolean {
  return Boolean(startupProbe ?? readinessProbe ?? livenessProbe);
}

function resultOf(probes: ContainerProbes, type: ProbeType): ProbeResult | undefined {
  return probes.settled.get(type) ?? probes.workers.get(type)?.result;
}

/** What the pod's status says about a container that ran before this kubelet did: an agent's restart makes no pod unready. */
function knownResult(pod: Pod, { containerId }: ProbeTarget, type: ProbeType): ProbeResult | undefined {
  const all = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const status = all.find(({ containerID }) => containerID?.endsWith(`//${containerId}`));
  if (type === 'readiness' && status?.ready) return 'success';
  if (type === 'startup' && status?.started) return 'success';
  return undefined;
}

/** The event of an outcome, or none for a plain success (7-011). */
export function describeOutcome(
  type: ProbeType,
  { result, output, warning }: Outcome,
): { reason: string; message: string } | undefined {
  const title = titles[type];
  if (result === 'failure') return { reason: 'Unhealthy', message: `${title} probe failed: ${output}` };
  if (result === 'error') return { reason: 'Unhealthy', message: `${title} probe errored: ${output}` };
  return warning ? { reason: 'ProbeWarning', message: `${title} probe warning: ${output}` } : undefined;
}
