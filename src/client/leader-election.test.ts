import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEASES } from '../api/kinds.ts';
import type { Lease } from '../api/types.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import type { Client } from './client.ts';
import { FakeClient } from './fake-client.ts';
import { decideLease, LeaderElection, type Observed } from './leader-election.ts';

const lease = (holderIdentity: string, resourceVersion = '5'): Lease => ({
  metadata: { name: 'l', namespace: 'kube-system', resourceVersion },
  spec: { holderIdentity, leaseDurationSeconds: 15 },
});
const cases: [string, Lease | undefined, Observed | undefined, number, ReturnType<typeof decideLease>][] = [
  ['there is none', undefined, undefined, 0, 'create'],
  ['it is ours', lease('me'), undefined, 0, 'renew'],
  ['it was given up', lease(''), undefined, 0, 'take'],
  ['another holds it, seen for the first time', lease('other'), undefined, 1e9, 'wait'],
  ['another holds it and was seen a moment ago', lease('other'), { version: '5', since: 0 }, 14_999, 'wait'],
  ['another holds it and has not renewed for its duration', lease('other'), { version: '5', since: 0 }, 15_000, 'take'],
  ['another has renewed it', lease('other', '6'), { version: '5', since: 0 }, 15_000, 'wait'],
];
for (const [name, found, observed, now, expected] of cases) {
  test(`${name}: ${expected}`, () => {
    assert.equal(decideLease(found, observed, now, 'me'), expected);
  });
}

/** Two processes that want to lead, on one clock, and what acts. */
function world() {
  const clock = new FakeClock(1_700_000_000_000);
  const client = new FakeClient();
  const acting = new Set<string>();
  const reachable = new Set(['a', 'b']);
  const start = (identity: string) => {
    const own = Object.create(client) as Client;
    for (const method of ['get', 'create', 'update'] as const) {
      const inner = client[method].bind(client) as (...args: unknown[]) => Promise<unknown>;
      Object.assign(own, {
        [method]: (...args: unknown[]) =>
          reachable.has(identity) ? inner(...args) : Promise.reject(new Error('no connection')),
      });
    }
    return new LeaderElection({
      client: own,
      clock,
      log: silentLog,
      namespace: 'kube-system',
      name: 'fairway-server',
      identity,
      lead: () => {
        acting.add(identity);
        assert.ok(acting.size <= 1, 'two act at once');
        return {
          stop: () => {
            acting.delete(identity);
            return Promise.resolve();
          },
        };
      },
    });
  };
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 500) {
      clock.advance(500);
      for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
    }
  };
  return { client, acting, reachable, start, pass };
}

test('one of two acts; when it stops the other does at its next look', async () => {
  const { client, acting, start, pass } = world();
  const [a, b] = [start('a'), start('b')];
  await pass(5000);
  assert.equal(acting.size, 1);
  const [first] = acting;
  const [leader, other] = first === 'a' ? [a, b] : [b, a];
  assert.ok(leader.leading);
  await leader.stop();
  assert.deepEqual([...acting], []);
  await pass(2500);
  assert.ok(other.leading);
  const { spec } = await client.get(LEASES, 'fairway-server', 'kube-system');
  assert.equal(spec?.leaseTransitions, 1);
  await other.stop();
});

test('a leader that is cut off stops before the other begins', async () => {
  const { acting, reachable, start, pass } = world();
  const a = start('a');
  await pass(1000);
  const b = start('b');
  await pass(5000);
  assert.deepEqual([...acting], ['a']);
  reachable.delete('a');
  await pass(7000);
  assert.deepEqual([...acting], ['a'], 'a failure or two is no reason to stop');
  await pass(5000);
  assert.deepEqual([...acting], []);
  await pass(8000);
  assert.deepEqual([...acting], ['b']);
  reachable.add('a');
  await pass(20_000);
  assert.deepEqual([...acting], ['b']);
  await Promise.all([a.stop(), b.stop()]);
});
