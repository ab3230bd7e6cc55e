import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostError } from '../../host/exec.ts';
import { FakeIptables } from '../../host/iptables-fake.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import type { Plan, PlanUpdate } from '../plan/types.ts';
import { IptablesApplier } from './apply.ts';
import { renderCleanup } from './cleanup.ts';
import { parse } from './parse.ts';

const planOf = (name: string): Plan => {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario, name);
  return loadScenario(scenario).plan;
};
const together = (...names: string[]): Plan => {
  const plans = names.map(planOf);
  const first = plans[0];
  assert.ok(first);
  return { ...first, servicePorts: plans.flatMap((one) => one.servicePorts) };
};
const withoutEndpoint = (plan: Plan, ip: string): Plan => ({
  ...plan,
  servicePorts: plan.servicePorts.map((service) => ({
    ...service,
    clusterEndpoints: service.clusterEndpoints.filter((one) => one.ip !== ip),
    servingAddresses: service.servingAddresses.filter((one) => !one.startsWith(`${ip}:`)),
  })),
});
const kernelOf = (plan: Plan) => {
  const iptables = new FakeIptables();
  return new IptablesApplier(iptables).sync(plan).then(() => iptables.dump());
};

describe('the applier', () => {
  it('writes nothing when nothing changed', async () => {
    const iptables = new FakeIptables();
    const applier = new IptablesApplier(iptables);
    await applier.sync(planOf('node-port'));
    const again = await applier.sync(planOf('node-port'));
    assert.deepEqual({ kind: again.kind, bytes: again.bytes }, { kind: 'partial', bytes: 0 });
    assert.equal(iptables.restored.length, 1);
  });

  it('writes only the chains of the Service that changed', async () => {
    const iptables = new FakeIptables();
    const applier = new IptablesApplier(iptables);
    const plan = together('cluster-ip', 'session-affinity');
    await applier.sync(plan);
    const result = await applier.sync({
      ...plan,
      servicePorts: [
        ...withoutEndpoint({ ...plan, servicePorts: plan.servicePorts.slice(0, 1) }, '10.244.2.5').servicePorts,
        ...plan.servicePorts.slice(1),
      ],
    });
    assert.deepEqual({ written: result.written, removed: result.removed }, { written: 1, removed: 1 });
    assert.equal(
      iptables.restored[1],
      [
        '*nat',
        ':KUBE-SVC-ODX2UBAZM7RQWOIU - [0:0]',
        ':KUBE-SEP-3C5XT2CPGWXUSCZF - [0:0]',
        '-A KUBE-SVC-ODX2UBAZM7RQWOIU -m comment --comment "default/hostnames:default cluster IP" -m tcp -p tcp -d 10.96.0.20 --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ',
        '-A KUBE-SVC-ODX2UBAZM7RQWOIU -m comment --comment "default/hostnames:default -> 10.244.1.5:9376" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-LZSOAAIF344LOQYR',
        '-A KUBE-SVC-ODX2UBAZM7RQWOIU -m comment --comment "default/hostnames:default -> 10.244.1.6:9376" -j KUBE-SEP-TKZFUYKNSRMALYNM',
        '-X KUBE-SEP-3C5XT2CPGWXUSCZF',
        'COMMIT',
        '',
      ].join('\n'),
    );
  });

  it('adopts what a proxy before it wrote, without writing', async () => {
    const iptables = new FakeIptables();
    await new IptablesApplier(iptables).sync(planOf('load-balancer-local'));
    const result = await new IptablesApplier(iptables).sync(planOf('load-balancer-local'));
    assert.deepEqual({ kind: result.kind, bytes: result.bytes }, { kind: 'full', bytes: 0 });
  });

  it('removes what a proxy before it left and nothing wants, and leaves the rules of others', async () => {
    const iptables = new FakeIptables();
    await iptables.restore('*nat\n:DOCKER - [0:0]\n-A DOCKER -j RETURN\n-A PREROUTING -j DOCKER\nCOMMIT\n');
    await new IptablesApplier(iptables).sync(planOf('load-balancer-source-ranges'));
    await new IptablesApplier(iptables).sync(planOf('cluster-ip'));
    const dump = iptables.dump();
    assert.doesNotMatch(dump, /default\/web/);
    assert.match(dump, /-A DOCKER -j RETURN/);
    assert.match(dump, /-A PREROUTING -j DOCKER/);
  });

  for (const remove of [false, true]) {
    it(`sees a flush${remove ? ' with removal of the chains' : ''} and mends it`, async () => {
      const plan = planOf('node-port');
      const iptables = new FakeIptables();
      const applier = new IptablesApplier(iptables);
      await applier.sync(plan);
      assert.equal(await applier.isIntact(), true);
      for (const table of ['nat', 'filter']) iptables.flush(table, { delete: remove });
      assert.equal(await applier.isIntact(), false);
      applier.distrust();
      await applier.sync(plan);
      assert.equal(iptables.dump(), await kernelOf(plan));
      assert.equal(await applier.isIntact(), true);
    });
  }

  it('mends a flush that is noticed while a sync is under way', async () => {
    const plan = planOf('node-port');
    const iptables = new FakeIptables();
    const applier = new IptablesApplier(iptables);
    await applier.sync(planOf('cluster-ip'));
    const restore = iptables.restore.bind(iptables);
    iptables.restore = async (text) => {
      await restore(text);
      iptables.restore = restore;
      iptables.flush('nat', { delete: true });
      applier.distrust();
    };
    await applier.sync(plan);
    assert.equal((await applier.sync(plan)).kind, 'full');
    assert.equal(iptables.dump(), await kernelOf(plan));
  });

  it('reads the kernel again after a failure, and loses no change (trap T5)', async () => {
    const iptables = new FakeIptables();
    const applier = new IptablesApplier(iptables);
    await applier.sync(planOf('cluster-ip'));
    iptables.failNext = new HostError(
      ['iptables-restore'],
      'exit code 4',
      4,
      'Another app is currently holding the xtables lock',
    );
    await assert.rejects(applier.sync(planOf('node-port')), HostError);
    assert.equal((await applier.sync(planOf('node-port'))).kind, 'full');
    assert.equal(iptables.dump(), await kernelOf(planOf('node-port')));
  });

  it('mends what a doubt was about, also when changes come with it, and believes a kernel that says what it said', async () => {
    const iptables = new FakeIptables();
    const applier = new IptablesApplier(iptables);
    const plan = together('cluster-ip', 'session-affinity');
    const [first, second] = plan.servicePorts;
    assert.ok(first && second);
    await applier.sync(plan);
    const doubtful = async (changed: PlanUpdate['changed'], after: Plan) => {
      applier.distrust();
      const { kind } = await applier.apply({ plan: after, changed, problems: [] });
      assert.equal(kind, 'full');
      assert.equal(iptables.dump(), await kernelOf(after));
    };
    const nothing = new Map<string, never>();
    await doubtful(nothing, plan);
    await doubtful(nothing, plan);
    iptables.flush('nat');
    await doubtful(nothing, plan);
    await doubtful(nothing, plan);
    const changed = new Map([['default/web', { before: [second], after: [] }]]);
    await doubtful(changed, { ...plan, servicePorts: [first] });
  });

  it('does not believe in a book that a failed write left behind', async () => {
    const iptables = new FakeIptables();
    const applier = new IptablesApplier(iptables);
    const plan = together('cluster-ip', 'session-affinity');
    const [first, second] = plan.servicePorts;
    assert.ok(first && second);
    await applier.sync(plan);
    applier.distrust();
    await applier.sync(plan);
    iptables.failNext = new HostError(['iptables-restore'], 'exit code 4', 4, 'locked');
    const changed = new Map([['default/web', { before: [second], after: [] }]]);
    const after = { ...plan, servicePorts: [first] };
    await assert.rejects(applier.apply({ plan: after, changed, problems: [] }), HostError);
    applier.distrust();
    // the planner tells of the change only once
    await applier.apply({ plan: after, changed: new Map(), problems: [] });
    assert.equal(iptables.dump(), await kernelOf(after));
  });

  it('writes all again when a partial write fails, and counts the failure (trap T6)', async () => {
    const iptables = new FakeIptables();
    const applier = new IptablesApplier(iptables);
    const plan = planOf('cluster-ip');
    await applier.sync(plan);
    // what the next partial write counts on is gone
    iptables.flush('nat', { delete: true });
    const [port] = plan.servicePorts;
    assert.ok(port);
    const changed = new Map([['default/hostnames', { before: [port], after: [] }]]);
    const after = { ...plan, servicePorts: [] };
    const { figures } = await applier.apply({ plan: after, changed, problems: [] });
    assert.equal(figures?.partialFailures, 1);
    assert.equal(iptables.dump(), await kernelOf(after));
  });

  it('tells how many rules are there, and how many it wrote (3-149)', async () => {
    const iptables = new FakeIptables();
    const { figures } = await new IptablesApplier(iptables).sync(planOf('cluster-ip'));
    const count = (table: string) =>
      iptables
        .dump()
        .split(/^\*/m)
        .find((part) => part.startsWith(table))
        ?.match(/^-A /gm)?.length ?? 0;
    for (const table of ['filter', 'nat', 'mangle']) {
      assert.deepEqual(figures?.tables?.[table], { total: count(table), last: count(table) }, table);
    }
  });

  it('leaves out the Service the kernel refuses, and names it', async () => {
    const iptables = new FakeIptables();
    const applier = new IptablesApplier(iptables);
    await applier.sync(planOf('cluster-ip'));
    iptables.refuse = (line) => line.includes('-m recent');
    const plan = together('cluster-ip', 'session-affinity', 'node-port-udp');
    const result = await applier.sync(plan);
    assert.deepEqual(
      result.refused.map((one) => one.service),
      ['web'],
    );
    assert.equal(result.refused[0]?.message, 'the kernel refuses the rules of port default/web: (TCP)');
    assert.equal(iptables.dump(), await kernelOf(together('cluster-ip', 'node-port-udp')));
  });

  it('fails as a whole when no Service is at fault', async () => {
    const iptables = new FakeIptables();
    iptables.refuse = (line) => line.includes('MASQUERADE');
    await assert.rejects(new IptablesApplier(iptables).sync(planOf('cluster-ip')), HostError);
  });

  it('cleans up to the state before it', async () => {
    const iptables = new FakeIptables();
    await iptables.restore(
      '*nat\n:DOCKER - [0:0]\n-A DOCKER -j RETURN\n-A PREROUTING -j DOCKER\nCOMMIT\n*filter\nCOMMIT\n*mangle\nCOMMIT\n',
    );
    const before = iptables.dump();
    const plan = {
      ...planOf('load-balancer-source-ranges'),
      options: { ...planOf('cluster-ip').options, localhostNodePorts: 'off' as const },
    };
    await new IptablesApplier(iptables).sync(plan);
    await iptables.restore(renderCleanup(parse(iptables.dump())));
    assert.equal(iptables.dump(), before);
    assert.equal(renderCleanup(parse(before)), '');
  });
});
