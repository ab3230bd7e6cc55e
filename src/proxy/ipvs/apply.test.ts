/** The applier against tools in memory: what is written, in which order, and that nothing is forgotten. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HostError } from '../../host/exec.ts';
import { FakeIptables } from '../../host/iptables-fake.ts';
import { FakeIpvsTools } from '../../host/ipvs-tools-fake.ts';
import type { Family } from '../../lib/ip.ts';
import { plan as planAll } from '../plan/plan.ts';
import { Planner } from '../plan/planner.ts';
import type { Plan } from '../plan/types.ts';
import { inIPv6 } from '../scenarios/ipv6.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import { clusters, nodes, objectsOf, optionsWith } from '../scenarios/random-cluster.ts';
import { IpvsApplier } from './apply.ts';
import { ipvsMode } from './mode.ts';

const traits = ipvsMode.traits('IPv4');

function planOf(name: string): Plan {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario, name);
  return loadScenario(scenario, { traits }).plan;
}

const whole = (plan: Plan) => ({ plan, changed: undefined, problems: plan.problems });

function machine(excludeCIDRs: readonly string[] = [], family: Family = 'IPv4') {
  const tools = new FakeIpvsTools();
  const iptables = new FakeIptables();
  const create = () => new IpvsApplier({ family, tools, iptables, scheduler: 'rr', excludeCIDRs });
  return { tools, iptables, create, applier: create() };
}

/** All that a kernel would hold, in an order of its own. */
function kernel({ tools, iptables }: ReturnType<typeof machine>) {
  return {
    sets: [...tools.sets].map(([name, { elements }]) => [name, [...elements].sort()] as const).sort(),
    servers: [...tools.servers].map(([key, { options, real }]) => [key, options, [...real].sort()] as const).sort(),
    bound: [...(tools.bound ?? [])].sort(),
    rules: iptables.dump(),
  };
}

async function kernelOf(plan: Plan) {
  const one = machine([], plan.options.family);
  await one.applier.sync(whole(plan));
  return kernel(one);
}

describe('the applier of ipvs mode', () => {
  for (const { name } of scenarios) {
    it(`makes the kernel hold ${name}, and then has nothing more to do`, async () => {
      const one = machine();
      const { kind, changes, refused } = await one.applier.sync(whole(planOf(name)));
      assert.equal(kind, 'full');
      assert.ok(changes > 0);
      assert.deepEqual(refused, []);
      assert.equal((await one.create().sync(whole(planOf(name)))).changes, 0, 'a new proxy adopts it');
      assert.equal(await one.applier.isIntact(), true);
    });
  }

  it('makes anything out of anything, and leaves nothing over', async () => {
    const one = machine();
    for (const { name } of [...scenarios, ...scenarios.toReversed()]) {
      one.applier.distrust();
      await one.applier.sync(whole(planOf(name)));
      assert.deepEqual(kernel(one), await kernelOf(planOf(name)), name);
    }
  });

  it('serves before it lets packets in, and stops serving before it lets go of the address', async () => {
    const one = machine();
    await one.applier.sync(whole(planOf('cluster-ip')));
    const at = (pattern: RegExp, lines: readonly string[]) => lines.findIndex((line) => pattern.test(line));
    const up = one.tools.lines;
    assert.ok(at(/^add KUBE-CLUSTER-IP/, up) < at(/^bind/, up));
    one.tools.lines.length = 0;
    one.applier.distrust();
    await one.applier.sync(whole(planOf('skipped-services')));
    const down = one.tools.lines;
    assert.ok(at(/^-D -t/, down) < at(/^unbind/, down));
    assert.ok(at(/^unbind/, down) < at(/^del KUBE-IPVS-IPS/, down));
  });

  it('reads the kernel again after a failure, and loses no change (trap T5)', async () => {
    const one = machine();
    await one.applier.sync(whole(planOf('cluster-ip')));
    one.tools.failNext = new HostError(['ipset'], 'exit code 1', 1, 'Kernel error received: out of memory');
    await assert.rejects(one.applier.sync(whole(planOf('node-port'))), HostError);
    assert.equal((await one.applier.sync(whole(planOf('node-port')))).kind, 'full');
    assert.deepEqual(kernel(one), await kernelOf(planOf('node-port')));
  });

  for (const line of [
    /^add KUBE-CLUSTER-IP 10\.96\.0\.20,/,
    /^10\.96\.0\.20$/,
    /^-A -t 10\.96\.0\.20:80/,
    /^-a -t 10\.96\.0\.20:80 -r 10\.244\.1\.6/,
  ]) {
    it(`leaves out the Service of ${line.source}, names it, and serves the others`, async () => {
      const one = machine();
      const [good, bad] = [planOf('cluster-ip-two-ports'), planOf('cluster-ip')];
      one.tools.refuse = (text) => line.test(text);
      const both = { ...good, servicePorts: [...bad.servicePorts, ...good.servicePorts] };
      const { refused } = await one.applier.sync(whole(both));
      assert.deepEqual([...new Set(refused.map(({ service }) => service))], ['hostnames']);
      assert.equal(refused[0]?.message, 'the kernel refuses port default/hostnames:default (TCP)');
      const held = kernel(one);
      assert.deepEqual(held.servers, (await kernelOf(good)).servers);
      assert.deepEqual(held.bound, (await kernelOf(good)).bound);
    });
  }

  for (const changed of [undefined, new Map<string, never>()]) {
    const of = changed ? 'that has no news' : 'of everything';
    it(`tries what the kernel refused again with the next full sync ${of}, and then says no more of it`, async () => {
      const one = machine();
      const plan = planOf('cluster-ip');
      one.tools.refuse = (text) => text.startsWith('-A -t 10.96.0.20:80');
      assert.equal((await one.applier.sync(whole(plan))).refused.length, 1);
      one.tools.refuse = () => false;
      one.applier.distrust();
      assert.deepEqual((await one.applier.sync({ plan, changed, problems: [] })).refused, []);
      assert.deepEqual(kernel(one), await kernelOf(plan));
    });
  }

  it('looks again when it was doubted while it wrote: what went wrong may have gone wrong after the write', async () => {
    const one = machine();
    const restore = one.iptables.restore.bind(one.iptables);
    one.iptables.restore = async (text) => {
      await restore(text);
      one.applier.distrust();
    };
    await one.applier.sync(whole(planOf('cluster-ip')));
    one.iptables.restore = restore;
    const plan = planOf('cluster-ip');
    const nothing = { plan, changed: new Map(), problems: [] };
    assert.equal((await one.applier.sync(nothing)).kind, 'full');
    assert.equal((await one.applier.sync(nothing)).kind, 'partial');
  });

  it('keeps a real server with connections at weight 0 until they end, in TCP alone (3-123)', async () => {
    const one = machine();
    const plan = planOf('cluster-ip-two-ports');
    const without = (gone: string): Plan => ({
      ...plan,
      servicePorts: plan.servicePorts.map((port) => ({
        ...port,
        clusterEndpoints: port.clusterEndpoints.filter(({ ip }) => ip !== gone),
      })),
    });
    await one.applier.sync(whole(plan));
    one.tools.open.set('-t 10.96.0.22:53 10.244.1.5:8080', 2);
    one.tools.open.set('-u 10.96.0.22:53 10.244.1.5:9376', 2);
    await one.applier.sync(whole(without('10.244.1.5')));
    const weights = (key: string) => one.tools.servers.get(key)?.real;
    assert.equal(weights('-t 10.96.0.22:53')?.get('10.244.1.5:8080'), 0);
    assert.equal(weights('-t 10.96.0.22:9153')?.has('10.244.1.5:9376'), false, 'no connections there');
    assert.equal(weights('-u 10.96.0.22:53')?.has('10.244.1.5:9376'), false);
    assert.equal(one.applier.draining, 1);
    await one.applier.review();
    assert.equal(one.applier.draining, 1);
    one.tools.open.clear();
    await one.applier.review();
    assert.deepEqual([one.applier.draining, weights('-t 10.96.0.22:53')?.has('10.244.1.5:8080')], [0, false]);
  });

  it('never touches the virtual servers of others, and spares those in excludeCIDRs (trap T13, 3-124)', async () => {
    const one = machine(['10.96.0.128/25']);
    one.tools.bound = new Set(['10.96.0.200']);
    await one.tools.changeServers(['-A -t 172.30.0.11:9999 -s wlc', '-A -f 7 -s rr', '-A -t 10.96.0.200:80 -s rr']);
    await one.applier.sync(whole(planOf('cluster-ip')));
    for (const key of ['-t 172.30.0.11:9999', '-f 7', '-t 10.96.0.200:80']) assert.ok(one.tools.servers.has(key), key);
  });
});

describe('step by step', () => {
  it('the kernel holds what a full sync would make it hold, element for element', async () => {
    const steps = fc.array(fc.record({ at: fc.integer({ min: 0, max: 2 }), to: fc.constantFrom('a', 'b', 'gone') }), {
      minLength: 1,
      maxLength: 6,
    });
    const families = fc.constantFrom<Family>('IPv4', 'IPv6');
    const run = fc.asyncProperty(
      families.chain((family) => fc.tuple(fc.constant(family), optionsWith(ipvsMode.traits(family)))),
      clusters,
      clusters,
      steps,
      nodes,
      async ([family, inIPv4], a, b, changes, ofIPv4) => {
        const read = <T>(value: T): T => (family === 'IPv6' ? inIPv6(value) : value);
        const [options, node] = [read(inIPv4), read(ofIPv4)];
        const choices = { a: a.map((one) => read(objectsOf(one))), b: b.map((one) => read(objectsOf(one))) };
        const state: ((typeof choices.a)[number] | undefined)[] = [undefined, undefined, undefined];
        const planner = new Planner(node, options);
        const one = machine([], family);
        let partial = 0;
        await one.applier.sync(planner.update());
        for (const { at, to } of changes) {
          const { service, slices = [] } = state[at] ?? {};
          for (const slice of slices) planner.deleteSlice(slice);
          if (service) planner.deleteService(service);
          const next = to === 'gone' ? undefined : choices[to][at];
          state[at] = next;
          if (next) planner.setService(next.service);
          for (const slice of next?.slices ?? []) planner.setSlice(slice);
          const { kind } = await one.applier.sync(planner.update());
          if (kind === 'partial') partial++;
        }
        assert.equal(partial, changes.length);
        const present = state.filter((some) => some !== undefined);
        const wanted = planAll(
          present.map((some) => some.service),
          present.flatMap((some) => some.slices),
          node,
          options,
        );
        assert.deepEqual(kernel(one), await kernelOf(wanted));
      },
    );
    await fc.assert(run, { numRuns: Number(process.env['FUZZ_RUNS'] ?? 1000) });
  });
});
