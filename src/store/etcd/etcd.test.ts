import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EtcdCluster } from '../../../test/support/etcd.ts';
import { put, record, storeContract } from '../contract.ts';
import type { Store } from '../store.ts';
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

storeContract({
  name: 'etcd',
  open: openNew,
  async reopen(store) {
    const { prefix = '', base } = opened.get(store) ?? {};
    await store.close();
    return await open(prefix, base);
  },
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
