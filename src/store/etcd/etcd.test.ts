import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EtcdCluster } from '../../../test/support/etcd.ts';
import { put, record, storeContract } from '../contract.ts';
import type { Store } from '../store.ts';
import { assertAnswersAsMemory } from '../testing-random.ts';
import { shifted } from '../testing-shift.ts';
import { openEtcdStore } from './etcd.ts';

let etcd: EtcdCluster;
before(async () => {
  etcd = await EtcdCluster.start();
});
after(() => etcd.remove());

/** One etcd serves all tests, each under its own prefix. */
let prefixes = 0;
const opened = new WeakMap<Store, { prefix: string; base: number }>();
async function open(prefix: string, base?: number): Promise<Store> {
  const inner = await openEtcdStore({ endpoints: etcd.endpoints, prefix });
  const from = base ?? inner.revision();
  const store = shifted(inner, from);
  opened.set(store, { prefix, base: from });
  return store;
}
const openNew = () => open(`/test-${String((prefixes += 1))}`);

async function reopen(store: Store): Promise<Store> {
  const { prefix = '', base } = opened.get(store) ?? {};
  await store.close();
  return await open(prefix, base);
}

storeContract({ name: 'etcd', open: openNew, reopen });

test('whatever is done, etcd answers as memory does', async () => {
  await assertAnswersAsMemory({ open: openNew, reopen, atOnce: false, numRuns: 100 });
});

test('what etcd sends in pieces is told by whole revisions, from the past and live', async (context) => {
  const store = await openNew();
  context.after(() => store.close());
  const live = record(store, '', 0);
  const keys = ['/a', '/b', '/c'];
  // With what was there before, an answer is twice as long as a commit may be.
  for (const letter of ['x', 'y', 'z']) {
    await store.commit(keys.map((key) => put(key, letter.repeat(450_000))));
  }
  const past = record(store, '', 0);
  await past.until(9);
  for (const { calls } of [live, past]) {
    assert.deepEqual(
      calls.map((call) => call.map(({ key, revision }) => `${String(revision)}${key}`)),
      [1, 2, 3].map((revision) => keys.map((key) => `${String(revision)}${key}`)),
    );
    assert.equal(calls[2]?.[2]?.previous, 'y'.repeat(450_000));
  }
});

test('a prefix that would run into another is refused', async () => {
  for (const prefix of ['fairway', '/', '/a/', '/a b']) {
    await assert.rejects(openEtcdStore({ endpoints: etcd.endpoints, prefix }), /not an etcd prefix/);
  }
});

test('an etcd that was replaced is not taken for the one before', async (context) => {
  const other = await EtcdCluster.start();
  context.after(() => other.remove());
  const store = await openEtcdStore({ endpoints: other.endpoints });
  context.after(() => store.close());
  for (let at = 0; at < 5; at += 1) await store.commit([put('/a', String(at))]);
  const [member] = other.members;
  await member?.kill();
  rmSync(join(other.folder, 'm0'), { recursive: true });
  member?.start();
  await other.ready();
  await assert.rejects(store.reach(), { code: 'failed', message: /has gone back from revision 6 to 1/ });
});

test('stores of different prefixes in one etcd do not see each other, and neither is held up by the other', async (context) => {
  const [one, two] = [await openNew(), await openNew()];
  context.after(() => Promise.all([one.close(), two.close()]));
  const { calls } = record(two, '', 0);
  await one.commit([put('/a', '1')]);
  await two.reach();
  assert.deepEqual((await two.list('')).entries, []);
  assert.deepEqual(calls, []);
});
