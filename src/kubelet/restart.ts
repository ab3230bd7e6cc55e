/** When an ended container may start again: at once the first time, then 10 s doubling to 300 s, forgotten after 10 quiet minutes (7-037). */
export interface RestartState {
  /** Milliseconds to wait after the container's end. */
  readonly delay: number;
  /** When the container ended whose restart set `delay`. */
  readonly at: number;
}

const INITIAL = 10_000;
const MAX = 300_000;
const FORGET_AFTER = 2 * MAX;

/** The time from which a container that ended at `finishedAt` may be started again. */
export function restartAt(state: RestartState | undefined, finishedAt: number): number {
  return state === undefined || isForgotten(state, finishedAt) ? finishedAt : finishedAt + state.delay;
}

/** The state to keep when the container is started again. */
export function nextRestart(state: RestartState | undefined, finishedAt: number): RestartState {
  if (state === undefined || isForgotten(state, finishedAt)) return { delay: INITIAL, at: finishedAt };
  return { delay: Math.min(state.delay * 2, MAX), at: finishedAt };
}

function isForgotten(state: RestartState, finishedAt: number): boolean {
  return finishedAt - state.at > FORGET_AFTER;
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

/** Whether a container that ended with `exitCode` is meant to run again. */
export function restarts(policy: RestartPolicy, exitCode: number): boolean {
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** `10s`, `2m40s`, `5m0s`: as the CrashLoopBackOff message spells a delay. */
export function spellDelay(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${String(seconds)}s` : `${String(Math.floor(seconds / 60))}m${String(seconds % 60)}s`;
}
