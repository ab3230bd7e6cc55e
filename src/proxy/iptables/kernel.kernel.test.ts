/** What is iptables' own, on the real kernel: its counters, foreign flushes, what it refuses, which variant is used. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { createConntrack } from '../../host/conntrack.ts';
import { HostError } from '../../host/exec.ts';
import { chooseIptables, createIptables } from '../../host/iptables.ts';
import { FakeSysctl } from '../../host/sysctl.ts';
import { silentLog } from '../../lib/log.ts';
import { loadScenario, scenarios, WORLD } from '../scenarios/index.ts';
import { ask, KernelWorld } from '../scenarios/kernel-world.ts';
import { runProxy } from '../run.ts';
import { IptablesApplier } from './apply.ts';
import { cleanup, iptablesBackendOf } from './backend.ts';
import { compile } from './compile.ts';
import { render } from './render.ts';

requireOuterNamespace();

let world: KernelWorld;
before(async () => {
  world = await KernelWorld.create();
});
after(async () => {
  await world.close();
});

const planOf = (name: string) => {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario);
  return loadScenario(scenario).plan;
};

for (const variant of ['legacy', 'nft'] as const) {
  describe(`iptables-${variant}`, () => {
    before(async () => {
      // what other test files left: tables of the legacy tool stay once they were looked at
      for (const tool of ['iptables-legacy', 'iptables-nft']) {
        for (const table of ['filter', 'nat', 'mangle']) {
          for (const all of ['-F', '-X']) await world.onNode(tool, ['-w', '5', '-t', table, all]);
        }
      }
    });
    const iptables = createIptables(variant);
    const applier = new IptablesApplier(iptables);
    after(async () => {
      await cleanup(iptables);
    });

    it('a new proxy adopts the rules: nothing is written, counters go on', async () => {
      const plan = planOf('node-port');
      await applier.sync(plan);
      await world.ask('client', { ...ask('IPv4', '10.96.0.30', 80), tries: 5, until: ['nobody'] });
      const counted = async () =>
        (await world.onNode(`iptables-${variant}`, ['-t', 'nat', '-L', 'KUBE-SERVICES', '-vxn'], {})).stdout;
      const before = await counted();
      assert.match(before, /^ +[1-9]\d* .*default\/web: cluster IP/m);
      const result = await new IptablesApplier(createIptables(variant)).sync(plan);
      assert.deepEqual({ kind: result.kind, bytes: result.bytes }, { kind: 'full', bytes: 0 });
      assert.equal(await counted(), before);
    });

    for (const commands of [['-F'], ['-F', '-X']]) {
      it(`iptables ${commands.join(' and ')} of nat is seen and mended`, async () => {
        const plan = planOf('cluster-ip');
        await applier.sync(plan);
        assert.equal(await applier.isIntact(), true);
        for (const command of commands) await world.onNode(`iptables-${variant}`, ['-w', '5', '-t', 'nat', command]);
        assert.equal(await applier.isIntact(), false);
        applier.distrust();
        await applier.sync(plan);
        const [got = ''] = await world.ask('client', ask('IPv4', '10.96.0.20', 80));
        assert.match(got, /^(?:own|far)-/);
      });
    }

    it('chooses the variant that holds our rules, and says when both are used', async () => {
      await applier.sync(planOf('cluster-ip'));
      const chosen = await chooseIptables();
      assert.equal(chosen.iptables.variant, variant);
      assert.deepEqual(chosen.warnings, []);
      const other = variant === 'legacy' ? 'nft' : 'legacy';
      await world.onNode(`iptables-${other}`, ['-N', 'SOMEBODY']);
      const mixed = await chooseIptables();
      assert.equal(mixed.iptables.variant, variant);
      assert.equal(mixed.warnings.length, 1);
      await world.onNode(`iptables-${other}`, ['-X', 'SOMEBODY']);
    });

    it('leaves out a Service whose rules this kernel refuses, and serves the others', async () => {
      const plan = planOf('cluster-ip');
      const [service] = plan.servicePorts;
      assert.ok(service);
      // an address no parser would let pass: what a kernel without a match answers comes out of the same door
      const bad = { ...service, name: 'default/bad:', service: 'bad', clusterIP: '10.96.0.300' };
      applier.distrust();
      const result = await applier.sync({ ...plan, servicePorts: [bad, service] });
      assert.deepEqual(
        result.refused.map((one) => one.service),
        ['bad'],
      );
      const [got = ''] = await world.ask('client', ask('IPv4', '10.96.0.20', 80));
      assert.match(got, /^(?:own|far)-/);
    });

    it('every golden is accepted by iptables-restore', async () => {
      for (const scenario of scenarios) await iptables.test(render(compile(loadScenario(scenario).plan)));
      await assert.rejects(iptables.test('*nat\n-A PREROUTING -j KUBE-GONE\nCOMMIT\n'));
    });

    it('a running proxy follows a change, and brings rules back that another program flushed', async (test) => {
      const scenario = scenarios.find((one) => one.name === 'cluster-ip');
      assert.ok(scenario);
      const { services, slices } = loadScenario(scenario);
      await cleanup(iptables);
      const client = new FakeClient([...services, ...slices]);
      const proxy = runProxy({
        client,
        nodeName: WORLD.node.name,
        nodeIps: [WORLD.node.ip],
        mode: 'iptables',
        clusterCidr: WORLD.clusterCIDR,
        healthzBindAddress: '',
        metricsBindAddress: '',
        flushCheckPeriod: 100,
        log: silentLog,
        host: {
          backend: () => Promise.resolve(iptablesBackendOf(iptables)),
          conntrack: () => Promise.resolve(createConntrack('IPv4', world.onNode)),
          sysctl: new FakeSysctl(),
        },
      });
      test.after(() => proxy.stop());
      await proxy.synced;
      const target = ask('IPv4', '10.96.0.20', 80);
      const all = ['own-a:9376', 'own-b:9376', 'far-a:9376'];
      assert.equal((await world.ask('client', { ...target, until: all, tries: 80 })).length, 3);

      const [slice] = slices;
      assert.ok(slice);
      client.seed({
        ...slice,
        endpoints: (slice.endpoints ?? []).filter((one) => one.addresses[0] === WORLD.pods['own-b'].ip),
      });
      await eventually(async () => {
        const got = await world.ask('client', { ...target, until: ['nobody'], tries: 10 });
        return got.length === 1 && got[0]?.startsWith('own-b') === true;
      });

      for (const table of ['nat', 'filter', 'mangle']) {
        for (const command of ['-F', '-X']) {
          // rules may be back between the two, and then chains are in use
          const isLate = (error: unknown) => assert.ok(command === '-X' && error instanceof HostError);
          await world.onNode(`iptables-${variant}`, ['-w', '5', '-t', table, command]).catch(isLate);
        }
      }
      await eventually(
        async () => (await world.ask('client', { ...target, timeout: 200 }))[0]?.startsWith('own-b') === true,
      );
    });
  });
}

/** Asks again until true; fails after 30 s: without the kernel's counts a look is taken in one part of a hundred of the time, and a busy machine looks slowly. */
async function eventually(test: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await test())) assert.ok(Date.now() < end, 'not within 30 s');
}
