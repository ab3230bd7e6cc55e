import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Core, Pod } from '../../api/types.ts';
import { FakeClock } from '../../lib/clock.ts';
import { conclude, initialConclusion, probeTimes, type ProbeType } from './conclusion.ts';
import { createProbeManager } from './manager.ts';
import type { Outcome } from './outcome.ts';
import { resolvePort } from './target.ts';

const series: [
  type: ProbeType,
  thresholds: [success: number, failure: number],
  outcomes: string,
  results: string,
  done: boolean,
][] = [
  ['readiness', [1, 3], 'FFS', 'FFS', false],
  ['readiness', [1, 3], 'SFFSFFF', 'SSSSSSF', false],
  ['readiness', [2, 1], 'SFSS', 'FFFS', false],
  ['liveness', [1, 3], 'FFSFF', 'SSSSS', false],
  ['liveness', [1, 3], 'FFF', 'SSF', true],
  ['startup', [1, 3], 'FFS', 'UUS', true],
  ['startup', [1, 3], 'FFF', 'UUF', true],
];
for (const [type, [success, failed], outcomes, results, done] of series) {
  test(`${type} with thresholds ${success}/${failed}: ${outcomes} concludes ${results}${done ? ' and is done' : ''}`, () => {
    const times = probeTimes({ successThreshold: success, failureThreshold: failed });
    let state = initialConclusion(type);
    let seen = '';
    for (const outcome of outcomes) {
      state = conclude(type, times, state, outcome === 'S' ? 'success' : 'failure');
      seen += state.result.charAt(0).toUpperCase();
    }
    assert.equal(seen, results);
    assert.equal(state.done, done);
  });
}

test('absent and zero values are the defaults (7-001)', () => {
  const defaults = { initialDelay: 0, timeout: 1000, period: 10_000, successThreshold: 1, failureThreshold: 3 };
  assert.deepEqual(probeTimes({}), defaults);
  const zero = {
    initialDelaySeconds: 0,
    timeoutSeconds: 0,
    periodSeconds: 0,
    successThreshold: 0,
    failureThreshold: 0,
  };
  assert.deepEqual(probeTimes(zero), defaults);
});

test('ports are numbers or names of the container’s ports', () => {
  const container = { name: 'c', ports: [{ name: 'web', containerPort: 8080 }] };
  assert.equal(resolvePort(80, container), 80);
  assert.equal(resolvePort('80', container), 80);
  assert.equal(resolvePort('web', container), 8080);
  assert.throws(() => resolvePort('api', container), /couldn't find port: api in container "c"/);
  assert.throws(() => resolvePort(70000, container), /invalid port number/);
});

type Answer = 'success' | 'failure' | 'error';

/** A manager whose probes answer as told, and what it did. `flush` lets finished runs be taken in. */
function setUp(random = 0) {
  const clock = new FakeClock(1_000_000);
  const answers: Record<ProbeType, Answer> = { startup: 'success', readiness: 'success', liveness: 'success' };
  const runs: { type: ProbeType; at: number }[] = [];
  const events: string[] = [];
  const changed: string[] = [];
  const typeOf = (probe: Core.Probe) => (probe.exec?.command?.[0] ?? '') as ProbeType;
  const manager = createProbeManager({
    clock,
    random: () => random,
    event: (_pod, type, reason, message, container) => events.push([type, reason, message, container].join('|')),
    run: (probe) => {
      const type = typeOf(probe);
      runs.push({ type, at: clock.now() - 1_000_000 });
      const outcome: Outcome = { result: answers[type], output: answers[type] === 'success' ? '' : 'bad' };
      return Promise.resolve(outcome);
    },
  });
  manager.onResult((uid) => changed.push(uid));
  const probe = (type: ProbeType, more: Core.Probe = {}): Core.Probe => ({ exec: { command: [type] }, ...more });
  const pod = (status?: Core.PodStatus): Pod => ({
    metadata: { name: 'p', namespace: 'n', uid: 'u' },
    spec: { containers: [] },
    ...(status && { status }),
  });
  const flush = async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  const advance = async (ms: number) => {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(Math.min(500, left));
      await flush();
    }
    if (ms === 0) {
      clock.advance(0);
      await flush();
    }
  };
  const timesOf = (type: ProbeType) => runs.filter((run) => run.type === type).map((run) => run.at);
  return { clock, answers, runs, events, changed, manager, probe, pod, advance, timesOf };
}
const target = (container: Core.Container, startedAt = 1_000_000) => ({ container, containerId: 'id', startedAt });
const alive = { terminating: false, adopted: false };

test('readiness runs at once and then each period; being ready is told', async () => {
  const { manager, probe, pod, advance, timesOf, changed } = setUp();
  const container = { name: 'c', readinessProbe: probe('readiness', { periodSeconds: 5 }) };
  manager.sync(pod(), '10.0.0.1', [target(container)], alive);
  assert.equal(manager.results('id').readiness, 'failure');
  await advance(0);
  assert.equal(manager.results('id').readiness, 'success');
  assert.deepEqual(changed, ['u']);
  manager.sync(pod(), '10.0.0.1', [target(container)], alive);
  await advance(10_000);
  assert.deepEqual(timesOf('readiness'), [0, 5000, 10_000]);
});

test('the initial delay counts from the start of the container, and the first run is not a period later (7-008)', async () => {
  const { manager, probe, pod, advance, timesOf } = setUp();
  const container = { name: 'c', readinessProbe: probe('readiness', { initialDelaySeconds: 2, periodSeconds: 60 }) };
  manager.sync(pod(), '10.0.0.1', [target(container, 999_000)], alive);
  await advance(5000);
  assert.deepEqual(timesOf('readiness'), [1000]);
});

test('readiness and liveness wait for the startup probe, which stops once it has succeeded (7-005)', async () => {
  const { manager, probe, pod, advance, timesOf, answers } = setUp();
  answers.startup = 'failure';
  const container = {
    name: 'c',
    startupProbe: probe('startup', { periodSeconds: 1, failureThreshold: 30 }),
    readinessProbe: probe('readiness'),
    livenessProbe: probe('liveness'),
  };
  manager.sync(pod(), '10.0.0.1', [target(container)], alive);
  await advance(2000);
  assert.deepEqual(manager.results('id'), { startup: 'unknown', readiness: 'failure', liveness: 'success' });
  answers.startup = 'success';
  await advance(1000);
  assert.deepEqual(timesOf('startup'), [0, 1000, 2000, 3000]);
  await advance(500);
  assert.deepEqual([timesOf('readiness'), timesOf('liveness')], [[3000], [3000]], 'run at once when it has started');
  assert.deepEqual(manager.results('id'), { startup: 'success', readiness: 'success', liveness: 'success' });
  await advance(5000);
  assert.equal(timesOf('startup').length, 4);
});

test('after a failed liveness probe nothing is probed until the container is another one (7-006)', async () => {
  const { manager, probe, pod, advance, timesOf, answers, events } = setUp();
  answers.liveness = 'failure';
  const container = { name: 'c', livenessProbe: probe('liveness', { periodSeconds: 1, failureThreshold: 2 }) };
  manager.sync(pod(), '10.0.0.1', [target(container)], alive);
  await advance(10_000);
  assert.deepEqual(timesOf('liveness'), [0, 1000]);
  assert.equal(manager.results('id').liveness, 'failure');
  assert.deepEqual(events, Array(2).fill('Warning|Unhealthy|Liveness probe failed: bad|c'));
  answers.liveness = 'success';
  manager.sync(pod(), '10.0.0.1', [{ container, containerId: 'id2', startedAt: 1_010_000 }], alive);
  await advance(0);
  assert.equal(manager.results('id2').liveness, 'success');
  assert.equal(manager.results('id').liveness, 'success', 'the old container is forgotten');
});

test('an error leaves the result as it was, but is told (7-010)', async () => {
  const { manager, probe, pod, advance, answers, events } = setUp();
  const container = { name: 'c', readinessProbe: probe('readiness', { periodSeconds: 1, failureThreshold: 1 }) };
  manager.sync(pod(), '10.0.0.1', [target(container)], alive);
  await advance(0);
  answers.readiness = 'error';
  await advance(2000);
  assert.equal(manager.results('id').readiness, 'success');
  assert.equal(events[0], 'Warning|Unhealthy|Readiness probe errored: bad|c');
});

test('while the pod ends, liveness and startup stop and readiness goes on (7-009)', async () => {
  const { manager, probe, pod, advance, timesOf, answers } = setUp();
  const container = {
    name: 'c',
    readinessProbe: probe('readiness', { periodSeconds: 1, failureThreshold: 1 }),
    livenessProbe: probe('liveness', { periodSeconds: 1 }),
  };
  manager.sync(pod(), '10.0.0.1', [target(container)], alive);
  await advance(1000);
  manager.sync(pod(), '10.0.0.1', [target(container)], { terminating: true, adopted: false });
  answers.readiness = 'failure';
  await advance(2000);
  assert.equal(timesOf('liveness').length, 2);
  assert.deepEqual(timesOf('readiness'), [0, 1000, 2000, 3000]);
  assert.deepEqual(manager.results('id'), { startup: 'success', readiness: 'failure', liveness: 'success' });
});

test('a container found running keeps what its status says, and its first probe is spread over the period (7-007)', async () => {
  const { manager, probe, pod, advance, timesOf } = setUp(0.5);
  const container = {
    name: 'c',
    startupProbe: probe('startup'),
    readinessProbe: probe('readiness', { periodSeconds: 8 }),
  };
  const status = {
    containerStatuses: [
      {
        name: 'c',
        containerID: 'containerd://id',
        ready: true,
        started: true,
        restartCount: 0,
        image: '',
        imageID: '',
      },
    ],
  };
  manager.sync(pod(status), '10.0.0.1', [target(container, 0)], { terminating: false, adopted: true });
  assert.deepEqual(manager.results('id'), { startup: 'success', readiness: 'success', liveness: 'success' });
  await advance(8000);
  assert.deepEqual([timesOf('startup'), timesOf('readiness')], [[], [4000]]);
});

test('a removed pod is probed no more and its counts are gone', async () => {
  const { manager, probe, pod, advance, runs } = setUp();
  const container = { name: 'c', readinessProbe: probe('readiness', { periodSeconds: 1 }) };
  manager.sync(pod(), '10.0.0.1', [target(container)], alive);
  await advance(1000);
  assert.deepEqual(
    [...manager.counts()].map(({ type, result, count }) => [type, result, count]),
    [['readiness', 'success', 2]],
  );
  manager.remove('u');
  await advance(5000);
  assert.equal(runs.length, 2);
  assert.deepEqual([...manager.counts()], []);
});

test('a slow probe runs late, never twice at a time', async () => {
  const clock = new FakeClock(0);
  const pending: ((outcome: Outcome) => void)[] = [];
  const manager = createProbeManager({
    clock,
    event: () => undefined,
    run: () => new Promise((resolve) => pending.push(resolve)),
  });
  const container = { name: 'c', readinessProbe: { periodSeconds: 1, exec: { command: ['x'] } } };
  const pod: Pod = { metadata: { name: 'p', uid: 'u' }, spec: { containers: [] } };
  manager.sync(pod, '10.0.0.1', [target(container, 0)], alive);
  clock.advance(5000);
  assert.equal(pending.length, 1);
  pending[0]?.({ result: 'success', output: '' });
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(0);
  assert.equal(pending.length, 2);
});
