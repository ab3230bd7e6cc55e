import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeIptables } from '../../host/iptables-fake.ts';
import { FakeClock } from '../../lib/clock.ts';
import { NO_CHANGE } from './delta.ts';
import { Guard, NO_HOLDINGS, type Holdings } from './guard.ts';

const OURS = '*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -j RETURN\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n';
const OURS_HOLDINGS: Holdings = { ...NO_HOLDINGS, nat: { chains: 1, rules: 2 } };
const FOREIGN = '*nat\n:DOCKER - [0:0]\n-A DOCKER -j RETURN\nCOMMIT\n';

/** A guard over a kernel that holds our rules, 50 ms of whose time pass with `look`. */
async function setUp(isThere: () => boolean = () => true) {
  const iptables = new FakeIptables();
  const clock = new FakeClock();
  const seen = { tampered: 0, looked: 0 };
  const lookForRules = () => {
    seen.looked++;
    return Promise.resolve(isThere());
  };
  const guard = new Guard({ stamps: iptables.stamps(), lookForRules, clock });
  const write = async (text: string, change: Holdings, holdings: Holdings) => {
    const before = guard.begin();
    if (text !== '') await iptables.restore(text);
    guard.end(before, change, holdings);
  };
  await write(OURS, OURS_HOLDINGS, OURS_HOLDINGS);
  guard.watch(() => seen.tampered++);
  return { iptables, clock, guard, seen, write };
}

describe('the guard', () => {
  it('is silent while nobody writes, and asks no tool', async () => {
    const { clock, guard, seen } = await setUp();
    clock.advance(10_000);
    assert.equal(await guard.isIntact(), true);
    assert.deepEqual(seen, { tampered: 0, looked: 0 });
  });

  it('tells of a flush within 50 ms, once, and needs no tool to be sure', async () => {
    const { iptables, clock, guard, seen } = await setUp();
    iptables.flush('nat');
    clock.advance(50);
    assert.equal(seen.tampered, 1);
    assert.equal(await guard.isIntact(), false);
    clock.advance(10_000);
    assert.deepEqual(seen, { tampered: 1, looked: 0 });
  });

  it('looks for our rules when others write, and is at peace when they are there', async () => {
    const { iptables, clock, guard, seen } = await setUp();
    await iptables.restore(FOREIGN);
    clock.advance(50);
    assert.equal(seen.tampered, 1);
    assert.equal(await guard.isIntact(), true);
    clock.advance(10_000);
    assert.equal(await guard.isIntact(), true);
    assert.deepEqual(seen, { tampered: 1, looked: 1 });
  });

  it('believes the tool when the counts alone do not tell', async () => {
    const { iptables, clock, guard } = await setUp(() => false);
    iptables.flush('nat');
    await iptables.restore(FOREIGN + FOREIGN.replaceAll('DOCKER', 'OTHER'));
    clock.advance(50);
    assert.equal(await guard.isIntact(), false);
  });

  it('does not take our own writes for those of others', async () => {
    const { clock, guard, seen, write } = await setUp();
    const change = { ...NO_HOLDINGS, nat: { chains: 0, rules: 1 } };
    await write('*nat\n-I KUBE-SERVICES 2 -j ACCEPT\nCOMMIT\n', change, {
      ...NO_HOLDINGS,
      nat: { chains: 1, rules: 3 },
    });
    clock.advance(10_000);
    assert.equal(await guard.isIntact(), true);
    assert.deepEqual(seen, { tampered: 0, looked: 0 });
  });

  it('does not forget a flush over a write of ours that came after it', async () => {
    const { iptables, clock, guard, seen, write } = await setUp();
    iptables.flush('nat');
    await write('', NO_HOLDINGS, OURS_HOLDINGS);
    clock.advance(50);
    assert.equal(seen.tampered, 1);
    assert.equal(await guard.isIntact(), false);
  });

  it('sees a flush that fell into a write of ours', async () => {
    const { iptables, clock, guard, seen } = await setUp();
    const before = guard.begin();
    iptables.flush('nat');
    assert.equal(await guard.isIntact(), true, 'half-way through a write nothing can be said');
    guard.end(before, NO_HOLDINGS, OURS_HOLDINGS);
    clock.advance(50);
    assert.equal(seen.tampered, 1);
    assert.equal(await guard.isIntact(), false);
  });

  it('is not deaf after a kernel that was read anew', async () => {
    const { iptables, clock, guard, seen } = await setUp();
    iptables.flush('nat', { delete: true });
    const before = guard.begin();
    guard.forget();
    await iptables.restore(OURS);
    guard.end(before, OURS_HOLDINGS, OURS_HOLDINGS);
    clock.advance(1000);
    assert.equal(seen.tampered, 0);
    iptables.flush('nat');
    clock.advance(50);
    assert.equal(seen.tampered, 1);
  });

  it('looks with the tool every time where the kernel cannot be asked', async () => {
    let there = true;
    const guard = new Guard({ stamps: undefined, lookForRules: () => Promise.resolve(there) });
    guard.end(guard.begin(), { ...NO_HOLDINGS, nat: NO_CHANGE }, OURS_HOLDINGS);
    assert.equal(await guard.isIntact(), true);
    there = false;
    assert.equal(await guard.isIntact(), false);
  });
});
