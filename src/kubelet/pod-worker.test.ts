import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { PODS } from '../api/kinds.ts';
import type { Core, Pod } from '../api/types.ts';
import { startInformer } from '../client/informer.ts';
import { FakeClock } from '../lib/clock.ts';
import { fakeSurroundings, testPod } from './fake-parts.ts';
import type { PodContext } from './pod-context.ts';
import { PodWorker } from './pod-worker.ts';
import { dnsWarnings, podDns } from './resolv-conf.ts';

/** A worker fed by a watch of the fake API server, on a clock that the test moves. */
async function runWorker(t: TestContext, pods: Pod[], images?: string[], change: Partial<PodContext> = {}) {
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const fakes = fakeSurroundings(clock, pods, images);
  const informer = startInformer(fakes.client, PODS, { fieldSelector: 'spec.nodeName=node01' });
  await informer.synced;
  const worker = new PodWorker({ ...fakes.context, ...change });
  await worker.start(informer.list());
  informer.onChange((change) => {
    if (change.type === 'deleted') worker.remove(change.object);
    else worker.update(change.object);
  });
  t.after(async () => {
    informer.stop();
    await worker.stop();
  });
  const pod = () => fakes.client.all(PODS)[0];
  /** Lets everything run that needs no time to pass, until `condition` holds. */
  const until = async (what: string, condition: () => boolean) => {
    // Files are real and take their time; the clock of the pods stands still meanwhile.
    for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 1))) {
      if (condition()) return;
    }
    assert.fail(
      `never came: ${what}\n${fakes.cri.dump()}\n${JSON.stringify(pod()?.status, undefined, 1)}\n${fakes.events.join('\n')}`,
    );
  };
  const status = (name = 'web') =>
    [...(pod()?.status?.containerStatuses ?? []), ...(pod()?.status?.initContainerStatuses ?? [])].find(
      (one) => one.name === name,
    );
  return { ...fakes, clock, worker, pod, until, status };
}

function condition(pod: Pod | undefined, type: string): Core.PodCondition | undefined {
  return pod?.status?.conditions?.find((one) => one.type === type);
}

const isReady = (pod: Pod | undefined) => condition(pod, 'Ready')?.status === 'True';

test('a pod gets a sandbox, a container and a Ready status', async (t) => {
  const run = await runWorker(t, [testPod('a')]);
  await run.until('Ready', () => isReady(run.pod()));
  assert.equal(run.cri.dump(), 'default/a READY\n  web#0 RUNNING');
  assert.equal(run.pod()?.status?.phase, 'Running');
  assert.equal(run.pod()?.status?.podIP, '10.244.0.1');
  assert.equal(run.pod()?.status?.hostIP, '172.30.0.11');
  assert.equal(run.status()?.containerID, 'containerd://container-2');
  assert.deepEqual(run.events, ['Normal Created Created container: web', 'Normal Started Started container web']);
});

test('a container with a readiness probe is ready only once the probe says so', async (t) => {
  const readinessProbe = { tcpSocket: { port: 80 } };
  const run = await runWorker(t, [testPod('a', { containers: [{ name: 'web', image: 'web:1', readinessProbe }] })]);
  await run.until('running', () => run.status()?.state?.running !== undefined);
  assert.equal(condition(run.pod(), 'Ready')?.message, 'containers with unready status: [web]');
  run.probes.set('uid-a', 'container-2', { readiness: 'success' });
  await run.until('Ready', () => isReady(run.pod()));
});

test('init containers run one after the other before the main ones, a sidecar stays', async (t) => {
  const initContainers = [
    { name: 'first', image: 'web:1' },
    { name: 'proxy', image: 'web:1', restartPolicy: 'Always' },
    { name: 'second', image: 'web:1' },
  ];
  const run = await runWorker(t, [testPod('a', { initContainers })]);
  await run.until('first runs', () => run.cri.running('first') !== undefined);
  assert.equal(condition(run.pod(), 'Initialized')?.message, 'containers with incomplete status: [first proxy second]');
  assert.equal(run.cri.running('proxy'), undefined);
  run.cri.exit(run.cri.running('first')!.id, 0);
  run.clock.advance(1000);
  await run.until('second runs', () => run.cri.running('second') !== undefined);
  assert.ok(run.cri.running('proxy'));
  assert.equal(run.cri.running('web'), undefined);
  run.cri.exit(run.cri.running('second')!.id, 0);
  run.clock.advance(1000);
  await run.until('Ready', () => isReady(run.pod()));
  assert.deepEqual(
    run.pod()?.status?.initContainerStatuses?.map(({ name, ready }) => [name, ready]),
    [
      ['first', true],
      ['proxy', true],
      ['second', true],
    ],
  );
});

test('a container that ends is started again at once, then backs off 10 s and 20 s', async (t) => {
  const run = await runWorker(t, [testPod('a')]);
  for (const [restarts, wait] of [0, 10_000, 20_000].entries()) {
    await run.until('running', () => run.cri.running('web')?.metadata.attempt === restarts);
    await run.until('status', () => run.status()?.restartCount === restarts);
    run.cri.exit(run.cri.running('web')!.id, 1);
    run.clock.advance(1000);
    if (wait === 0) continue;
    const message = `back-off ${String(wait / 1000)}s restarting failed container=web pod=a_default(uid-a)`;
    await run.until(message, () => run.status()?.state?.waiting?.message === message);
    assert.equal(run.status()?.lastState?.terminated?.exitCode, 1);
    run.clock.advance(wait - 2000);
    await run.until('still waiting', () => run.cri.running('web') === undefined);
    run.clock.advance(2000);
  }
  await run.until('running again', () => run.cri.running('web')?.metadata.attempt === 3);
  assert.equal(run.events.filter((line) => line.startsWith('Warning BackOff')).length, 2);
});

test('a command that cannot be started backs off as well', async (t) => {
  const run = await runWorker(t, [testPod('a')]);
  const { CriError } = await import('../host/cri/cri.ts');
  await run.until('running', () => run.cri.running('web') !== undefined);
  run.cri.onStart = (one) => {
    run.cri.exit(one.id, 128, 'StartError');
    throw new CriError('StartContainer', 'Unknown', 'no such file');
  };
  run.cri.exit(run.cri.running('web')!.id, 1);
  run.clock.advance(1000);
  const message = 'back-off 10s restarting failed container=web pod=a_default(uid-a)';
  await run.until(message, () => run.status()?.state?.waiting?.message === message);
  assert.equal(run.status()?.lastState?.terminated?.reason, 'StartError');
  assert.ok(run.events.includes('Warning Failed Error: no such file'));
});

const endings: { policy: string; exitCode: number; phase: string }[] = [
  { policy: 'Never', exitCode: 0, phase: 'Succeeded' },
  { policy: 'Never', exitCode: 3, phase: 'Failed' },
  { policy: 'OnFailure', exitCode: 0, phase: 'Succeeded' },
];
for (const { policy, exitCode, phase } of endings) {
  test(`restartPolicy ${policy} and exit code ${String(exitCode)} make the pod ${phase}`, async (t) => {
    const run = await runWorker(t, [testPod('a', { restartPolicy: policy })]);
    await run.until('running', () => run.status()?.state?.running !== undefined);
    run.cri.exit(run.cri.running('web')!.id, exitCode);
    run.clock.advance(1000);
    await run.until(phase, () => run.pod()?.status?.phase === phase);
    assert.equal(run.status()?.state?.terminated?.exitCode, exitCode);
    assert.equal(run.pod()?.status?.podIP, '10.244.0.1');
    assert.match(run.cri.dump(), /NOTREADY/);
    assert.equal(isReady(run.pod()), false);
  });
}

test('a failing liveness probe gets the container killed and started again', async (t) => {
  const livenessProbe = { tcpSocket: { port: 80 }, terminationGracePeriodSeconds: 7 };
  const run = await runWorker(t, [testPod('a', { containers: [{ name: 'web', image: 'web:1', livenessProbe }] })]);
  await run.until('running', () => run.status()?.state?.running !== undefined);
  run.probes.set('uid-a', 'container-2', { liveness: 'failure' });
  await run.until('restarted', () => run.cri.running('web')?.metadata.attempt === 1);
  assert.ok(run.cri.calls.includes('stopContainer web 7'));
  assert.ok(run.events.includes('Normal Killing Container web failed liveness probe, will be restarted'));
  await run.until(
    'status',
    () => run.status()?.restartCount === 1 && run.status()?.lastState?.terminated !== undefined,
  );
});

test('deleting: preStop, SIGTERM with the grace, sidecars last, then the object goes and so does all else', async (t) => {
  const lifecycle = { preStop: { exec: { command: ['drain'] } } };
  const run = await runWorker(t, [
    testPod('a', {
      initContainers: [
        { name: 'one', image: 'web:1', restartPolicy: 'Always' },
        { name: 'two', image: 'web:1', restartPolicy: 'Always' },
      ],
      containers: [{ name: 'web', image: 'web:1', lifecycle }],
    }),
  ]);
  await run.until('Ready', () => isReady(run.pod()));
  await run.client.delete(PODS, 'a', 'default');
  await run.until('gone', () => run.pod() === undefined && run.cri.dump() === '');
  assert.deepEqual(run.hooks, ['exec web']);
  const stops = run.cri.calls.filter((call) => call.startsWith('stopContainer'));
  assert.deepEqual(stops, ['stopContainer web 30', 'stopContainer two 30', 'stopContainer one 30']);
  assert.equal(run.events.filter((line) => line.startsWith('Normal Killing Stopping container')).length, 3);
});

test('a second deletion shortens the time of a container that will not end', async (t) => {
  const run = await runWorker(t, [testPod('a')]);
  run.cri.stubborn.add('web');
  await run.until('Ready', () => isReady(run.pod()));
  await run.client.delete(PODS, 'a', 'default');
  await run.until('asked to stop', () => run.cri.calls.includes('stopContainer web 30'));
  assert.equal(isReady(run.pod()), true);
  await run.client.delete(PODS, 'a', 'default', { gracePeriodSeconds: 5 });
  await run.until('asked again', () => run.cri.calls.includes('stopContainer web 5'));
  run.clock.advance(5000);
  await run.until('gone', () => run.pod() === undefined && run.cri.dump() === '');
});

test('an image that is not there: waiting with the reason, and started once it is', async (t) => {
  const run = await runWorker(t, [testPod('a')], []);
  await run.until('ErrImagePull', () => run.status()?.state?.waiting?.reason === 'ErrImagePull');
  run.cri.addImage('web:1');
  run.clock.advance(1000);
  await run.until('Ready', () => isReady(run.pod()));
});

test('volumes show new annotations of a running pod at once', async (t) => {
  const run = await runWorker(t, [testPod('a')]);
  const refreshed: (string | undefined)[] = [];
  run.context.volumes.refresh = (pod) => {
    refreshed.push(pod.metadata.annotations?.['note']);
    return Promise.resolve();
  };
  await run.until('Ready', () => isReady(run.pod()));
  assert.deepEqual(refreshed, []);
  await run.client.patch(PODS, 'a', 'default', 'merge', { metadata: { annotations: { note: 'new' } } });
  await run.until('refreshed', () => refreshed.length > 0);
  assert.deepEqual(refreshed, ['new']);
});

test('readiness gates: Ready waits for the condition of somebody else and keeps it', async (t) => {
  const run = await runWorker(t, [testPod('a', { readinessGates: [{ conditionType: 'example.com/lb' }] })]);
  await run.until('containers ready', () => condition(run.pod(), 'ContainersReady')?.status === 'True');
  assert.equal(condition(run.pod(), 'Ready')?.reason, 'ReadinessGatesNotReady');
  const conditions = [...(run.pod()?.status?.conditions ?? []), { type: 'example.com/lb', status: 'True' }];
  await run.client.patch(PODS, 'a', 'default', 'merge', { status: { conditions } }, { subresource: 'status' });
  await run.until('Ready', () => isReady(run.pod()));
  assert.equal(condition(run.pod(), 'example.com/lb')?.status, 'True');
});

test('a worker that starts anew takes over running containers and ends those of deleted pods', async (t) => {
  const first = await runWorker(t, [testPod('a')]);
  await first.until('Ready', () => isReady(first.pod()));
  await first.worker.stop();
  const started = first.cri.calls.length;
  const second = new PodWorker(first.context);
  await second.start([first.pod()!]);
  t.after(() => second.stop());
  first.clock.advance(1000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(first.cri.calls.slice(started), []);
  await second.stop();
  const third = new PodWorker(first.context);
  await third.start([]);
  t.after(() => third.stop());
  await first.until('orphan removed', () => first.cri.dump() === '');
});

test('a sandbox that fails to start is reported and tried again', async (t) => {
  const { CriError } = await import('../host/cri/cri.ts');
  const pod = testPod('a');
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const fakes = fakeSurroundings(clock, [pod]);
  fakes.cri.failNext('runPodSandbox', new CriError('RunPodSandbox', 'Unknown', 'no addresses left'));
  const worker = new PodWorker(fakes.context);
  await worker.start([fakes.client.all(PODS)[0]!]);
  t.after(() => worker.stop());
  while (fakes.events.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(fakes.events, ['Warning FailedCreatePodSandBox Failed to create pod sandbox: no addresses left']);
  for (const end = Date.now() + 10_000; Date.now() < end && !fakes.cri.running('web');) {
    clock.advance(500);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(fakes.cri.running('web'));
});

test('activeDeadlineSeconds ends the pod as Failed with DeadlineExceeded', async (t) => {
  const run = await runWorker(t, [testPod('a', { activeDeadlineSeconds: 60 })]);
  await run.until('Ready', () => isReady(run.pod()));
  run.clock.advance(60_000);
  await run.until('Failed', () => run.pod()?.status?.phase === 'Failed');
  assert.equal(run.pod()?.status?.reason, 'DeadlineExceeded');
});

test('what a pod’s resolver lacks is told on the pod, and on the node where that is why (4-070, 4-072)', async (t) => {
  const dnsConfig = { nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] };
  const resolv = { servers: ['192.0.2.9'], searches: [], options: [] };
  const dns = { clusterDns: [], clusterDomain: 'cluster.local' };
  const { node } = fakeSurroundings(new FakeClock(), []).context;
  const run = await runWorker(t, [testPod('a', { dnsConfig })], undefined, {
    ...{ podDns, dnsWarnings, node: { ...node, dns } },
    hostDns: () => Promise.resolve(resolv),
  });
  await run.until('Ready', () => isReady(run.pod()));
  assert.deepEqual(
    run.events.filter((event) => event.includes('Warning')).map((event) => event.split(' ').slice(0, 3).join(' ')),
    ['Node Warning MissingClusterDNS', 'Warning MissingClusterDNS pod:', 'Warning DNSConfigForming Nameserver'],
  );
});

test('a pod whose whole name no kernel takes waits, and an event says why (4-075)', async (t) => {
  const spec = { hostname: 'x'.repeat(40), subdomain: 'sub', setHostnameAsFQDN: true };
  const run = await runWorker(t, [testPod('a', spec)]);
  await run.until('the event', () => run.events.length > 0);
  assert.match(
    run.events[0] ?? '',
    /^Warning FailedCreatePodSandBox Failed to create pod sandbox: .* is too long \(64 characters is the max, 70 characters requested\)$/,
  );
  assert.equal(run.pod()?.status?.phase, 'Pending');
});
