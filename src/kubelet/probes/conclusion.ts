/** What a series of probe outcomes means (features 7-001..7-006). Pure. */
import type { Core } from '../../api/types.ts';
import type { ProbeResult } from '../parts.ts';

export type ProbeType = 'startup' | 'readiness' | 'liveness';

export interface ProbeTimes {
  /** Milliseconds. */
  readonly initialDelay: number;
  readonly timeout: number;
  readonly period: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** The spec's values with their defaults; 0 means the default, too (7-001). */
export function probeTimes(probe: Core.Probe): ProbeTimes {
  return {
    initialDelay: (probe.initialDelaySeconds ?? 0) * 1000,
    timeout: (probe.timeoutSeconds || 1) * 1000,
    period: (probe.periodSeconds || 10) * 1000,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  };
}

/** Before any conclusion: not ready, alive, and not known to have started (7-003). */
export const initialResults: Readonly<Record<ProbeType, ProbeResult>> = {
  startup: 'unknown',
  readiness: 'failure',
  liveness: 'success',
};

export interface Conclusion {
  readonly result: ProbeResult;
  /** Nothing more to find out about this container: it started, or it will be restarted (7-006). */
  readonly done: boolean;
  readonly last: 'success' | 'failure' | undefined;
  /** Outcomes equal to `last` in a row. */
  readonly run: number;
}

export function initialConclusion(type: ProbeType): Conclusion {
  return { result: initialResults[type], done: false, last: undefined, run: 0 };
}

/** Takes in one more outcome: the result follows only a whole run of equal ones. */
export function conclude(
  type: ProbeType,
  { successThreshold, failureThreshold }: ProbeTimes,
  before: Conclusion,
  outcome: 'success' | 'failure',
): Conclusion {
  const run = before.last === outcome ? before.run + 1 : 1;
  const enough = run >= (outcome === 'success' ? successThreshold : failureThreshold);
  if (!enough) return { ...before, last: outcome, run };
  const done = type === 'startup' || (type === 'liveness' && outcome === 'failure');
  return { result: outcome, done, last: outcome, run };
}
