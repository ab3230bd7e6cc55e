/** Every scenario with real packets: rules written by the applier, answers from real sockets. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { createConntrack } from '../../host/conntrack.ts';
import { chooseIptables, createIptables, type IptablesVariant } from '../../host/iptables.ts';
import { FlowKeeper } from '../flow-keeper.ts';
import { IptablesApplier } from '../iptables/apply.ts';
import { FakeSysctl } from '../../host/sysctl.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { silentLog } from '../../lib/log.ts';
import { compile } from '../iptables/compile.ts';
import { render } from '../iptables/render.ts';
import { cleanup, iptablesBackendOf } from '../iptables/backend.ts';
import { runProxy } from '../run.ts';
import { loadScenario, scenarios, WORLD, type PodName, type Scenario, type ScenarioPacket } from './index.ts';
import { KernelWorld } from './kernel-world.ts';

requireOuterNamespace();

const variant = (process.env['IPTABLES_VARIANT'] ?? 'legacy') as IptablesVariant;
let world: KernelWorld;
let applier: IptablesApplier;
const seen = new Set<string>();
/** Scenario -> where it is run instead. */
const excused: Readonly<Record<string, string>> = {
  'session-affinity': 'its packets depend on earlier ones: run below, as "a client stays with its endpoint"',
};

before(async () => {
  world = await KernelWorld.create();
  applier = new IptablesApplier(createIptables(variant, { exec: world.onNode }));
});
after(async () => {
  await world.close();
  const missing = scenarios.filter((one) => !seen.has(one.name) && excused[one.name] === undefined);
  assert.deepEqual(
    missing.map((one) => one.name),
    [],
    'neither run nor excused',
  );
});

describe(`real packets go where the scenario says (iptables-${variant})`, () => {
  for (const scenario of scenarios) {
    if (excused[scenario.name] !== undefined) continue;
    it(scenario.name, async () => {
      await applier.sync(loadScenario(scenario).plan);
      for (const packet of scenario.packets) await send(scenario, packet);
      seen.add(scenario.name);
    });
  }
});

const probe = { protocol: 'TCP', until: [], tries: 1, timeout: 3000 } as const;
const planOf = (name: string) => {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario);
  return loadScenario(scenario).plan;
};

it('a client stays with its endpoint while others may differ, and moves when it is gone', async () => {
  const plan = planOf('session-affinity');
  await applier.sync(plan);
  const target = { ...probe, host: '10.96.0.40', port: 80 };
  for (const from of ['client', 'own-b'] as const) {
    const got = await world.ask(from, { ...target, until: ['nobody'], tries: 30 });
    assert.equal(got.length, 1, `${from}: ${got.join(', ')}`);
  }
  const first = (await world.ask('client', target))[0]?.split(':')[0] as PodName;
  const service = plan.servicePorts[0];
  assert.ok(service);
  const left = service.clusterEndpoints.filter((one) => one.ip !== WORLD.pods[first].ip);
  await applier.sync({ ...plan, servicePorts: [{ ...service, clusterEndpoints: left }] });
  const next = (await world.ask('client', target))[0]?.split(':')[0];
  assert.ok(next !== undefined && next !== first && next in WORLD.pods, String(next));
});

it('a new proxy adopts the rules: nothing is written, counters go on, connections stay', async () => {
  const plan = planOf('node-port');
  await applier.sync(plan);
  await world.ask('client', { ...probe, host: '10.96.0.30', port: 80, tries: 5, until: ['nobody'] });
  const counted = async () =>
    (await world.onNode(`iptables-${variant}`, ['-t', 'nat', '-L', 'KUBE-SERVICES', '-vxn'], {})).stdout;
  const before = await counted();
  assert.match(before, /^ +[1-9]\d* .*default\/web: cluster IP/m);
  const result = await new IptablesApplier(createIptables(variant, { exec: world.onNode })).sync(plan);
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
    const [got = ''] = await world.ask('client', { ...probe, host: '10.96.0.20', port: 80 });
    assert.match(got, /^(?:own|far)-/);
  });
}

it('cleans up all it made', async () => {
  const iptables = createIptables(variant, { exec: world.onNode });
  await applier.sync(planOf('load-balancer-source-ranges'));
  await cleanup(iptables);
  applier.distrust();
  const left = (await iptables.save()).split('\n').filter((line) => line.includes('KUBE-'));
  assert.deepEqual(
    left.filter((line) => !line.includes('KUBE-FIREWALL')),
    [],
  );
});

it('keeps a UDP client whose endpoint went from talking to nobody', async () => {
  const plan = planOf('cluster-ip-two-ports');
  await applier.sync(plan);
  const flows = new FlowKeeper(createConntrack('IPv4', world.onNode));
  const context = { node: plan.node, options: plan.options };
  flows.follow({ plan, changed: undefined, problems: [] });
  await flows.reconcile(context, true);
  const target = { ...probe, host: '10.96.0.22', port: 53, protocol: 'UDP', from: 5353 } as const;
  const [before = ''] = await world.ask('client', target);
  const gone = WORLD.pods[before.split(':')[0] as PodName].ip;
  const without = {
    ...plan,
    servicePorts: plan.servicePorts.map((one) => ({
      ...one,
      clusterEndpoints: one.clusterEndpoints.filter((endpoint) => endpoint.ip !== gone),
      servingAddresses: one.servingAddresses.filter((address) => !address.startsWith(`${gone}:`)),
    })),
  };
  await applier.sync(without);
  assert.deepEqual(await world.ask('client', target), [before], 'the kernel remembers the old way');
  // flows of earlier tests may go with it
  flows.follow({ plan: without, changed: undefined, problems: [] });
  assert.ok((await flows.reconcile(context, false)) >= 1);
  const [after = ''] = await world.ask('client', target);
  assert.notEqual(after.split(' ')[0], before.split(' ')[0]);
  assert.match(after, /^(?:own|far)-/);
});

it('chooses the variant that holds our rules, and says when both are used', async () => {
  await applier.sync(planOf('cluster-ip'));
  const chosen = await chooseIptables({ exec: world.onNode });
  assert.equal(chosen.iptables.variant, variant);
  assert.deepEqual(chosen.warnings, []);
  const other = variant === 'legacy' ? 'nft' : 'legacy';
  await world.onNode(`iptables-${other}`, ['-N', 'SOMEBODY']);
  const mixed = await chooseIptables({ exec: world.onNode });
  assert.equal(mixed.iptables.variant, variant);
  assert.equal(mixed.warnings.length, 1);
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
  const [got = ''] = await world.ask('client', { ...probe, host: '10.96.0.20', port: 80 });
  assert.match(got, /^(?:own|far)-/);
});

it('every golden is accepted by iptables-restore', async () => {
  const iptables = createIptables(variant, { exec: world.onNode });
  for (const scenario of scenarios) await iptables.test(render(compile(loadScenario(scenario).plan)));
  await assert.rejects(iptables.test('*nat\n-A PREROUTING -j KUBE-GONE\nCOMMIT\n'));
});

it('a running proxy follows a change, and brings rules back that another program flushed', async () => {
  const scenario = scenarios.find((one) => one.name === 'cluster-ip');
  assert.ok(scenario);
  const { services, slices } = loadScenario(scenario);
  const iptables = createIptables(variant, { exec: world.onNode });
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
  await proxy.synced;
  const target = { ...probe, host: '10.96.0.20', port: 80 };
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
    for (const command of ['-F', '-X']) await world.onNode(`iptables-${variant}`, ['-w', '5', '-t', table, command]);
  }
  await eventually(
    async () => (await world.ask('client', { ...target, timeout: 200 }))[0]?.startsWith('own-b') === true,
  );
  await proxy.stop();
});

/** Asks again until true; fails after 5 s. */
async function eventually(test: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 5000;
  while (!(await test())) assert.ok(Date.now() < end, 'not within 5 s');
}

async function send(scenario: Scenario, packet: ScenarioPacket): Promise<void> {
  const { from, to, port, protocol = 'TCP' } = packet;
  const until =
    typeof packet.expect === 'string' ? [] : packet.expect.map((one) => (one.includes(':') ? one : `${one}:9376`));
  const quiet = until.length === 0;
  const got = await world.ask(from, {
    host: to,
    port,
    protocol: protocol as 'TCP' | 'UDP',
    until,
    tries: quiet ? 1 : 80,
    timeout: quiet ? 600 : 3000,
  });
  assert.deepEqual(
    got.map((one) => spell(packet, one)).sort(),
    expected(packet, got),
    `${scenario.name}: ${JSON.stringify(packet)}`,
  );
}

/** `own-a:9376 10.244.1.1` -> `own-a:9376 masqueraded`. */
function spell({ from, expect }: ScenarioPacket, answer: string): string {
  const [name = '', sawIp] = answer.split(' ');
  if (sawIp === undefined || expect === 'pass') return name;
  // the node's own address may also be what masquerading chooses, so there it cannot be told
  if (from === 'node') return name;
  const own = from === 'outside' ? WORLD.outside : WORLD.pods[from].ip;
  return sawIp === own ? name : `${name} masqueraded`;
}

function expected(
  { from, to, port, expect, masqueraded = false }: ScenarioPacket,
  got: readonly string[],
): readonly string[] {
  if (expect === 'pass') {
    const direct = Object.entries(WORLD.pods).find(([, pod]) => pod.ip === to);
    if (direct) return [`${direct[0]}:${String(port)}`];
    // nobody's address: refused by whoever has it, or lost
    return got.filter((one) => one === 'REJECT' || one === 'DROP');
  }
  if (typeof expect === 'string') return [expect];
  return expect
    .map((answer) => {
      const name = answer.includes(':') ? answer : `${answer as PodName}:9376`;
      const hidden = typeof masqueraded === 'boolean' ? masqueraded : masqueraded.includes(answer);
      return hidden && from !== 'node' ? `${name} masqueraded` : name;
    })
    .sort();
}
