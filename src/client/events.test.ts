import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENTS, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import { FakeClock } from '../lib/clock.ts';
import { createEventRecorder } from './events.ts';
import { FakeClient } from './fake-client.ts';

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '7' },
};

function recorder() {
  const clock = new FakeClock(Date.UTC(2026, 0, 1));
  const client = new FakeClient([], clock);
  return { clock, client, events: createEventRecorder(client, 'kubelet', 'node01', clock) };
}

test('an event refers to its object and says who speaks', async () => {
  const { client, events } = recorder();
  events.event(pod, 'Normal', 'Pulled', 'Container image is present');
  await events.flush();
  const [event] = client.all(EVENTS);
  assert.ok(event);
  assert.deepEqual(event.involvedObject, {
    apiVersion: 'v1',
    kind: 'Pod',
    name: 'web',
    namespace: 'shop',
    uid: 'u1',
    resourceVersion: '7',
  });
  assert.deepEqual(event.source, { component: 'kubelet', host: 'node01' });
  assert.deepEqual([event.metadata.namespace, event.type, event.count], ['shop', 'Normal', 1]);
  assert.equal(event.firstTimestamp, '2026-01-01T00:00:00Z');
});

test('a repeat raises the count, another message is another event', async () => {
  const { client, clock, events } = recorder();
  events.event(pod, 'Warning', 'BackOff', 'again');
  clock.advance(5000);
  events.event({ ...pod, metadata: { ...pod.metadata, resourceVersion: '8' } }, 'Warning', 'BackOff', 'again');
  events.event(pod, 'Warning', 'BackOff', 'other');
  await events.flush();
  assert.deepEqual(
    client.all(EVENTS).map(({ message, count, lastTimestamp }) => [message, count, lastTimestamp]),
    [
      ['again', 2, '2026-01-01T00:00:05Z'],
      ['other', 1, '2026-01-01T00:00:05Z'],
    ],
  );
});

test('a repeat of an event that has gone, or is long past, makes a new one', async () => {
  const { client, clock, events } = recorder();
  events.event(pod, 'Normal', 'Tick', 't');
  await events.flush();
  const { name, namespace } = client.all(EVENTS)[0]!.metadata;
  await client.delete(EVENTS, name, namespace);
  events.event(pod, 'Normal', 'Tick', 't');
  await events.flush();
  assert.deepEqual(
    client.all(EVENTS).map(({ count }) => count),
    [1],
  );
  clock.advance(3_600_000);
  events.event(pod, 'Normal', 'Tick', 't');
  await events.flush();
  assert.deepEqual(
    client.all(EVENTS).map(({ count }) => count),
    [1, 1],
  );
});

test('a server that is away costs the event and nothing else', async () => {
  const { client, events } = recorder();
  client.failNext('create', new Error('away'), EVENTS as Kind);
  events.event(pod, 'Normal', 'Lost', 'x');
  events.event({ ...pod, metadata: { name: 'node01' } }, 'Normal', 'Kept', 'x'.repeat(5000));
  await events.flush();
  const [event] = client.all(EVENTS);
  assert.deepEqual([client.all(EVENTS).length, event?.reason, event?.metadata.namespace], [1, 'Kept', 'default']);
  assert.equal(event?.message?.length, 1024);
});

test('when far too much is recorded the newest is kept', async () => {
  const { client, events } = recorder();
  for (let at = 0; at < 3000; at += 1) events.event(pod, 'Normal', 'Many', String(at));
  await events.flush();
  assert.equal(client.all(EVENTS).length, 1000);
  assert.ok(client.all(EVENTS).some(({ message }) => message === '2999'));
});
