export { conclude, initialResults, probeTimes, type ProbeTimes, type ProbeType } from './conclusion.ts';
export { createProbeManager, describeOutcome, type ProbeCount, type ProbeManagerOptions } from './manager.ts';
export { createRunHandler, createRunProbe, type RunnerOptions, type RunProbe } from './runner.ts';
