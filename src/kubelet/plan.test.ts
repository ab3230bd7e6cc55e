import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Core } from '../api/types.ts';
import { testPod } from './fake-parts.ts';
import { containerHash } from './containers.ts';
import { plan } from './plan.ts';
import type { Action, PodState } from './plan.ts';
import type { RuntimeContainer, RuntimePod } from './runtime-view.ts';

const NOW = 1_000_000;
const empty: RuntimePod = { uid: 'uid-a', name: 'a', namespace: 'default', sandboxes: [], containers: [] };

function sandbox(attempt = 0, state: 'READY' | 'NOTREADY' = 'READY') {
  const id = `s${String(attempt)}`;
  const metadata = { name: 'a', namespace: 'default', uid: 'uid-a', attempt };
  return { id, metadata, state, createdAt: attempt, labels: {}, annotations: {}, ips: ['10.244.0.1'] };
}

function container(name: string, change: Partial<RuntimeContainer> & { attempt?: number } = {}): RuntimeContainer {
  const { attempt = 0, ...rest } = change;
  return {
    ...{
      id: `${name}${String(attempt)}`,
      sandboxId: 's0',
      metadata: { name, attempt },
      image: 'web:1',
      imageRef: 'web:1',
    },
    ...{
      state: 'RUNNING',
      createdAt: 0,
      startedAt: 0,
      finishedAt: NOW,
      exitCode: 0,
      reason: '',
      message: '',
      logPath: '',
    },
    ...{ labels: {}, annotations: {}, mounts: [] },
    ...rest,
  };
}

function look(runtime: Partial<RuntimePod>, spec: Partial<Core.PodSpec> = {}, change: Partial<PodState> = {}) {
  return plan({
    pod: testPod('a', spec),
    runtime: { ...empty, ...runtime },
    probes: () => ({ startup: 'unknown', liveness: 'success' }),
    restarts: new Map(),
    busy: new Map(),
    retryAt: new Map(),
    volumesReady: true,
    ending: undefined,
    now: NOW,
    ...change,
  });
}

const brief = (actions: readonly Action[]) =>
  actions.map((action) => `${action.do} ${'name' in action ? action.name : 'id' in action ? action.id : ''}`.trim());

const exited = (exitCode = 0) => ({ state: 'EXITED', exitCode }) as const;
const sidecar = { name: 'side', image: 'web:1', restartPolicy: 'Always' };
const init = { name: 'init', image: 'web:1' };
const debug = { name: 'debug', image: 'web:1' };

const table: {
  name: string;
  runtime?: Partial<RuntimePod>;
  spec?: Partial<Core.PodSpec>;
  change?: Partial<PodState>;
  expected: string[];
}[] = [
  {
    name: 'nothing there: volumes and sandbox at the same time',
    change: { volumesReady: false },
    expected: ['mountVolumes', 'createSandbox'],
  },
  { name: 'a sandbox under way is not planned again', change: { busy: new Map([['sandbox', 0]]) }, expected: [] },
  {
    name: 'no container before the volumes',
    runtime: { sandboxes: [sandbox()] },
    change: { volumesReady: false },
    expected: ['mountVolumes'],
  },
  { name: 'a sandbox: its container', runtime: { sandboxes: [sandbox()] }, expected: ['startContainer web'] },
  { name: 'all well', runtime: { sandboxes: [sandbox()], containers: [container('web')] }, expected: [] },
  {
    name: 'a dead sandbox is made anew',
    runtime: { sandboxes: [sandbox(0, 'NOTREADY')], containers: [container('web', exited(137))] },
    expected: ['createSandbox'],
  },
  {
    name: 'a dead sandbox of a pod that never restarts stays dead',
    runtime: { sandboxes: [sandbox(0, 'NOTREADY')], containers: [container('web', exited(137))] },
    spec: { restartPolicy: 'Never' },
    expected: [],
  },
  {
    name: 'init first',
    runtime: { sandboxes: [sandbox()] },
    spec: { initContainers: [init] },
    expected: ['startContainer init'],
  },
  {
    name: 'main while init runs: no',
    runtime: { sandboxes: [sandbox()], containers: [container('init')] },
    spec: { initContainers: [init] },
    expected: [],
  },
  {
    name: 'main after init',
    runtime: { sandboxes: [sandbox()], containers: [container('init', exited())] },
    spec: { initContainers: [init] },
    expected: ['startContainer web'],
  },
  {
    name: 'a failed init container is tried again under Always',
    runtime: { sandboxes: [sandbox()], containers: [container('init', exited(1))] },
    spec: { initContainers: [init] },
    expected: ['startContainer init'],
  },
  {
    name: 'a failed init container ends a pod that never restarts',
    runtime: { sandboxes: [sandbox()], containers: [container('init', exited(1))] },
    spec: { initContainers: [init], restartPolicy: 'Never' },
    expected: ['stopSandbox s0'],
  },
  {
    name: 'a new sandbox runs init containers again',
    runtime: {
      sandboxes: [sandbox(1), sandbox(0, 'NOTREADY')],
      containers: [container('web', exited(137)), container('init', exited())],
    },
    spec: { initContainers: [init] },
    expected: ['startContainer init'],
  },
  {
    name: 'main waits for a sidecar whose startup probe has not passed',
    runtime: { sandboxes: [sandbox()], containers: [container('side')] },
    spec: { initContainers: [{ ...sidecar, startupProbe: {} }] },
    expected: [],
  },
  {
    name: 'an ended sidecar starts again beside main',
    runtime: { sandboxes: [sandbox()], containers: [container('web'), container('side', exited())] },
    spec: { initContainers: [sidecar], restartPolicy: 'Never' },
    expected: ['startContainer side'],
  },
  {
    name: 'main done: the sidecar is stopped',
    runtime: { sandboxes: [sandbox()], containers: [container('web', exited()), container('side')] },
    spec: { initContainers: [sidecar], restartPolicy: 'Never' },
    expected: ['killContainer side'],
  },
  {
    name: 'another image: the container is made anew',
    runtime: {
      sandboxes: [sandbox()],
      containers: [
        container('web', {
          annotations: { 'io.kubernetes.container.hash': containerHash({ name: 'web', image: 'web:0' }) },
        }),
      ],
    },
    expected: ['killContainer web'],
  },
  {
    name: 'created but never started: another try',
    runtime: { sandboxes: [sandbox()], containers: [container('web', { state: 'CREATED' })] },
    expected: ['startContainer web'],
  },
  {
    name: 'an ephemeral container starts while an init container still runs',
    runtime: { sandboxes: [sandbox()], containers: [container('init')] },
    spec: { initContainers: [init], ephemeralContainers: [debug] },
    expected: ['startContainer debug'],
  },
  {
    name: 'an ephemeral container runs once, whatever came of it',
    runtime: { sandboxes: [sandbox()], containers: [container('web'), container('debug', exited(1))] },
    spec: { ephemeralContainers: [debug] },
    expected: [],
  },
  {
    name: 'an ephemeral container of a sandbox before is not run again',
    runtime: {
      sandboxes: [sandbox(1), sandbox(0, 'NOTREADY')],
      containers: [container('web', { sandboxId: 's1', attempt: 1 }), container('debug', exited())],
    },
    spec: { ephemeralContainers: [debug] },
    expected: [],
  },
  {
    name: 'main done: an ephemeral container does not keep the pod alive',
    runtime: { sandboxes: [sandbox()], containers: [container('web', exited()), container('debug')] },
    spec: { ephemeralContainers: [debug], restartPolicy: 'Never' },
    expected: ['killContainer debug'],
  },
  {
    name: 'ending: main first, the sidecar stays',
    runtime: { sandboxes: [sandbox()], containers: [container('web'), container('side')] },
    spec: { initContainers: [sidecar] },
    change: { ending: { deadline: NOW + 30_000 } },
    expected: ['killContainer web'],
  },
  {
    name: 'ending: a kill under way is repeated only for a shorter time',
    runtime: { sandboxes: [sandbox()], containers: [container('web')] },
    change: { ending: { deadline: NOW + 5000 }, busy: new Map([['kill web0', NOW + 30_000]]) },
    expected: ['killContainer web'],
  },
  {
    name: 'ending: a kill under way with the same time is enough',
    runtime: { sandboxes: [sandbox()], containers: [container('web')] },
    change: { ending: { deadline: NOW + 5000 }, busy: new Map([['kill web0', NOW + 5000]]) },
    expected: [],
  },
  {
    name: 'of many dead runs the newest two stay',
    runtime: {
      sandboxes: [sandbox()],
      containers: [
        container('web', { attempt: 3 }),
        ...[2, 1, 0].map((attempt) => container('web', { attempt, ...exited(1) })),
      ],
    },
    expected: ['removeContainer web1', 'removeContainer web0'].map((line) => line),
  },
  {
    name: 'an old sandbox goes once nobody needs it',
    runtime: {
      sandboxes: [sandbox(1), sandbox(0, 'NOTREADY')],
      containers: [container('web', { sandboxId: 's1', attempt: 1 })],
    },
    expected: ['removeSandbox s0'],
  },
];
for (const { name, runtime = {}, spec, change, expected } of table) {
  test(`plan: ${name}`, () => {
    assert.deepEqual(brief(look(runtime, spec, change).actions), expected);
  });
}

test('a container that backs off wakes the plan when its time has come', () => {
  const runtime = { sandboxes: [sandbox()], containers: [container('web', exited(1))] };
  const restarts = new Map([['web', { delay: 10_000, at: NOW - 60_000 }]]);
  const waiting = look(runtime, {}, { restarts });
  assert.deepEqual(
    [brief(waiting.actions), waiting.wakeAt, waiting.backingOff.get('web')],
    [[], NOW + 10_000, NOW + 10_000],
  );
  assert.deepEqual(brief(look(runtime, {}, { restarts, now: NOW + 10_000 }).actions), ['startContainer web']);
});

test('a failed task waits for its time', () => {
  const result = look({ sandboxes: [sandbox()] }, {}, { retryAt: new Map([['start web', NOW + 500]]) });
  assert.deepEqual([brief(result.actions), result.wakeAt], [[], NOW + 500]);
});

test('a liveness kill uses the probe’s own grace', () => {
  const livenessProbe = { terminationGracePeriodSeconds: 3 };
  const result = look(
    { sandboxes: [sandbox()], containers: [container('web')] },
    { containers: [{ name: 'web', image: 'web:1', livenessProbe }] },
    { probes: () => ({ startup: 'unknown', liveness: 'failure' }) },
  );
  const [kill] = result.actions;
  assert.ok(kill?.do === 'killContainer' && kill.deadline === NOW + 3000);
});

test('ended only when containers, sandbox and starts under way are all gone', () => {
  const ending = { deadline: NOW };
  const rows: [Partial<RuntimePod>, string[], boolean][] = [
    [{ sandboxes: [sandbox()], containers: [container('web')] }, [], false],
    [{ sandboxes: [sandbox()], containers: [container('web', exited())] }, [], false],
    [{ sandboxes: [sandbox(0, 'NOTREADY')], containers: [container('web', exited())] }, ['start web'], false],
    [{ sandboxes: [sandbox(0, 'NOTREADY')], containers: [container('web', exited())] }, [], true],
    [{}, ['sandbox'], false],
    [{}, [], true],
  ];
  for (const [runtime, busy, expected] of rows)
    assert.equal(look(runtime, {}, { ending, busy: new Map(busy.map((key) => [key, 0])) }).ended, expected);
});
