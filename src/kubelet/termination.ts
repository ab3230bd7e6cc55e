/** How one container is stopped: preStop hook, SIGTERM, SIGKILL, all inside the grace period (7-029..7-031). */
import type { Core, Pod } from '../api/types.ts';
import type { Cri } from '../host/cri/cri.ts';
import { isCriNotFound } from '../host/cri/cri.ts';
import type { Clock } from '../lib/clock.ts';
import type { RunHandler } from './parts.ts';

/** What a container gets after its preStop hook, however long that took (7-030). */
export const MIN_GRACE_SECONDS = 2;

/** Whole seconds from `now` to `deadline`, never less than the minimum. Pure. */
export function remainingSeconds(deadline: number, now: number): number {
  return Math.max(MIN_GRACE_SECONDS, Math.ceil((deadline - now) / 1000));
}

export interface StopRequest {
  readonly pod: Pod;
  readonly container: Core.Container;
  readonly containerId: string;
  readonly podIP: string;
  readonly deadline: number;
  /** False where the hook has run already, or must not run: the container never came up or is gone. */
  readonly preStop: boolean;
}

export interface Stopper {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly runHandler: RunHandler;
  /** A hook that failed: reported, and the container is stopped all the same. */
  readonly onHookFailure: (request: StopRequest, output: string) => void;
}

/** Resolves when the container has ended. One that is gone is no error. */
export async function stopContainer(stopper: Stopper, request: StopRequest): Promise<void> {
  const { cri, clock, runHandler } = stopper;
  const { container, deadline, containerId } = request;
  const hook = container.lifecycle?.preStop;
  const left = deadline - clock.now();
  if (hook && request.preStop && left > 0) {
    const target = { pod: request.pod, container, containerId, podIP: request.podIP };
    const { ok, output } = await runHandler(hook, target, left);
    if (!ok) stopper.onHookFailure(request, output);
  }
  try {
    await cri.stopContainer(containerId, remainingSeconds(deadline, clock.now()));
  } catch (error) {
    if (!isCriNotFound(error)) throw error;
  }
}
