/** The whole proxy in ipvs mode, from the API to real packets. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import type { KubeObject } from '../../api/types.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { silentLog } from '../../lib/log.ts';
import { cleanup } from '../cleanup.ts';
import { runProxy } from '../run.ts';
import { inIPv6, loadScenario, scenarios, WORLD } from '../scenarios/index.ts';
import { ask, KernelWorld } from '../scenarios/kernel-world.ts';

requireOuterNamespace();

let world: KernelWorld;
before(async () => {
  world = await KernelWorld.create();
});
after(async () => {
  assert.deepEqual((await cleanup({ log: silentLog })).failures, []);
  await world.close();
});

const nameOf = (answer: string) => answer.split(':')[0] ?? '';

/** Asks again until true; fails after 20 s. */
async function eventually(test: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await test())) assert.ok(Date.now() < end, 'not within 20 s');
}

it('a running proxy in both families follows a change, and what it wrote serves on when it ends', async (test) => {
  const scenario = scenarios.find((one) => one.name === 'cluster-ip');
  assert.ok(scenario);
  const [four, six] = (['IPv4', 'IPv6'] as const).map((family) => loadScenario(scenario, { family }));
  assert.ok(four && six);
  const dual = four.services.map((service) => ({
    ...service,
    spec: { ...service.spec, clusterIPs: ['10.96.0.20', inIPv6('10.96.0.20')], ipFamilies: ['IPv4', 'IPv6'] },
  }));
  const renamed = six.slices.map((slice) => ({ ...slice, metadata: { ...slice.metadata, name: 'hostnames-6' } }));
  const client = new FakeClient([...dual, ...four.slices, ...renamed] as KubeObject[]);
  const proxy = runProxy({
    client,
    nodeName: WORLD.node.name,
    nodeIps: [WORLD.node.ip, inIPv6(WORLD.node.ip)],
    mode: 'ipvs',
    clusterCidr: `${WORLD.clusterCIDR},${inIPv6(WORLD.clusterCIDR)}`,
    healthzBindAddress: '',
    metricsBindAddress: '',
    flushCheckPeriod: 200,
    log: silentLog,
  });
  test.after(() => proxy.stop());
  await proxy.synced;
  const all = ['own-a:9376', 'own-b:9376', 'far-a:9376'];
  for (const family of ['IPv4', 'IPv6'] as const) {
    const got = await world.ask('client', { ...ask(family, '10.96.0.20', 80), until: all, tries: 20 });
    assert.equal(got.length, 3, `${family}: ${got.join(', ')}`);
  }
  const [slice] = four.slices;
  assert.ok(slice);
  const left = (slice.endpoints ?? []).filter((one) => one.addresses[0] === WORLD.pods['own-b'].ip);
  client.seed({ ...slice, endpoints: left } as KubeObject);
  const answers = async () =>
    (await world.ask('client', { ...ask('IPv4', '10.96.0.20', 80), until: ['nobody'], tries: 4 })).map(nameOf);
  await eventually(async () => (await answers()).join() === 'own-b');
  await proxy.stop();
  assert.deepEqual(await answers(), ['own-b'], 'what it wrote serves on (trap T12)');
});
