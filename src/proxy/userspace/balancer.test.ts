import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Affinity } from './affinity.ts';
import { Balancer } from './balancer.ts';
import { targetAt } from './test-servers.ts';

const [a, b, c] = [targetAt(1), targetAt(2), targetAt(3)];
const turns = (balancer: Balancer, count: number, client = 'x') =>
  Array.from({ length: count }, () => balancer.next(client)?.port);

function made(seconds: number | undefined, random = () => 0.999) {
  const clock = { now: 0 };
  const affinity = seconds === undefined ? undefined : new Affinity(seconds, () => clock.now);
  const balancer = new Balancer(random, affinity);
  balancer.set([a, b, c]);
  return { clock, affinity, balancer };
}

it('endpoints take turns in the order drawn', () => {
  assert.deepEqual(turns(made(undefined).balancer, 7), [1, 2, 3, 1, 2, 3, 1]);
  assert.deepEqual(turns(made(undefined, () => 0).balancer, 4), [2, 3, 1, 2]);
});

it('the same endpoints in another order change nothing, others begin anew', () => {
  const { balancer } = made(undefined);
  turns(balancer, 1);
  assert.equal(balancer.set([c, b, a]), false);
  assert.deepEqual(turns(balancer, 1), [2]);
  assert.equal(balancer.set([b, c]), true);
  assert.deepEqual(turns(balancer, 3), [2, 3, 2]);
  assert.equal(balancer.set([]), true);
  assert.equal(balancer.next('x'), undefined);
});

it('a client stays with its endpoint as long as it comes back in time', () => {
  const { balancer, clock } = made(10);
  assert.deepEqual(turns(balancer, 1), [1]);
  for (clock.now = 9000; clock.now < 50_000; clock.now += 9999) assert.deepEqual(turns(balancer, 1), [1]);
  clock.now += 1;
  assert.deepEqual(turns(balancer, 1), [2], 'ten seconds went by');
});

it('clients are told apart, and a retry gives another endpoint that stays', () => {
  const { balancer } = made(10);
  assert.deepEqual([balancer.next('x')?.port, balancer.next('y')?.port, balancer.next('x')?.port], [1, 2, 1]);
  assert.equal(balancer.next('x', true)?.port, 3);
  assert.deepEqual(turns(balancer, 2), [3, 3]);
});

it('a client whose endpoint is gone is given another', () => {
  const { balancer } = made(10);
  turns(balancer, 1);
  balancer.set([b, c]);
  assert.deepEqual(turns(balancer, 2), [2, 2]);
});

it('memory of clients is bounded: who was away longest is forgotten', () => {
  const affinity = new Affinity(1000, () => 0);
  for (let at = 0; at < 65_537; at++) affinity.remember(String(at), a.address);
  assert.equal(affinity.size, 65_536);
  assert.deepEqual([affinity.endpointOf('0'), affinity.endpointOf('1')], [undefined, a.address]);
});

it('switched off, affinity forgets', () => {
  const { affinity, balancer } = made(10);
  turns(balancer, 1);
  balancer.affinity = Affinity.for(undefined, affinity);
  assert.deepEqual(turns(balancer, 2), [2, 3]);
  balancer.affinity = Affinity.for(10, balancer.affinity);
  assert.deepEqual(turns(balancer, 2), [1, 1]);
});

it('another time holds for clients already remembered', () => {
  const { affinity, balancer, clock } = made(10);
  turns(balancer, 1);
  assert.equal(Affinity.for(20, affinity), affinity);
  clock.now = 15_000;
  assert.deepEqual(turns(balancer, 1), [1]);
});
