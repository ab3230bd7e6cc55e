import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { it, type TestContext } from 'node:test';
import { HostError } from '../../host/exec.ts';
import { FakeIptables } from '../../host/iptables-fake.ts';
import { silentLog, type Log } from '../../lib/log.ts';
import type { UserspaceSettings } from '../backend.ts';
import type { Plan, PlanUpdate, ServicePort } from '../plan/types.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import { cleanup, userspaceBackendOf } from './backend.ts';
import { userspaceMode } from './mode.ts';
import { RelaySet } from './relay-set.ts';
import { askTcp } from './test-servers.ts';

function planOf(name: string): Plan {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario);
  return loadScenario(scenario, { traits: userspaceMode.traits('IPv4') }).plan;
}
const whole = (plan: Plan): PlanUpdate => ({ plan, changed: undefined, problems: [] });
const changed = (plan: Plan, before: readonly ServicePort[], after: readonly ServicePort[]): PlanUpdate => ({
  plan,
  changed: new Map([['default/hostnames', { before, after }]]),
  problems: [],
});
const withPorts = (plan: Plan, servicePorts: readonly ServicePort[]): Plan => ({ ...plan, servicePorts });
const onlyPort = (plan: Plan): ServicePort => {
  const [service] = plan.servicePorts;
  assert.ok(service);
  return service;
};

function backendOn(
  t: TestContext,
  iptables: FakeIptables,
  { log = silentLog, ...userspace }: Partial<UserspaceSettings> & { log?: Log } = {},
) {
  const backend = userspaceBackendOf(iptables, { family: 'IPv4', log, userspace });
  t.after(() => backend.stop());
  return backend;
}
const plan = planOf('cluster-ip');
const hostnames = onlyPort(plan);

it('endpoints come and go without a rule, and are named in the log', async (t) => {
  const said: string[] = [];
  const log = { ...silentLog, info: (_: unknown, text: string) => said.push(text) } as unknown as Log;
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables, { log });
  assert.equal((await backend.sync(whole(plan))).kind, 'full');
  const fewer = { ...hostnames, clusterEndpoints: hostnames.clusterEndpoints.slice(0, 1) };
  const update = changed(withPorts(plan, [fewer]), [hostnames], [fewer]);
  assert.deepEqual(await backend.sync(update), { kind: 'partial', changes: 0, refused: [] });
  assert.equal(iptables.restored.length, 1);
  assert.deepEqual(said, [
    'Setting endpoints for default/hostnames:default to [10.244.1.5:9376 10.244.1.6:9376 10.244.2.5:9376]',
    'Setting endpoints for default/hostnames:default to [10.244.1.5:9376]',
  ]);
});

it('the last endpoint that goes turns the portal into a refusal, on the same port when one comes back', async (t) => {
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables);
  await backend.sync(whole(plan));
  const port = backend.relays.portOf(hostnames, 'Cluster');
  const none: ServicePort = { ...hostnames, clusterEndpoints: [], servingAddresses: [], internalRoute: 'REJECT' };
  await backend.sync(changed(withPorts(plan, [none]), [hostnames], [none]));
  assert.match(iptables.dump(), /default\/hostnames:default has no endpoints.*REJECT/);
  assert.doesNotMatch(iptables.dump(), /REDIRECT/);
  await backend.sync(changed(plan, [none], [hostnames]));
  assert.match(iptables.dump(), new RegExp(`REDIRECT --to-ports ${String(port)}`));
});

it('the next proxy finds the ports in the rules, and writes nothing', async (t) => {
  const iptables = new FakeIptables();
  const both = planOf('both-policies-local');
  // an older proxy that could not have the ports it would have preferred
  const first = backendOn(t, iptables, { proxyPortRange: '41000-41999' });
  await first.sync(whole(both));
  const written = iptables.restored.length;
  const next = backendOn(t, iptables);
  assert.equal((await next.sync(whole(both))).changes, 0);
  assert.equal(iptables.restored.length, written);
  for (const pool of ['Cluster', 'Local'] as const) {
    const port = next.relays.portOf(onlyPort(both), pool);
    assert.equal(port, first.relays.portOf(onlyPort(both), pool));
    assert.ok(port !== undefined && port >= 41000 && port <= 41999);
  }
});

it('a port that another program has is not waited for: the relay takes the next', async (t) => {
  const first = backendOn(t, new FakeIptables());
  await first.sync(whole(plan));
  const preferred = first.relays.portOf(hostnames, 'Cluster') ?? 0;
  await first.stop();
  const other = createServer();
  await once(other.listen(preferred, '0.0.0.0'), 'listening');
  t.after(() => other.close());
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables);
  assert.deepEqual((await backend.sync(whole(plan))).refused, []);
  assert.equal(backend.relays.portOf(hostnames, 'Cluster'), preferred + 1);
  assert.match(iptables.dump(), new RegExp(`REDIRECT --to-ports ${String(preferred + 1)}\n`));
});

it('a Service without a port left is refused, the others are served, and it is tried again', async (t) => {
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables, { proxyPortRange: '41500-41500' });
  const second = { ...hostnames, name: 'default/more:', service: 'more', clusterIP: '10.96.0.77' };
  const { refused } = await backend.sync(whole(withPorts(plan, [hostnames, second])));
  assert.deepEqual(refused, [
    { namespace: 'default', service: 'more', message: 'port default/more: (TCP): there is no proxy port left' },
  ]);
  assert.match(iptables.dump(), /-d 10\.96\.0\.20 .*REDIRECT/);
  assert.doesNotMatch(iptables.dump(), /10\.96\.0\.77/);
  await backend.sync(changed(withPorts(plan, [second]), [hostnames], []));
  backend.distrust();
  assert.deepEqual((await backend.sync(whole(withPorts(plan, [second])))).refused, []);
  assert.match(iptables.dump(), /-d 10\.96\.0\.77 .*REDIRECT/);
});

it('after a failure everything is written, whatever changed since', async (t) => {
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables);
  await backend.sync(whole(plan));
  const moved = { ...hostnames, clusterIP: '10.96.0.88' };
  iptables.failNext = new HostError(['iptables-restore'], 'exit code 4', 4, 'busy');
  await assert.rejects(backend.sync(changed(withPorts(plan, [moved]), [hostnames], [moved])), HostError);
  const nothing: PlanUpdate = { plan: withPorts(plan, [moved]), changed: new Map(), problems: [] };
  assert.equal((await backend.sync(nothing)).kind, 'full');
  assert.match(iptables.dump(), /-d 10\.96\.0\.88 /);
});

it('SCTP is left out with a reason, and TCP on the same number is relayed', async (t) => {
  const sctp = planOf('sctp');
  assert.deepEqual(
    sctp.problems.map((one) => `${one.service}: ${one.message}`),
    ['sctp-empty', 'sctp'].map((name) => `${name}: port 80: SCTP cannot be relayed; use another proxy mode for it`),
  );
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables);
  await backend.sync(whole(sctp));
  assert.doesNotMatch(iptables.dump(), /-p sctp/);
  assert.match(iptables.dump(), /-p tcp .*REDIRECT/);
});

it('a Service that is gone has neither rule nor listener', async (t) => {
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables);
  await backend.sync(whole(plan));
  const port = backend.relays.portOf(hostnames, 'Cluster') ?? 0;
  await backend.sync(changed(withPorts(plan, []), [hostnames], []));
  assert.doesNotMatch(iptables.dump(), /hostnames/);
  assert.equal(await askTcp(port), 'ECONNREFUSED');
  assert.equal(backend.relays.size, 0);
});

it('a flush is seen and mended, and clean-up leaves the rules of others', async (t) => {
  const iptables = new FakeIptables();
  await iptables.restore('*nat\n:SOMEBODY - [0:0]\n-A SOMEBODY -j RETURN\n-A PREROUTING -j SOMEBODY\nCOMMIT\n');
  const others = iptables.dump();
  const backend = backendOn(t, iptables);
  await backend.sync(whole(plan));
  const before = iptables.dump();
  assert.equal(await backend.isIntact(), true);
  iptables.flush('filter', { delete: true });
  assert.equal(await backend.isIntact(), false);
  backend.distrust();
  await backend.sync(whole(plan));
  assert.equal(iptables.dump(), before);
  assert.ok((await cleanup(iptables)) > 0);
  assert.equal(iptables.dump().replace(/^\*filter[^]*?COMMIT\n/m, ''), others);
  assert.equal(await cleanup(iptables), 0);
});

it('a doubt about nothing writes nothing, and one with a reason is found again and again', async (t) => {
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables);
  const nothing: PlanUpdate = { plan, changed: new Map(), problems: [] };
  await backend.sync(whole(plan));
  const before = iptables.dump();
  const doubt = async () => {
    backend.distrust();
    const { kind, changes } = await backend.sync(nothing);
    assert.equal(kind, 'full');
    assert.equal(iptables.dump(), before);
    return changes;
  };
  for (let times = 0; times < 3; times++) {
    assert.equal(await doubt(), 0);
    assert.equal(await doubt(), 0);
    iptables.flush('nat', { delete: true });
    assert.ok((await doubt()) > 0);
  }
});

it('a relay that had no port is tried again with the next doubt, and no other is touched', async (t) => {
  const backend = backendOn(t, new FakeIptables(), { proxyPortRange: '41501-41501' });
  const second = { ...hostnames, name: 'default/more:', service: 'more', clusterIP: '10.96.0.77' };
  await backend.sync(whole(withPorts(plan, [hostnames, second])));
  const gone = new Map([['default/hostnames', { before: [hostnames], after: [] }]]);
  const without = withPorts(plan, [second]);
  assert.equal((await backend.sync({ plan: without, changed: gone, problems: [] })).refused.length, 1);
  backend.distrust();
  assert.deepEqual((await backend.sync({ plan: without, changed: new Map(), problems: [] })).refused, []);
  assert.equal(backend.relays.portOf(second, 'Cluster'), 41501);
});

it('a Service that a whole Plan has no more is gone, rules and relay', async (t) => {
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables);
  await backend.sync(whole(plan));
  assert.equal(backend.relays.size, 1);
  await backend.sync(whole(withPorts(plan, [])));
  assert.equal(backend.relays.size, 0);
  assert.doesNotMatch(iptables.dump(), /hostnames/);
});

it('looks again when it was doubted while it wrote: what went wrong may have gone wrong after the write', async (t) => {
  const iptables = new FakeIptables();
  const backend = backendOn(t, iptables);
  const restore = iptables.restore.bind(iptables);
  iptables.restore = async (text) => {
    await restore(text);
    backend.distrust();
  };
  await backend.sync(whole(plan));
  iptables.restore = restore;
  const nothing: PlanUpdate = { plan, changed: new Map(), problems: [] };
  assert.equal((await backend.sync(nothing)).kind, 'full');
  assert.equal((await backend.sync(nothing)).kind, 'partial');
});

it('refuses the relays beyond what may be open, serves the others, and takes more when one is gone', async () => {
  const relays = new RelaySet({
    family: 'IPv4',
    log: silentLog,
    range: { low: 40000, high: 40999 },
    udpIdleTimeout: 0,
    mostRelays: 1,
  });
  const other = { ...hostnames, service: 'other', name: 'default/other:default' };
  await relays.set([hostnames, other], [], new Map());
  assert.equal(relays.size, 1);
  assert.deepEqual(relays.refused, [
    {
      namespace: 'default',
      service: 'other',
      message:
        'port default/other:default (TCP): the limit of open files leaves room for 1 relays; raise it (ulimit -Hn)',
    },
  ]);
  await relays.set([], [hostnames], new Map());
  await relays.set([other], [other], new Map());
  assert.deepEqual([relays.size, relays.refused], [1, []]);
  await relays.closeGone();
  await relays.stop(0);
});
