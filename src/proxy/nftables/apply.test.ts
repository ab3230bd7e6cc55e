import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostError } from '../../host/exec.ts';
import { FakeNfTables, type NfTables, type SetChange } from '../../host/netlink/nf-tables.ts';
import { NetlinkError } from '../../host/netlink/netlink-error.ts';
import type { Plan, PlanUpdate, ServicePort } from '../plan/types.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import { nftablesBackendOf } from './backend.ts';
import { addressBytes, fieldsBytes, portBytes } from './bytes.ts';
import { compile } from './compile.ts';
import { FakeNft } from './fake-nft.ts';
import { nftablesMode } from './mode.ts';
import { parse } from './parse.ts';
import { keyAndValueOf } from './netlink-elements.ts';
import { elementText, keyText } from './render.ts';
import { schemaOf, setNames, type SetName } from './schema.ts';
import { countedChain } from './skeleton.ts';

const planOf = (name: string): Plan => {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario, name);
  return loadScenario(scenario, { traits: nftablesMode.traits('IPv4') }).plan;
};
const together = (...names: string[]): Plan => {
  const plans = names.map(planOf);
  const [first] = plans;
  assert.ok(first);
  return { ...first, servicePorts: plans.flatMap((one) => one.servicePorts) };
};
const whole = (plan: Plan): PlanUpdate => ({ plan, changed: undefined, problems: [] });
const nothingChanged = (plan: Plan): PlanUpdate => ({ plan, changed: new Map(), problems: [] });
const change = (plan: Plan, before: readonly ServicePort[], after: readonly ServicePort[]): PlanUpdate => ({
  get plan(): Plan {
    return { ...plan, servicePorts: [...plan.servicePorts.filter((one) => !before.includes(one)), ...after] };
  },
  changed: new Map([['one', { before, after }]]),
  problems: [],
});
const withoutEndpoint = (service: ServicePort, ip: string): ServicePort => ({
  ...service,
  clusterEndpoints: service.clusterEndpoints.filter((one) => one.ip !== ip),
});
const only = (plan: Plan): ServicePort => {
  const [service] = plan.servicePorts;
  assert.ok(service);
  return service;
};

function world(wrap: (tables: FakeNfTables) => NfTables = (tables) => tables) {
  const tables = new FakeNfTables();
  const nft = new FakeNft(tables);
  return { tables, nft, start: () => nftablesBackendOf('IPv4', nft, wrap(tables), nft) };
}

const wordsOf = (changes: readonly SetChange[]) =>
  changes.flatMap(({ op, set, elements }) =>
    elements.map((one) => {
      const [key, value] = keyAndValueOf(one);
      const name = set as SetName;
      return `${op} ${set} ${op === 'add' ? elementText(name, key, value, 'IPv4') : keyText(name, key, 'IPv4')}`;
    }),
  );

/** Texts of a first sync: sets and chains; behind the elements the chains that packets enter by. */
const FIRST_LOADS = 2;

/** Element for element what a full sync would write. */
async function assertHolds(tables: FakeNfTables, plan: Plan): Promise<void> {
  const wanted = compile(plan).elements;
  for (const set of setNames('IPv4')) {
    if (schemaOf(set, 'IPv4').dynamic) continue;
    const there = new Map((await tables.dump('ip', 'kube-proxy', set)).map(keyAndValueOf));
    assert.deepEqual(there, new Map(wanted.get(set) ?? []), set);
  }
}

describe('the nftables applier', () => {
  it('holds after the first sync what the Plan says', async () => {
    for (const { name } of scenarios) {
      const { tables, start } = world();
      const { kind, refused } = await start().sync(whole(planOf(name)));
      assert.deepEqual({ kind, refused }, { kind: 'full', refused: [] });
      await assertHolds(tables, planOf(name));
    }
  });

  it('lets packets in when all else is there', async () => {
    const { nft, start, tables } = world((real) => real);
    const order: string[] = [];
    const { load } = nft;
    nft.load = async (text) => {
      order.push(/hook/.test(text) ? 'entries' : 'chains');
      await load.call(nft, text);
    };
    const { commit } = tables;
    tables.commit = async (...args) => {
      order.push('elements');
      await commit.apply(tables, args);
    };
    await start().sync(whole(planOf('node-port')));
    assert.deepEqual([...new Set(order)], ['chains', 'elements', 'entries']);
  });

  it('writes nothing when nothing changed', async () => {
    const { tables, nft, start } = world();
    const backend = start();
    await backend.sync(whole(planOf('node-port')));
    const before = [tables.commits.length, nft.loaded.length];
    assert.deepEqual(await backend.sync(nothingChanged(planOf('node-port'))), {
      kind: 'partial',
      changes: 0,
      refused: [],
    });
    assert.deepEqual([tables.commits.length, nft.loaded.length], before);
  });

  it('touches only the elements of what changed, and asks for no Plan', async () => {
    const { tables, start } = world();
    const plan = together('cluster-ip', 'session-affinity');
    const backend = start();
    await backend.sync(whole(plan));
    const service = only(plan);
    const update = change(plan, [service], [withoutEndpoint(service, '10.244.1.6')]);
    const after = update.plan;
    const guarded: PlanUpdate = {
      ...update,
      get plan(): Plan {
        throw new Error('the whole Plan was asked for');
      },
    };
    const result = await backend.sync(guarded);
    assert.deepEqual(wordsOf(tables.commits.at(-1)?.changes ?? []), [
      'delete service-ips 10.96.0.20 . tcp . 80',
      'delete service-endpoints 10.96.0.20 . tcp . 80 . 1',
      'delete service-endpoints 10.96.0.20 . tcp . 80 . 2',
      'add service-ips 10.96.0.20 . tcp . 80 comment "default/hostnames:default" : goto cluster-ip-2',
      'add service-endpoints 10.96.0.20 . tcp . 80 . 1 : 10.244.2.5 . 9376',
    ]);
    assert.deepEqual(result, { kind: 'partial', changes: 3, refused: [] });
    await assertHolds(tables, after);
  });

  it('adopts what a proxy before it wrote, without writing', async () => {
    const { tables, nft, start } = world();
    await start().sync(whole(planOf('load-balancer-source-ranges')));
    const before = [tables.commits.length, nft.loaded.length];
    const result = await start().sync(whole(planOf('load-balancer-source-ranges')));
    assert.deepEqual(result, { kind: 'full', changes: 0, refused: [] });
    assert.deepEqual([tables.commits.length, nft.loaded.length], before);
  });

  it('removes what a proxy before it left and nothing wants', async () => {
    const { tables, nft, start } = world();
    await start().sync(whole(planOf('load-balancer-source-ranges')));
    await start().sync(whole(planOf('cluster-ip')));
    await assertHolds(tables, planOf('cluster-ip'));
    assert.equal(nft.loaded.length, FIRST_LOADS, 'the chains stay');
  });

  it('replaces a table whose chains are not as it would write them, at one moment, and remembers the clients', async () => {
    const { tables, nft, start } = world();
    const plan = planOf('session-affinity');
    const backend = start();
    await backend.sync(whole(plan));
    rememberClient(tables, '10.244.1.5');
    const other = { ...plan, options: { ...plan.options, masqueradeBit: 15 } };
    await backend.sync(whole(other));
    assert.equal(nft.loaded.length, FIRST_LOADS + 1);
    assert.match(
      nft.loaded.at(-1) ?? '',
      /^add table ip kube-proxy\ndelete table ip kube-proxy\ntable ip kube-proxy \{/,
    );
    assert.deepEqual(await clients(tables), ['10.244.1.9 -> 10.244.1.5']);
    await assertHolds(tables, other);
  });

  it('makes the chain of a number of endpoints in the transaction of the elements that lead to it', async () => {
    const { tables, nft, start } = world();
    const plan = planOf('cluster-ip');
    const service = only(plan);
    const backend = start();
    await backend.sync(whole(plan));
    const update = change(plan, [service], [withEndpoints(service, 100)]);
    assert.equal((await backend.sync(update)).kind, 'partial');
    assert.equal(nft.loaded.length, FIRST_LOADS, 'without nft');
    assert.deepEqual(
      tables.commits.at(-1)?.ruleset.made?.map(({ kind, name }) => `${kind} ${name}`),
      ['chain cluster-ip-100', 'rule cluster-ip-100', 'rule cluster-ip-100'],
    );
    await assertHolds(tables, update.plan);
    await assertChains(nft, update.plan, ['cluster-ip-3']);
  });

  it('makes the chain of an affinity time likewise', async () => {
    const { nft, start, tables } = world();
    const plan = planOf('session-affinity');
    const backend = start();
    await backend.sync(whole(plan));
    const update = change(plan, [only(plan)], [{ ...only(plan), affinitySeconds: 77 }]);
    assert.equal((await backend.sync(update)).kind, 'partial');
    assert.equal(nft.loaded.length, FIRST_LOADS);
    await assertHolds(tables, update.plan);
    await assertChains(nft, update.plan, ['remember-10']);
  });

  it('takes away with the next full reading the chains that nothing leads to', async () => {
    const { nft, start, tables } = world();
    const plan = planOf('cluster-ip');
    const backend = start();
    await backend.sync(whole(plan));
    const update = change(plan, [only(plan)], [withEndpoints(only(plan), 40)]);
    await backend.sync(update);
    assert.deepEqual(await start().sync(whole(update.plan)), { kind: 'full', changes: 0, refused: [] });
    assert.deepEqual(tables.commits.at(-1)?.ruleset.unmade, ['cluster-ip-3']);
    await assertChains(nft, update.plan, []);
  });
});

describe('what others do', () => {
  it('a flush is seen at once and mended', async () => {
    const { tables, start } = world();
    const plan = planOf('node-port');
    const backend = start();
    let told = 0;
    const stop = backend.watch?.(() => told++);
    await backend.sync(whole(plan));
    assert.equal(await backend.isIntact(), true);
    await echoesArePast();
    tables.flushRuleset();
    assert.equal(told, 1);
    assert.equal(await backend.isIntact(), false);
    backend.distrust();
    assert.equal((await backend.sync(nothingChanged(plan))).kind, 'full');
    assert.equal(await backend.isIntact(), true);
    await assertHolds(tables, plan);
    stop?.();
  });

  it('a table that is gone is made again from what nft made, without nft', async () => {
    const { nft, tables, start } = world();
    const plan = planOf('session-affinity');
    const backend = start();
    await backend.sync(whole(plan));
    const update = change(plan, [only(plan)], [withEndpoints(only(plan), 9)]);
    await backend.sync(update);
    tables.flushRuleset();
    backend.distrust();
    const from = tables.commits.length;
    await backend.sync(nothingChanged(update.plan));
    assert.equal(nft.loaded.length, FIRST_LOADS);
    await assertHolds(tables, update.plan);
    await assertChains(nft, update.plan, []);
    // what packets enter by comes last
    const enters = tables.commits
      .slice(from)
      .map(({ ruleset }) => ruleset.made?.some(({ name }) => /^nat-/.test(name)));
    assert.deepEqual([enters.indexOf(true), enters.length > 2], [enters.length - 1, true]);
  });

  it('a table others changed is not what is made again', async () => {
    const { nft, tables, start } = world();
    const plan = planOf('cluster-ip');
    await start().sync(whole(plan));
    nft.addRule('ip', 'kube-proxy', 'services', 'accept');
    nft.addRule('ip', 'kube-proxy', 'cluster-ip-1', 'accept');
    const backend = start();
    await backend.sync(whole(plan));
    tables.flushRuleset();
    backend.distrust();
    await backend.sync(nothingChanged(plan));
    await assertChains(nft, plan, []);
  });

  it('our own commits are not told as tampering', async () => {
    const { start } = world();
    const plan = planOf('cluster-ip');
    const backend = start();
    let told = 0;
    const stop = backend.watch?.(() => told++);
    await backend.sync(whole(plan));
    await backend.sync(change(plan, [only(plan)], []));
    assert.equal(told, 0);
    stop?.();
  });

  it('drift of elements is mended, and nothing else is touched', async () => {
    const { tables, start } = world();
    const plan = together('cluster-ip', 'node-port-udp');
    const backend = start();
    await backend.sync(whole(plan));
    const key = Buffer.from(
      fieldsBytes('10.96.0.20 . tcp . 80 . 1', ['address', 'protocol', 'port', 'number']),
      'latin1',
    );
    const data = Buffer.from(addressBytes('6.6.6.6') + portBytes(666), 'latin1');
    tables.commitAsAnother('ip', 'kube-proxy', [
      { op: 'delete', set: 'service-endpoints', elements: [{ key }] },
      { op: 'add', set: 'service-endpoints', elements: [{ key, data }] },
    ]);
    backend.distrust();
    assert.deepEqual(await backend.sync(nothingChanged(plan)), { kind: 'full', changes: 1, refused: [] });
    assert.deepEqual(wordsOf(tables.commits.at(-1)?.changes ?? []), [
      'delete service-endpoints 10.96.0.20 . tcp . 80 . 1',
      'add service-endpoints 10.96.0.20 . tcp . 80 . 1 : 10.244.1.6 . 9376',
    ]);
    await assertHolds(tables, plan);
  });

  it('a chain somebody emptied is seen by the number of its rules', async () => {
    const { nft, start } = world();
    const plan = planOf('cluster-ip');
    const backend = start();
    await backend.sync(whole(plan));
    nft.flushChain('ip', 'kube-proxy', 'services');
    backend.distrust();
    await backend.sync(nothingChanged(plan));
    assert.equal(nft.loaded.length, FIRST_LOADS + 1);
  });

  it('a kernel that tells of every change, and told of none, is not read again', async () => {
    let dumps = 0;
    const { start, tables } = world((real) => ({
      commit: (...args) => real.commit(...args),
      dump: (...args) => {
        dumps++;
        return real.dump(...args);
      },
      sets: (...args) => real.sets(...args),
      chains: (...args) => real.chains(...args),
      hasTable: (...args) => real.hasTable(...args),
      monitor: (onChange) => real.monitor(onChange),
      close: () => {
        real.close();
      },
    }));
    const plan = planOf('cluster-ip');
    const backend = start();
    const stop = backend.watch?.(() => undefined);
    await backend.sync(whole(plan));
    await echoesArePast();
    const before = dumps;
    backend.distrust();
    assert.equal((await backend.sync(nothingChanged(plan))).kind, 'partial');
    assert.equal(dumps, before);
    tables.commitAsAnother('ip', 'kube-proxy', [
      { op: 'add', set: 'cluster-ips', elements: [{ key: Buffer.from([9, 9, 9, 9]) }] },
    ]);
    const update = change(plan, [only(plan)], [withoutEndpoint(only(plan), '10.244.1.6')]);
    assert.equal((await backend.sync(update)).kind, 'full');
    assert.equal(dumps - before, 2, 'the set somebody changed, and affinity');
    await assertHolds(tables, update.plan);
    stop?.();
  });
});

describe('a failing write', () => {
  it('is made good by reading the kernel', async () => {
    const { tables, start } = world();
    const plan = planOf('cluster-ip');
    const backend = start();
    await backend.sync(whole(plan));
    tables.failNext = 'ENOBUFS';
    const update = change(plan, [only(plan)], [withoutEndpoint(only(plan), '10.244.1.5')]);
    assert.equal((await backend.sync(update)).kind, 'full');
    await assertHolds(tables, update.plan);
  });

  it('that fails twice is thrown, and the next sync starts from what the kernel holds', async () => {
    const broken = { now: false };
    const { tables, start } = world((real) => failing(real, () => broken.now));
    const plan = planOf('cluster-ip');
    const backend = start();
    await backend.sync(whole(plan));
    broken.now = true;
    const update = change(plan, [only(plan)], []);
    await assert.rejects(backend.sync(update), HostError);
    broken.now = false;
    await backend.sync(nothingChanged(update.plan));
    await assertHolds(tables, update.plan);
  });

  it('of one Service leaves the others served, and says so until that Service changes', async () => {
    const bad = Buffer.from(addressBytes('10.96.0.40'), 'latin1');
    const { tables, nft, start } = world((real) =>
      failing(real, (changes) =>
        changes.some(({ op, elements }) => op === 'add' && elements.some(({ key }) => bad.equals(key.subarray(0, 4)))),
      ),
    );
    nft.refuse = (text) => text.includes('10.96.0.40');
    const plan = together('cluster-ip', 'session-affinity');
    const backend = start();
    const { refused } = await backend.sync(whole(plan));
    assert.deepEqual(
      refused.map((one) => `${one.service}: ${one.message}`),
      ['web: the kernel refuses the elements of port default/web: (TCP)'],
    );
    const good = { ...plan, servicePorts: plan.servicePorts.filter((one) => one.service !== 'web') };
    await assertHolds(tables, good);
    const hostnames = only(plan);
    const update = change(plan, [hostnames], [withoutEndpoint(hostnames, '10.244.1.5')]);
    assert.equal((await backend.sync(update)).refused.length, 1);
    const refusedPort = plan.servicePorts.filter((one) => one.service === 'web');
    assert.deepEqual(await backend.sync(change(update.plan, refusedPort, [])), {
      kind: 'partial',
      changes: 0,
      refused: [],
    });
  });
});

describe('two Services with the same address, port and protocol', () => {
  const named = (service: string): ServicePort => ({
    ...only(planOf('cluster-ip')),
    service,
    name: `default/${service}:default`,
  });
  const [a, b] = [named('a'), { ...named('b'), clusterEndpoints: named('b').clusterEndpoints.slice(1) }];
  const plan = planOf('cluster-ip');

  for (const order of [
    [a, b],
    [b, a],
  ]) {
    it(`the first by name is served, whichever came first (${order.map((one) => one.service).join(', ')})`, async () => {
      const { tables, start } = world();
      const backend = start();
      let current: Plan = { ...plan, servicePorts: [] };
      await backend.sync(whole(current));
      for (const service of order) {
        const update = change(current, [], [service]);
        current = { ...plan, servicePorts: [...update.plan.servicePorts].sort((x, y) => (x.name < y.name ? -1 : 1)) };
        await backend.sync(update);
        await assertHolds(tables, current);
      }
      await backend.sync(change(current, [a], []));
      await assertHolds(tables, { ...plan, servicePorts: [b] });
    });
  }
});

describe('session affinity', () => {
  it('forgets at once the clients of an endpoint that went away, and no others', async () => {
    const { tables, start } = world();
    const plan = planOf('session-affinity');
    const service = only(plan);
    const backend = start();
    await backend.sync(whole(plan));
    rememberClient(tables, '10.244.1.5');
    rememberClient(tables, '10.244.1.6', '10.244.1.7');
    await backend.sync(change(plan, [service], [withoutEndpoint(service, '10.244.1.5')]));
    assert.deepEqual(await clients(tables), ['10.244.1.7 -> 10.244.1.6']);
  });

  it('forgets all when the Service is gone', async () => {
    const { tables, start } = world();
    const plan = planOf('session-affinity');
    const backend = start();
    await backend.sync(whole(plan));
    rememberClient(tables, '10.244.1.5');
    await backend.sync(change(plan, [only(plan)], []));
    assert.deepEqual(await clients(tables), []);
  });

  it('a proxy that starts forgets what went away meanwhile', async () => {
    const { tables, start } = world();
    const plan = planOf('session-affinity');
    await start().sync(whole(plan));
    rememberClient(tables, '10.244.1.5');
    await start().sync(whole({ ...plan, servicePorts: [withoutEndpoint(only(plan), '10.244.1.5')] }));
    assert.deepEqual(await clients(tables), []);
  });
});

it('cleans up what it made', async () => {
  const { nft, start, tables } = world();
  await start().sync(whole(planOf('cluster-ip')));
  await nft.load('delete table ip kube-proxy\n');
  assert.equal(await tables.hasTable('ip', 'kube-proxy'), false);
});

function failing(real: FakeNfTables, when: (changes: readonly SetChange[]) => boolean): NfTables {
  return {
    commit: (family, table, changes, ruleset) =>
      when(changes)
        ? Promise.reject(new NetlinkError(['commit'], 'EINVAL'))
        : real.commit(family, table, changes, ruleset),
    dump: (...args) => real.dump(...args),
    sets: (...args) => real.sets(...args),
    chains: (...args) => real.chains(...args),
    hasTable: (...args) => real.hasTable(...args),
    monitor: (onChange) => real.monitor(onChange),
    close: () => {
      real.close();
    },
  };
}

const withEndpoints = (service: ServicePort, count: number): ServicePort => {
  const [endpoint] = service.clusterEndpoints;
  assert.ok(endpoint);
  const clusterEndpoints = Array.from({ length: count }, (_, at) => ({ ...endpoint, ip: `10.244.9.${String(at)}` }));
  return { ...service, clusterEndpoints };
};

/** Chain for chain what a full sync would write, and those of former numbers. */
async function assertChains(nft: FakeNft, plan: Plan, former: readonly string[]): Promise<void> {
  const [table] = parse(await nft.list('ip', 'kube-proxy'));
  const wanted = [...compile(plan).chains, ...former.flatMap((name) => countedChain(name, plan.options) ?? [])];
  assert.deepEqual(
    new Map([...(table?.chains.values() ?? [])].map(({ name, rules }) => [name, rules])),
    new Map(wanted.map(({ name, rules }) => [name, rules])),
  );
}

/** What a packet of a new connection does. */
function rememberClient(tables: FakeNfTables, endpoint: string, client = '10.244.1.9'): void {
  const key = fieldsBytes(`${client} . 10.96.0.40 . tcp . 80`, ['address', 'address', 'protocol', 'port']);
  const data = Buffer.from(addressBytes(endpoint) + portBytes(9376), 'latin1');
  const element = { key: Buffer.from(key, 'latin1'), data, timeout: 10_000, expires: 9000 };
  tables.commitAsAnother('ip', 'kube-proxy', [{ op: 'add', set: 'affinity', elements: [element] }]);
}

async function clients(tables: FakeNfTables): Promise<string[]> {
  return (await tables.dump('ip', 'kube-proxy', 'affinity')).map(
    ({ key, data }) => `${[...key.subarray(0, 4)].join('.')} -> ${[...(data ?? key).subarray(0, 4)].join('.')}`,
  );
}

/** The applier takes word of what nft did for it as its own for a moment. */
const echoesArePast = () => new Promise((resolve) => setTimeout(resolve, 60));

it('looks again when it was doubted while it wrote', async () => {
  const tables = new FakeNfTables();
  const nft = new FakeNft(tables);
  const backend = nftablesBackendOf('IPv4', nft, tables, nft);
  const plan = planOf('cluster-ip');
  await backend.sync(whole(plan));
  const [service] = plan.servicePorts;
  assert.ok(service);
  const fewer = withoutEndpoint(service, '10.244.1.5');
  const commit = tables.commit.bind(tables);
  tables.commit = async (...args) => {
    await commit(...args);
    backend.distrust();
  };
  assert.equal((await backend.sync(change(plan, [service], [fewer]))).kind, 'partial');
  tables.commit = commit;
  const after = { ...plan, servicePorts: [fewer] };
  assert.equal((await backend.sync(nothingChanged(after))).kind, 'full');
  assert.equal((await backend.sync(nothingChanged(after))).kind, 'partial');
});
