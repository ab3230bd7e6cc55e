import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { internalError } from '../api/api-error.ts';
import { EVENTS, NODES, PODS } from '../api/kinds.ts';
import type { Pod } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeClock, type Clock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { runScheduler } from './run.ts';
import { aNode, aPod, asking } from './test-objects.ts';

async function start(t: TestContext, client: FakeClient, clock?: Clock): Promise<void> {
  const scheduler = runScheduler({ client, log: silentLog, ...(clock && { clock }) });
  t.after(() => scheduler.stop());
  await scheduler.started;
}

async function until(client: FakeClient, check: (pods: Pod[]) => boolean): Promise<Pod[]> {
  if (check(client.all(PODS))) return client.all(PODS);
  const signal = AbortSignal.timeout(5000);
  for await (const _event of client.watch(PODS, { signal })) if (check(client.all(PODS))) return client.all(PODS);
  throw new Error(`waited in vain: ${JSON.stringify(client.all(PODS))}`);
}
/** Lets time go by, in small steps, until the Pods are as they should be. */
async function later(client: FakeClient, clock: FakeClock, check: (pods: Pod[]) => boolean): Promise<void> {
  for (let step = 0; step < 100; step++) {
    if (check(client.all(PODS))) return;
    clock.advance(100);
    await new Promise(setImmediate);
  }
  throw new Error(`waited in vain: ${JSON.stringify(client.all(PODS))}`);
}
const homes = (pods: Pod[]) =>
  pods
    .map(({ spec }) => spec.nodeName ?? '-')
    .sort()
    .join('');

test('a Pod is bound, and an event says where', async (t) => {
  const client = new FakeClient([aNode('a')]);
  await start(t, client);
  await client.create(PODS, aPod('p'));
  await until(client, ([pod]) => pod?.spec.nodeName === 'a');
  for await (const _event of client.watch(EVENTS, { signal: AbortSignal.timeout(5000) })) break;
  const [event] = client.all(EVENTS);
  assert.deepEqual([event?.reason, event?.message], ['Scheduled', 'Successfully assigned default/p to a']);
});

test('a burst spreads, for Pods count from the moment they are assigned', async (t) => {
  const client = new FakeClient([aNode('a'), aNode('b')]);
  await start(t, client);
  await Promise.all(
    ['1', '2', '3', '4', '5', '6'].map((name) => client.create(PODS, aPod(name, asking({ cpu: '600m' })))),
  );
  await until(client, (pods) => homes(pods) === 'aaabbb');
});

test('a Pod that fits nowhere says why, and goes when there is room', async (t) => {
  const client = new FakeClient([aNode('a')]);
  const clock = new FakeClock();
  await start(t, client, clock);
  await client.create(PODS, aPod('big', asking({ cpu: '3' })));
  const [waiting] = await until(client, ([pod]) => pod?.status?.conditions !== undefined);
  const condition = waiting?.status?.conditions?.[0];
  assert.deepEqual(
    [condition?.type, condition?.status, condition?.reason, condition?.message],
    ['PodScheduled', 'False', 'Unschedulable', '0/1 nodes are available: 1 Insufficient cpu.'],
  );
  await client.create(NODES, aNode('large', { status: { allocatable: { cpu: '8', memory: '8Gi', pods: '10' } } }));
  await later(client, clock, ([pod]) => pod?.spec.nodeName === 'large');
});

test('a timer that fires a moment early does not make a Pod miss the room there is', async (t) => {
  const clock = new FakeClock();
  const hasty: Clock = {
    now: () => clock.now(),
    after: (ms, callback) => clock.after(Math.max(0, ms - 1), callback),
  };
  const client = new FakeClient([aNode('a')]);
  await start(t, client, hasty);
  await client.create(PODS, aPod('big', asking({ cpu: '3' })));
  await until(client, ([pod]) => pod?.status?.conditions !== undefined);
  await client.create(NODES, aNode('large', { status: { allocatable: { cpu: '8', memory: '8Gi', pods: '10' } } }));
  await later(client, clock, ([pod]) => pod?.spec.nodeName === 'large');
});

test('room made by a Pod that ends is used', async (t) => {
  const holder = aPod('holder', { ...asking({ cpu: '2' }), nodeName: 'a' });
  const client = new FakeClient([aNode('a'), holder]);
  const clock = new FakeClock();
  await start(t, client, clock);
  await client.create(PODS, aPod('p', asking({ cpu: '1' })));
  await until(client, (pods) => pods.some(({ status }) => status?.conditions !== undefined));
  const current = client.all(PODS).find(({ metadata }) => metadata.name === 'holder')!;
  await client.update(PODS, { ...current, status: { phase: 'Succeeded' } }, { subresource: 'status' });
  await later(client, clock, (pods) => homes(pods) === 'aa');
});

test('a binding that failed is tried again', async (t) => {
  const client = new FakeClient([aNode('a')]);
  await start(t, client);
  client.failNext('create', internalError('down'), PODS);
  client.seed(aPod('p', asking({ cpu: '2' })));
  await until(client, ([pod]) => pod?.spec.nodeName === 'a');
});

test('Pods of another scheduler are left alone', async (t) => {
  const client = new FakeClient([aNode('a')]);
  await start(t, client);
  await client.create(PODS, aPod('theirs', { schedulerName: 'other' }));
  await client.create(PODS, aPod('ours'));
  await until(client, (pods) => homes(pods) === '-a');
});
