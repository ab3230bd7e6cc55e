/** status of a pod as its kubelet reports it (7-020..7-027): phase, conditions, addresses. Pure. */
import type { Core, Pod } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { containerStatuses } from './container-status.ts';
import type { ContainerInput, ContainerStatuses } from './container-status.ts';
import { isHostNetwork, isSidecar, restartPolicyOf } from './containers.ts';
import { qosClassOf } from './qos.ts';
import { currentSandbox } from './runtime-view.ts';

export interface StatusInput extends ContainerInput {
  readonly nodeIPs: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Why the pod was made to fail, where it was not its containers. */
  readonly failure: { reason: string; message: string } | undefined;
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export function computeStatus(input: StatusInput): Core.PodStatus {
  const { pod, nodeIPs } = input;
  const statuses = containerStatuses(input);
  const phase = input.failure && input.ended ? 'Failed' : phaseOf(pod, statuses, input.ended);
  const podIPs = addressesOf(input);
  const [hostIP] = nodeIPs;
  return {
    phase,
    conditions: conditionsOf(input, statuses, phase),
    ...(hostIP !== undefined && { hostIP, hostIPs: nodeIPs.map((ip) => ({ ip })) }),
    ...(podIPs[0] !== undefined && { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) }),
    startTime: pod.status?.startTime ?? timestamp(input.now),
    qosClass: pod.status?.qosClass ?? qosClassOf(pod),
    ...(statuses.init.length > 0 && { initContainerStatuses: statuses.init }),
    containerStatuses: statuses.main,
    ...(statuses.ephemeral.length > 0 && { ephemeralContainerStatuses: statuses.ephemeral }),
    ...(phase === 'Failed' && input.failure),
    ...(pod.status?.nominatedNodeName !== undefined && { nominatedNodeName: pod.status.nominatedNodeName }),
  };
}

/** A pod that ended keeps the addresses it had. */
function addressesOf({ pod, runtime, nodeIPs }: StatusInput): readonly string[] {
  const sandbox = currentSandbox(runtime);
  if (isHostNetwork(pod)) return sandbox || runtime.sandboxes.length > 0 ? nodeIPs : [];
  if (sandbox && sandbox.ips.length > 0) return sandbox.ips;
  return (pod.status?.podIPs ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip]));
}

/** `ended`: nothing runs and nothing will, whatever the restart policy says. */
export function phaseOf(pod: Pod, { main, init }: ContainerStatuses, ended: boolean): PodPhase {
  const old = pod.status?.phase;
  if (old === 'Succeeded' || old === 'Failed') return old;
  const policy = restartPolicyOf(pod);
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const inits = init.filter(({ name }) => !sidecars.has(name));
  const stopped = main.filter(isStopped);
  const succeeded = main.every(({ state }) => state?.terminated?.exitCode === 0);
  if (ended) return stopped.length > 0 && succeeded ? 'Succeeded' : 'Failed';
  const failedInit = inits.some(({ state }) => state?.terminated !== undefined && state.terminated.exitCode !== 0);
  const begun = main.some((one) => one.state?.running !== undefined || isStopped(one));
  if (!begun && policy === 'Never' && failedInit) return 'Pending';
  if (!begun && inits.some(({ state }) => state?.terminated?.exitCode !== 0)) return 'Pending';
  return main.some((one) => one.state?.running === undefined && !isStopped(one)) ? 'Pending' : 'Running';
}

/** Ended, or waiting for its next run. */
function isStopped({ state, lastState }: Core.ContainerStatus): boolean {
  return state?.terminated !== undefined || (state?.waiting !== undefined && lastState?.terminated !== undefined);
}

type Verdict =
  { status: 'True' } | { status: 'False'; reason: string; message?: string } | { status: 'True'; reason: string };

function conditionsOf(input: StatusInput, statuses: ContainerStatuses, phase: PodPhase): Core.PodCondition[] {
  const containersReady = containersReadyOf(input, statuses, phase);
  const own: [string, Verdict][] = [
    ['PodReadyToStartContainers', readyToStart(input)],
    ['Initialized', initializedOf(input, statuses, phase)],
    ['Ready', readyOf(input.pod, containersReady)],
    ['ContainersReady', containersReady],
    ['PodScheduled', { status: 'True' }],
  ];
  const names = own.map(([type]) => type);
  const old = input.pod.status?.conditions ?? [];
  const at = timestamp(input.now);
  const mine = own.map(([type, verdict]) => {
    const before = old.find((condition) => condition.type === type);
    const same = before?.status === verdict.status;
    return { type, ...verdict, lastTransitionTime: same ? (before.lastTransitionTime ?? at) : at };
  });
  return [...mine, ...old.filter(({ type }) => !names.includes(type))];
}

function readyToStart({ pod, runtime }: StatusInput): Verdict {
  const sandbox = currentSandbox(runtime);
  const has = sandbox !== undefined && (isHostNetwork(pod) || sandbox.ips.length > 0);
  return has ? { status: 'True' } : ({ status: 'False' } as Verdict);
}

function initializedOf({ pod }: StatusInput, { init, main }: ContainerStatuses, phase: PodPhase): Verdict {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const begun = main.some(({ state, lastState }) => state?.running ?? state?.terminated ?? lastState?.terminated);
  const incomplete = init
    .filter((one) => (sidecars.has(one.name) ? one.started !== true : !one.ready))
    .map(({ name }) => name);
  if (begun || incomplete.length === 0) return { status: 'True' };
  const message = `containers with incomplete status: [${incomplete.join(' ')}]`;
  return { status: 'False', reason: 'ContainersNotInitialized', message };
}

function containersReadyOf({ pod }: StatusInput, { main, init }: ContainerStatuses, phase: PodPhase): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const unready = [...init.filter(({ name }) => sidecars.has(name)), ...main].filter(({ ready }) => !ready);
  if (unready.length === 0) return { status: 'True' };
  const message = `containers with unready status: [${unready.map(({ name }) => name).join(' ')}]`;
  return { status: 'False', reason: 'ContainersNotReady', message };
}

/** ContainersReady, and every readiness gate True; one that is missing counts as False (7-021, 7-022). */
function readyOf(pod: Pod, containersReady: Verdict): Verdict {
  if (containersReady.status !== 'True') return containersReady;
  const problems = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = pod.status?.conditions?.find(({ type }) => type === conditionType);
    if (!found) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (found.status === 'True') return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`];
  });
  if (problems.length === 0) return { status: 'True' };
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: problems.join(', ') };
}
