import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestApi } from '../../test/support/api.ts';
import { sharedStore } from '../../test/support/shared-store.ts';
import { LEASES } from '../api/kinds.ts';
import { createMemoryStore } from '../store/memory.ts';
import { Peers } from './peers.ts';

const ENDPOINTS = '/api/v1/namespaces/default/endpoints/kubernetes';
const SLICE = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes';

test('servers on one store are all behind default/kubernetes, and one that ends takes itself out (1-135 to 1-137)', async () => {
  const store = sharedStore(createMemoryStore(), true);
  const one = await startTestApi({ store, advertiseAddress: '172.30.0.1' });
  const two = await startTestApi({ store, advertiseAddress: '172.30.0.2' });
  const addresses = async () => {
    const { json } = await one.request('GET', ENDPOINTS);
    const slice = (await one.request('GET', SLICE)).json;
    const inSlice = slice.endpoints.flatMap((each: { addresses: string[] }) => each.addresses);
    const inEndpoints = json.subsets.flatMap((each: { addresses: { ip: string }[] }) =>
      each.addresses.map(({ ip }) => ip),
    );
    assert.deepEqual(inSlice, inEndpoints);
    return inEndpoints;
  };
  assert.deepEqual(await addresses(), ['172.30.0.1', '172.30.0.2']);
  await two.stop();
  assert.deepEqual(await addresses(), ['172.30.0.1']);
  await one.stop();
});

test('a server that gave no sign of life for a while is dead, whatever its clock says', async () => {
  const api = await startTestApi({ store: sharedStore(createMemoryStore(), true) });
  let now = api.server.core.clock.now();
  const core = { ...api.server.core, clock: { ...api.server.core.clock, now: () => now } };
  const peers = new Peers(core, { address: '172.30.0.1', port: 6443 });
  const other = new Peers({ ...core, clock: { ...core.clock, now: () => 0 } }, { address: 'fd00::2', port: 6443 });
  await other.renew();
  await core.cache.catchUp();
  const names = () => peers.alive().map(({ address }) => address);
  assert.deepEqual(names(), ['172.30.0.1', 'fd00::2'], 'its clock stands at 1970');
  now += 20_000;
  assert.deepEqual(names(), ['172.30.0.1', 'fd00::2']);
  now += 6_000;
  assert.deepEqual(names(), ['172.30.0.1']);
  await other.renew();
  await core.cache.catchUp();
  assert.deepEqual(names(), ['172.30.0.1', 'fd00::2'], 'it came back');
  await api.stop();
});

test('a server alone writes no leases', async () => {
  const api = await startTestApi();
  const { items } = await api.client.list(LEASES, { namespace: 'kube-system' });
  assert.deepEqual(items, []);
  await api.stop();
});
