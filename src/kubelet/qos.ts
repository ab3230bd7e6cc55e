/** The quality-of-service class of a pod and what follows from it for the kernel's out-of-memory killer. Pure. */
import { quantityValue } from '../api/quantity.ts';
import type { Core, Pod } from '../api/types.ts';
import type { LinuxResources } from '../host/cri/cri.ts';
import { containersOf } from './containers.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** Guaranteed: every container limits cpu and memory and requests no less; BestEffort: nobody asks for anything. */
export function qosClassOf(pod: Pod): QosClass {
  const all = containersOf(pod).map(({ spec }) => spec.resources ?? {});
  const named = (list: Record<string, string> | undefined, name: string) => list?.[name] !== undefined;
  const asks = all.some(({ requests, limits }) =>
    ['cpu', 'memory'].some((name) => named(requests, name) || named(limits, name)),
  );
  if (!asks) return 'BestEffort';
  const full = all.every(({ requests, limits }) =>
    ['cpu', 'memory'].every((name) => {
      const [limit, request] = [limits?.[name], requests?.[name]];
      return (
        limit !== undefined && (request === undefined || quantityValue(request, 'm') === quantityValue(limit, 'm'))
      );
    }),
  );
  return full ? 'Guaranteed' : 'Burstable';
}

const CPU_PERIOD = 100_000;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;

/** `memoryCapacity` in bytes: a Burstable container that asks for much of it is killed late. */
export function linuxResources(pod: Pod, spec: Core.Container, memoryCapacity: number): LinuxResources {
  const { requests = {}, limits = {} } = spec.resources ?? {};
  const cpuLimit = quantityValue(limits['cpu'], 'm');
  const cpuRequest = requests['cpu'] === undefined ? cpuLimit : quantityValue(requests['cpu'], 'm');
  const shares = Math.floor((cpuRequest * 1024) / 1000);
  return {
    cpuPeriod: CPU_PERIOD,
    cpuQuota: cpuLimit === 0 ? 0 : Math.max(1000, Math.floor((cpuLimit * CPU_PERIOD) / 1000)),
    cpuShares: Math.min(MAX_SHARES, Math.max(MIN_SHARES, shares)),
    memoryLimitInBytes: quantityValue(limits['memory']),
    oomScoreAdj: oomScore(pod, quantityValue(requests['memory']), memoryCapacity),
  };
}

function oomScore(pod: Pod, memoryRequest: number, memoryCapacity: number): number {
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const share = memoryCapacity > 0 ? Math.floor((1000 * memoryRequest) / memoryCapacity) : 0;
  return Math.min(999, Math.max(3, 1000 - share));
}
