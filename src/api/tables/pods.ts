/** `kubectl get pods` (features 8-029, 8-030). */
import { isRestartableInit, podCondition, podIps } from '../pods.ts';
import type { Core, Pod } from '../types.ts';
import { age, orNone, since } from './cells.ts';
import { definePrinter } from './printer.ts';

export const podPrinter = definePrinter<Pod>([
  ['Ready', 'string', (pod) => `${count(pod).ready}/${count(pod).total}`],
  ['Status', 'string', podStatus],
  ['Restarts', 'string', (pod, now) => restarts(pod, now)],
  ['Age', 'string', age],
  ['IP*', 'string', (pod) => orNone(podIps(pod)[0])],
  ['Node*', 'string', (pod) => orNone(pod.spec.nodeName)],
  ['Nominated Node*', 'string', (pod) => orNone(pod.status?.nominatedNodeName)],
  ['Readiness Gates*', 'string', readinessGates],
]);

const sidecarsOf = ({ spec }: Pod): Core.Container[] => (spec.initContainers ?? []).filter(isRestartableInit);
const statusOf = (statuses: Core.ContainerStatus[] | undefined, name: string): Core.ContainerStatus | undefined =>
  statuses?.find((status) => status.name === name);

/** Sidecars count like ordinary containers. */
function count(pod: Pod): { ready: number; total: number } {
  const sidecars = sidecarsOf(pod);
  const ready = [
    ...(pod.status?.containerStatuses ?? []).filter((status) => status.ready && status.state?.running),
    ...sidecars.filter((sidecar) => {
      const status = statusOf(pod.status?.initContainerStatuses, sidecar.name);
      return status?.ready && status.started;
    }),
  ].length;
  return { ready, total: pod.spec.containers.length + sidecars.length };
}

/** `3 (5m ago)`. While the Pod initialises, those of the init containers; afterwards those of what runs. */
function restarts(pod: Pod, now: number): string {
  const { status } = pod;
  const initialising = initStatus(pod) !== undefined;
  const sidecarNames = new Set(sidecarsOf(pod).map((container) => container.name));
  const counted = initialising
    ? (status?.initContainerStatuses ?? [])
    : [
        ...(status?.containerStatuses ?? []),
        ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecarNames.has(name)),
      ];
  const total = counted.reduce((sum, each) => sum + each.restartCount, 0);
  const last = counted
    .map((each) => each.lastState?.terminated?.finishedAt)
    .filter((moment) => moment !== undefined)
    .sort((a, b) => Date.parse(a) - Date.parse(b))
    .at(-1);
  return total > 0 && last ? `${total} (${since(last, now)} ago)` : String(total);
}

export function podStatus(pod: Pod): string {
  const { status, metadata } = pod;
  let reason = status?.reason ?? status?.phase ?? '';
  if (podCondition(pod, 'PodScheduled')?.reason === 'SchedulingGated') reason = 'SchedulingGated';
  const initialising = initStatus(pod);
  reason = initialising ?? containersReason(pod, reason);
  if (metadata.deletionTimestamp !== undefined) {
    if (status?.reason === 'NodeLost') return 'Unknown';
    if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') return 'Terminating';
  }
  return reason;
}

/** The text while init containers are at work; undefined when they are through. */
function initStatus({ spec, status }: Pod): string | undefined {
  const containers = spec.initContainers ?? [];
  for (const [index, each] of (status?.initContainerStatuses ?? []).entries()) {
    const spec = containers.find((container) => container.name === each.name);
    const { terminated, waiting } = each.state ?? {};
    if (terminated?.exitCode === 0 && terminated) continue;
    if (spec && isRestartableInit(spec) && each.started) continue;
    if (terminated) {
      if (terminated.reason) return `Init:${terminated.reason}`;
      return terminated.signal ? `Init:Signal:${terminated.signal}` : `Init:ExitCode:${terminated.exitCode}`;
    }
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${index}/${containers.length}`;
  }
  return undefined;
}

function containersReason(pod: Pod, phase: string): string {
  const statuses = pod.status?.containerStatuses ?? [];
  let reason = phase;
  let running = false;
  // The first container with something to say wins, so look from the last one backwards.
  for (const { state, ready } of [...statuses].reverse()) {
    const { waiting, terminated } = state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated?.reason) reason = terminated.reason;
    else if (terminated) reason = terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
    else if (ready && state?.running) running = true;
  }
  // One container is through while another still runs.
  if (reason === 'Completed' && running) return podCondition(pod, 'Ready')?.status === 'True' ? 'Running' : 'NotReady';
  return reason;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const passed = gates.filter(({ conditionType }) => podCondition(pod, conditionType)?.status === 'True').length;
  return `${passed}/${gates.length}`;
}
