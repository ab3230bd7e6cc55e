/** status.containerStatuses, initContainerStatuses and ephemeralContainerStatuses of a pod. Pure. */
import type { Core } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { containersOf, ephemeralContainersOf, podTitle } from './containers.ts';
import type { PodContainer } from './containers.ts';
import type { ProbeResult } from './parts.ts';
import { spellDelay } from './restart.ts';
import { newestContainer, previousContainer } from './runtime-view.ts';
import type { RuntimeContainer, RuntimePod } from './runtime-view.ts';
import type { Pod } from '../api/types.ts';

export interface ContainerInput {
  readonly pod: Pod;
  readonly runtime: RuntimePod;
  readonly probes: (containerId: string) => { startup: ProbeResult; readiness: ProbeResult };
  /** Why a container does not start: name to waiting reason and message. */
  readonly waiting: ReadonlyMap<string, { reason: string; message: string }>;
  /** Containers that wait for their restart, with its delay in milliseconds. */
  readonly backingOff: ReadonlyMap<string, number>;
  /** Nothing of the pod will run any more. */
  readonly ended: boolean;
}

export interface ContainerStatuses {
  readonly main: Core.ContainerStatus[];
  readonly init: Core.ContainerStatus[];
  readonly ephemeral: Core.ContainerStatus[];
}

export function containerStatuses(input: ContainerInput): ContainerStatuses {
  const all = containersOf(input.pod).map((one) => ({ role: one.role, status: statusOf(input, one) }));
  return {
    main: all.flatMap(({ role, status }) => (role === 'main' ? [status] : [])),
    init: all.flatMap(({ role, status }) => (role === 'main' ? [] : [status])),
    ephemeral: ephemeralContainersOf(input.pod).map((spec) => ephemeralStatus(input, spec)),
  };
}

function statusOf(input: ContainerInput, { role, spec }: PodContainer): Core.ContainerStatus {
  const found = newestContainer(input.runtime, spec.name);
  const before = previousContainer(input.runtime, spec.name);
  const old = oldStatus(input.pod, spec.name);
  const state = stateOf(input, spec.name, found, old);
  const lastState =
    state.waiting && found?.state === 'EXITED' ? { terminated: terminated(found) } : lastStateOf(before, old);
  const running = found?.state === 'RUNNING' && state.running !== undefined;
  const { startup, readiness } = running
    ? input.probes(found.id)
    : ({ startup: 'unknown', readiness: 'failure' } as const);
  const started = running && (spec.startupProbe === undefined || startup === 'success');
  const ready =
    role === 'init'
      ? state.terminated?.exitCode === 0
      : started && (spec.readinessProbe === undefined || readiness === 'success');
  return {
    name: spec.name,
    state,
    lastState,
    ready,
    restartCount: found ? restartCountOf(found) : (old?.restartCount ?? 0),
    image: found?.image ?? spec.image ?? '',
    imageID: found?.imageRef ?? '',
    ...(found && { containerID: containerId(found) }),
    started,
  };
}

/** It is never ready: nothing is sent to it. */
function ephemeralStatus(input: ContainerInput, spec: Core.Container): Core.ContainerStatus {
  const found = newestContainer(input.runtime, spec.name);
  return {
    name: spec.name,
    state: stateOf(input, spec.name, found, oldStatus(input.pod, spec.name)),
    lastState: {},
    ready: false,
    restartCount: 0,
    image: found?.image ?? spec.image ?? '',
    imageID: found?.imageRef ?? '',
    ...(found && { containerID: containerId(found) }),
  };
}

function stateOf(
  input: ContainerInput,
  name: string,
  found: RuntimeContainer | undefined,
  old: Core.ContainerStatus | undefined,
): Core.ContainerState {
  if (found?.state === 'RUNNING') return { running: { startedAt: timestamp(found.startedAt) } };
  const waiting = input.ended ? undefined : input.waiting.get(name);
  const delay = input.backingOff.get(name);
  if (delay !== undefined && !input.ended) {
    const message = `back-off ${spellDelay(delay)} restarting failed container=${name} pod=${podTitle(input.pod)}`;
    return { waiting: { reason: 'CrashLoopBackOff', message } };
  }
  if (waiting) return { waiting: { ...waiting } };
  if (found?.state === 'EXITED') return { terminated: terminated(found) };
  if (old?.state?.terminated && (input.ended || found === undefined)) return old.state;
  if (input.ended && old?.state?.running) return { terminated: lost(old.containerID) };
  const initializing = (input.pod.spec.initContainers ?? []).length > 0;
  return { waiting: { reason: initializing ? 'PodInitializing' : 'ContainerCreating' } };
}

/** The runtime remembers one run before the newest; what the API remembers beyond that is kept. */
function lastStateOf(before: RuntimeContainer | undefined, old: Core.ContainerStatus | undefined): Core.ContainerState {
  if (before?.state === 'EXITED') return { terminated: terminated(before) };
  return old?.lastState ?? {};
}

function terminated(found: RuntimeContainer): Core.ContainerStateTerminated {
  return {
    exitCode: found.exitCode,
    reason: found.reason === '' ? (found.exitCode === 0 ? 'Completed' : 'Error') : found.reason,
    ...(found.message !== '' && { message: found.message }),
    startedAt: timestamp(found.startedAt),
    finishedAt: timestamp(found.finishedAt),
    containerID: containerId(found),
  };
}

function lost(containerID = ''): Core.ContainerStateTerminated {
  const message = 'The container could not be located when the pod was terminated';
  return { exitCode: 137, reason: 'ContainerStatusUnknown', message, containerID };
}

function containerId(found: RuntimeContainer): string {
  return `containerd://${found.id}`;
}

export function restartCountOf(found: RuntimeContainer): number {
  return found.metadata.attempt;
}

export function oldStatus(pod: Pod, name: string): Core.ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    (status) => status.name === name,
  );
}
