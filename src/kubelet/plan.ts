/**
 * What to do next for one pod, from what is wanted and what is there. Level-triggered: the same state gives the same plan, and work that
 * is under way (`busy`) is not planned twice. Pure.
 */
import type { Core, Pod } from '../api/types.ts';
import { containerHash, containersOf, ephemeralContainersOf, graceSeconds, restartPolicyOf } from './containers.ts';
import type { PodContainer } from './containers.ts';
import { restartAt, restarts } from './restart.ts';
import type { RestartState } from './restart.ts';
import { currentSandbox, newestContainer } from './runtime-view.ts';
import type { RuntimeContainer, RuntimePod } from './runtime-view.ts';
import type { ProbeResult } from './parts.ts';

export interface PodState {
  readonly pod: Pod;
  readonly runtime: RuntimePod;
  readonly probes: (containerId: string) => { startup: ProbeResult; liveness: ProbeResult };
  /** By container name. */
  readonly restarts: ReadonlyMap<string, RestartState>;
  /** Keys of running tasks (`taskKey`); the value of a kill is its deadline. */
  readonly busy: ReadonlyMap<string, number>;
  /** Keys of tasks that failed, with the time of the next try. */
  readonly retryAt: ReadonlyMap<string, number>;
  readonly volumesReady: boolean;
  /** Set once the pod must end: deleted, or past its deadline. */
  readonly ending: Ending | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Ending {
  /** When all containers must have ended. */
  readonly deadline: number;
}

export type Action =
  | { readonly do: 'mountVolumes' }
  | { readonly do: 'createSandbox'; readonly attempt: number; readonly stop: readonly string[] }
  | { readonly do: 'stopSandbox'; readonly id: string }
  | { readonly do: 'removeSandbox'; readonly id: string }
  | StartContainer
  | KillContainer
  | { readonly do: 'removeContainer'; readonly id: string };

export interface StartContainer {
  readonly do: 'startContainer';
  readonly name: string;
  readonly sandboxId: string;
  /** The end of the run before; undefined for the first run. */
  readonly finishedAt: number | undefined;
}

export interface KillContainer {
  readonly do: 'killContainer';
  readonly name: string;
  readonly id: string;
  readonly deadline: number;
  /** Text of the Killing event. */
  readonly message: string;
}

export interface Plan {
  readonly actions: Action[];
  /** Plan again at this time even if nothing happens. */
  wakeAt: number | undefined;
  /** Containers that wait for their restart: name to the time. */
  readonly backingOff: Map<string, number>;
  /** Nothing of the pod runs any more, and nothing will. */
  ended: boolean;
}

export const taskKey = {
  volumes: 'volumes',
  sandbox: 'sandbox',
  start: (name: string) => `start ${name}`,
  kill: (id: string) => `kill ${id}`,
  remove: (id: string) => `remove ${id}`,
};

export function plan(state: PodState): Plan {
  const out: Plan = { actions: [], wakeAt: undefined, backingOff: new Map(), ended: false };
  if (state.ending) planStop(state, out, state.ending.deadline, () => 'Stopping container ');
  else if (isOver(state.pod, state.runtime)) planStop(state, out, state.now + graceSeconds(state.pod) * 1000);
  else planRun(state, out);
  collectGarbage(state, out);
  return out;
}

/** All containers have ended for good, by the restart policy; sidecars do not keep a pod alive. */
export function isOver(pod: Pod, runtime: RuntimePod): boolean {
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return true;
  const policy = restartPolicyOf(pod);
  const endedForGood = ({ spec }: PodContainer) => {
    const newest = newestContainer(runtime, spec.name);
    return newest?.state === 'EXITED' && !restarts(policy, newest.exitCode);
  };
  const all = containersOf(pod);
  const initFailed = all.some((one) => {
    const newest = newestContainer(runtime, one.spec.name);
    return one.role === 'init' && policy === 'Never' && newest?.state === 'EXITED' && newest.exitCode !== 0;
  });
  return initFailed || all.filter(({ role }) => role === 'main').every(endedForGood);
}

function planRun(state: PodState, out: Plan): void {
  const { runtime } = state;
  if (!state.volumesReady) attempt(state, out, taskKey.volumes, { do: 'mountVolumes' });
  const sandbox = currentSandbox(runtime);
  if (!sandbox) {
    const stop = runtime.sandboxes.map(({ id }) => id);
    attempt(state, out, taskKey.sandbox, {
      do: 'createSandbox',
      attempt: (runtime.sandboxes[0]?.metadata.attempt ?? -1) + 1,
      stop,
    });
    return;
  }
  if (!state.volumesReady) return;
  planEphemeral(state, out, sandbox.id);
  const all = containersOf(state.pod);
  const mains = all.filter(({ role }) => role === 'main');
  const initialized = mains.some(({ spec }) => newestContainer(runtime, spec.name, sandbox.id));
  const inits = all.filter(({ role }) => role !== 'main');
  if (!planInits(state, out, inits, sandbox.id, initialized)) return;
  for (const one of mains) planContainer(state, out, one, sandbox.id);
}

/** Each is started once in the life of its pod, whatever else of the pod runs or not. */
function planEphemeral(state: PodState, out: Plan, sandboxId: string): void {
  for (const { name } of ephemeralContainersOf(state.pod)) {
    const found = newestContainer(state.runtime, name);
    if (found && found.state !== 'CREATED') continue;
    attempt(state, out, taskKey.start(name), { do: 'startContainer', name, sandboxId, finishedAt: undefined });
  }
}

/** True when the main containers may run. */
function planInits(
  state: PodState,
  out: Plan,
  inits: PodContainer[],
  sandboxId: string,
  initialized: boolean,
): boolean {
  for (const [index, one] of inits.entries()) {
    const found = newestContainer(state.runtime, one.spec.name, sandboxId);
    if (one.role === 'init') {
      if (initialized || (found?.state === 'EXITED' && found.exitCode === 0)) continue;
      planContainer(state, out, one, sandboxId);
      return false;
    }
    planContainer(state, out, one, sandboxId);
    const laterBegan = inits.slice(index + 1).some(({ spec }) => newestContainer(state.runtime, spec.name, sandboxId));
    if (!initialized && !laterBegan && !isSidecarUp(state, one.spec, found)) return false;
  }
  return true;
}

/** Running, its postStart hook done and its startup probe, if any, passed. */
function isSidecarUp(state: PodState, spec: Core.Container, found: RuntimeContainer | undefined): boolean {
  if (found?.state !== 'RUNNING' || state.busy.has(taskKey.start(spec.name))) return false;
  return spec.startupProbe === undefined || state.probes(found.id).startup === 'success';
}

function planContainer(state: PodState, out: Plan, { role, spec }: PodContainer, sandboxId: string): void {
  const found = newestContainer(state.runtime, spec.name, sandboxId);
  const start = (finishedAt?: number) => {
    attempt(state, out, taskKey.start(spec.name), { do: 'startContainer', name: spec.name, sandboxId, finishedAt });
  };
  switch (found?.state) {
    case 'RUNNING': {
      const why = reasonToKill(state, spec, found);
      if (why) kill(state, out, found, state.now + why.graceSeconds * 1000, why.message);
      return;
    }
    case 'UNKNOWN':
      kill(state, out, found, state.now, `Container ${spec.name} is in unknown state, try killing it before restart`);
      return;
    case 'CREATED':
      start();
      return;
    case 'EXITED':
    case undefined: {
      // In a new sandbox the run before is one of an older sandbox: init containers run again, main ones by their policy.
      const before = found ?? (role === 'main' ? newestContainer(state.runtime, spec.name) : undefined);
      if (before?.state !== 'EXITED') {
        start();
        return;
      }
      const policy = role === 'sidecar' ? 'Always' : restartPolicyOf(state.pod);
      if (!restarts(role === 'init' && policy === 'Always' ? 'OnFailure' : policy, before.exitCode)) return;
      const at = restartAt(state.restarts.get(spec.name), before.finishedAt);
      if (at <= state.now) {
        start(before.finishedAt);
        return;
      }
      out.backingOff.set(spec.name, at);
      wake(out, at);
    }
  }
}

/** Liveness and startup kills use the probe's own grace where it has one (7-033). */
function reasonToKill(state: PodState, spec: Core.Container, found: RuntimeContainer) {
  const grace = (probe?: Core.Probe) => probe?.terminationGracePeriodSeconds ?? graceSeconds(state.pod);
  const hash = found.annotations['io.kubernetes.container.hash'];
  if (hash !== undefined && hash !== containerHash(spec))
    return { graceSeconds: grace(), message: `Container ${spec.name} definition changed, will be restarted` };
  const { startup, liveness } = state.probes(found.id);
  if (spec.livenessProbe && liveness === 'failure')
    return {
      graceSeconds: grace(spec.livenessProbe),
      message: `Container ${spec.name} failed liveness probe, will be restarted`,
    };
  if (spec.startupProbe && startup === 'failure')
    return {
      graceSeconds: grace(spec.startupProbe),
      message: `Container ${spec.name} failed startup probe, will be restarted`,
    };
  return undefined;
}

/** Main containers first and together, then sidecars one by one in reverse order (7-032), then the sandbox. */
function planStop(state: PodState, out: Plan, deadline: number, verb = () => 'Stopping container '): void {
  const { runtime } = state;
  const sidecars = containersOf(state.pod).flatMap(({ role, spec }) => (role === 'sidecar' ? [spec.name] : []));
  const alive = runtime.containers.filter(({ state: now }) => now === 'RUNNING' || now === 'UNKNOWN');
  const others = alive.filter(({ metadata }) => !sidecars.includes(metadata.name));
  const last = sidecars.toReversed().flatMap((name) => alive.filter(({ metadata }) => metadata.name === name))[0];
  const next = others.length > 0 ? others : last ? [last] : [];
  for (const one of next) kill(state, out, one, deadline, `${verb()}${one.metadata.name}`);
  if (alive.length > 0) return;
  const ready = runtime.sandboxes.filter((sandbox) => sandbox.state === 'READY');
  for (const { id } of ready) attempt(state, out, taskKey.kill(id), { do: 'stopSandbox', id });
  const starting = [...state.busy.keys()].some((key) => key === taskKey.sandbox || key.startsWith('start '));
  out.ended = ready.length === 0 && !starting;
}

function kill(state: PodState, out: Plan, one: RuntimeContainer, deadline: number, message: string): void {
  const key = taskKey.kill(one.id);
  const running = state.busy.get(key);
  // A second deletion may only shorten the time (7-035).
  if (running !== undefined && running <= deadline) return;
  if (running === undefined && waits(state, out, key)) return;
  out.actions.push({ do: 'killContainer', name: one.metadata.name, id: one.id, deadline, message });
}

/** Keeps the newest two of each container (state and lastState) and the newest sandbox. */
function collectGarbage(state: PodState, out: Plan): void {
  const { containers, sandboxes } = state.runtime;
  const seen = new Map<string, number>();
  const gone = new Set<string>();
  for (const one of containers) {
    const rank = seen.get(one.metadata.name) ?? 0;
    seen.set(one.metadata.name, rank + 1);
    const dead = one.state === 'EXITED' || (one.state === 'CREATED' && rank > 0);
    if (rank < 2 || !dead) continue;
    gone.add(one.id);
    attempt(state, out, taskKey.remove(one.id), { do: 'removeContainer', id: one.id });
  }
  for (const sandbox of sandboxes.slice(1)) {
    const used = containers.some((one) => one.sandboxId === sandbox.id && !gone.has(one.id));
    if (sandbox.state === 'READY' || !used)
      attempt(state, out, taskKey.remove(sandbox.id), { do: 'removeSandbox', id: sandbox.id });
  }
}

function attempt(state: PodState, out: Plan, key: string, action: Action): void {
  if (!state.busy.has(key) && !waits(state, out, key)) out.actions.push(action);
}

function waits(state: PodState, out: Plan, key: string): boolean {
  const at = state.retryAt.get(key);
  if (at === undefined || at <= state.now) return false;
  wake(out, at);
  return true;
}

function wake(out: Plan, at: number): void {
  out.wakeAt = Math.min(out.wakeAt ?? Infinity, at);
}
