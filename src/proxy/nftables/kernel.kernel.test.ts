/** What only a real kernel can say: that it takes our texts, that both writers write the same, what it tells of others, and what it forgets. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { exec } from '../../host/exec.ts';
import { createNfTables, type NfTables } from '../../host/netlink/nf-tables.ts';
import { createNfRules } from '../../host/netlink/nf-rules.ts';
import { createNft } from '../../host/nft.ts';
import type { Family } from '../../lib/ip.ts';
import { silentLog } from '../../lib/log.ts';
import type { Backend } from '../backend.ts';
import type { Plan, PlanUpdate, ServicePort } from '../plan/types.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import { createNftablesBackend, nftablesBackend, nftablesBackendOf } from './backend.ts';
import { compile } from './compile.ts';
import { render } from './render.ts';
import { COUNTED_KINDS, countedChain } from './skeleton.ts';
import { countedObjects, tableObjects } from './templates.ts';
import { jhash } from './jhash.ts';
import { nftablesMode } from './mode.ts';
import { parse } from './parse.ts';
import { tracePacket } from './trace-plan.ts';
import { describeOutcomes } from '../trace-outcome.ts';
import { packetsOf } from '../scenarios/load.ts';

requireOuterNamespace();

const nft = createNft();
const FAMILIES = ['IPv4', 'IPv6'] as const;
const word = (family: Family) => (family === 'IPv6' ? 'ip6' : 'ip');
const planOf = (name: string, family: Family = 'IPv4'): Plan => {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario, name);
  return loadScenario(scenario, { family, traits: nftablesMode.traits(family) }).plan;
};
const whole = (plan: Plan): PlanUpdate => ({ plan, changed: undefined, problems: [] });
const nothingChanged = (plan: Plan): PlanUpdate => ({ plan, changed: new Map(), problems: [] });
const change = (plan: Plan, before: ServicePort | undefined, after: ServicePort | undefined): PlanUpdate => {
  const servicePorts = plan.servicePorts.filter((one) => one !== before);
  if (after) servicePorts.push(after);
  const lists = { before: before ? [before] : [], after: after ? [after] : [] };
  return { plan: { ...plan, servicePorts }, changed: new Map([['one', lists]]), problems: [] };
};
const cleanup = async (family: Family) => {
  await nftablesBackend.cleanup({ family, exec } as Parameters<typeof nftablesBackend.cleanup>[0]);
};
/** Elements come in the order of the kernel's hashes, which differ from table to table. */
const listed = async (family: Family): Promise<string> =>
  (await nft.list(word(family), 'kube-proxy'))
    .split(/\n|(?<=,) +/)
    .map((line) => line.replace(/^\s*(?:elements = \{ )?/, '').replace(/(?:,| \})$/, ''))
    .sort()
    .join('\n');

describe('the golden texts', () => {
  const folder = new URL('testdata/', import.meta.url);
  for (const file of readdirSync(folder).filter((one) => one.endsWith('.nft'))) {
    it(`${file} is taken by nft --check`, () => nft.check(readFileSync(new URL(file, folder), 'utf8')));
  }
});

for (const family of FAMILIES) {
  describe(`both writers, ${family}`, () => {
    after(() => cleanup(family));
    for (const { name } of scenarios) {
      it(`write the same table for ${name}, at once and step by step`, async () => {
        const texts: string[] = [];
        for (const writer of ['nft', 'netlink'] as const) {
          await cleanup(family);
          const backend = await createNftablesBackend({ family, exec, log: silentLog }, writer);
          const plan = planOf(name, family);
          await backend.sync(whole(plan));
          texts.push(await listed(family));
          const [service] = plan.servicePorts;
          if (service) {
            const without = change(plan, service, undefined);
            await backend.sync(without);
            texts.push(await listed(family));
            await backend.sync(change(without.plan, undefined, service));
            texts.push(await listed(family));
          }
          await backend.stop();
        }
        const half = texts.length / 2;
        assert.deepEqual(texts.slice(half), texts.slice(0, half));
        assert.equal(texts[half - 1], texts[0], 'there and back is no change');
      });
    }

    it('a table listed by nft is followed like the text that made it', async () => {
      for (const scenario of scenarios) {
        const reading = { family, traits: nftablesMode.traits(family) };
        const { plan } = loadScenario(scenario, reading);
        await cleanup(family);
        await nft.load(nftablesMode.render(plan));
        const [table] = parse(await nft.list(word(family), 'kube-proxy'));
        assert.ok(table);
        const packets = packetsOf(scenario, reading).map((one) => one.packet);
        const fromText = nftablesMode.trace(plan, packets).map(describeOutcomes);
        const fromKernel = packets.map((packet) => describeOutcomes(tracePacket(table, plan.node.ips, packet)));
        assert.deepEqual(fromKernel, fromText, scenario.name);
      }
    });

    it('a table a proxy left is adopted by one with the other writer, without a write', async () => {
      for (const [first, second] of [
        ['nft', 'netlink'],
        ['netlink', 'nft'],
      ] as const) {
        await cleanup(family);
        const plan = planOf('load-balancer-source-ranges', family);
        await run(family, first, (backend) => backend.sync(whole(plan)));
        const result = await run(family, second, (backend) => backend.sync(whole(plan)));
        assert.deepEqual(result, { kind: 'full', changes: 0, refused: [] });
      }
    });
  });
}

async function run<T>(family: Family, writer: 'nft' | 'netlink', task: (backend: Backend) => Promise<T>): Promise<T> {
  const backend = await createNftablesBackend({ family, exec, log: silentLog }, writer);
  const result = await task(backend);
  await backend.stop();
  return result;
}

describe('chains that netlink makes', () => {
  for (const family of FAMILIES) {
    after(() => cleanup(family));
    for (const [what, more] of [
      ['a cluster CIDR', {}],
      ['the name of an interface', { detectLocal: { by: 'interface', name: 'veth', prefix: true } }],
      ['everything masqueraded', { masqueradeAll: true }],
    ] as const) {
      it(`are listed like those nft makes, ${family}, ${what}`, async () => {
        await cleanup(family);
        const plan = planOf('session-affinity', family);
        const options = { ...plan.options, ...more };
        const names = COUNTED_KINDS.flatMap((kind) => [2, 65, 4000].map((count) => `${kind}-${String(count)}`));
        const chains = names.flatMap((name) => countedChain(name, options) ?? []);
        const empty = compile({ ...plan, options, servicePorts: [] });
        await nft.load(render({ ...empty, chains: [...empty.chains, ...chains] }));
        const byCommand = await listed(family);
        await nft.load(render(empty));
        const [tables, rules] = [createNfTables(), createNfRules()];
        const image = await rules.read(word(family), 'kube-proxy');
        assert.ok(image?.isUntouched);
        const made = names.flatMap((name) => countedObjects(image, name) ?? []);
        await tables.commit(word(family), 'kube-proxy', [], { made });
        assert.equal(await listed(family), byCommand);
        await tables.commit(word(family), 'kube-proxy', [], { unmade: names });
        assert.equal((await rules.read(word(family), 'kube-proxy'))?.chains.size, empty.chains.length);
        for (const one of [tables, rules]) one.close();
      });
    }

    it(`a whole table is made again as it was, ${family}`, async () => {
      await cleanup(family);
      const plan = planOf('session-affinity', family);
      const ranges = family === 'IPv6' ? ['fd00:10:96::/112', 'fd00:20::/112'] : ['10.96.0.0/16', '10.200.0.0/16'];
      const empty = compile({ ...plan, options: { ...plan.options, serviceCIDRs: ranges }, servicePorts: [] });
      await nft.load(render(empty));
      const good = await nft.list(word(family), 'kube-proxy');
      const [tables, rules] = [createNfTables(), createNfRules()];
      const image = await rules.read(word(family), 'kube-proxy');
      assert.ok(image);
      await cleanup(family);
      const objects = tableObjects(
        image,
        empty.chains.map((one) => one.name),
      );
      await tables.commit(word(family), 'kube-proxy', [], { made: objects?.inner ?? [] });
      await tables.commit(word(family), 'kube-proxy', [], { made: objects?.entries ?? [] });
      const sorted = (text: string) => text.split('\n\n').sort().join('\n\n');
      const order = (text: string) => sorted(text.replace(/\}\s*$/, '\n').replaceAll('\n\n\n', '\n\n'));
      assert.equal(order(await nft.list(word(family), 'kube-proxy')), order(good));
      assert.equal((await rules.read(word(family), 'kube-proxy'))?.isUntouched, true);
      await nft.load(`add chain ${word(family)} kube-proxy foreign\n`);
      await nft.load(`delete chain ${word(family)} kube-proxy cluster-ip-1\n`);
      assert.equal((await rules.read(word(family), 'kube-proxy'))?.isUntouched, false);
      for (const one of [tables, rules]) one.close();
    });

    it(`where there is only the nft command a new number is a new table, and the old numbers stay, ${family}`, async () => {
      await cleanup(family);
      const plan = planOf('cluster-ip', family);
      const [service] = plan.servicePorts;
      assert.ok(service);
      const fewer = (count: number) => ({ ...service, clusterEndpoints: service.clusterEndpoints.slice(0, count) });
      await run(family, 'nft', async (backend) => {
        await backend.sync(whole(plan));
        assert.equal((await backend.sync(change(plan, service, fewer(2)))).kind, 'full');
        const two = { ...plan, servicePorts: [fewer(2)] };
        assert.equal((await backend.sync(change(two, two.servicePorts[0], service))).kind, 'partial');
      });
      assert.match(await nft.list(word(family), 'kube-proxy'), /chain cluster-ip-2 /);
    });
  }
});

describe('what others do', () => {
  let tables: NfTables;
  let backend: Backend;
  let stop: (() => void) | undefined;
  let told: () => void = () => undefined;
  const plan = planOf('node-port');
  const next = () => new Promise<void>((resolve) => (told = resolve));
  before(async () => {
    await cleanup('IPv4');
    tables = createNfTables();
    backend = nftablesBackendOf('IPv4', nft, tables, createNfRules());
    stop = backend.watch?.(() => {
      told();
    });
    await backend.sync(whole(plan));
    // word of what nft did for us comes within a moment
    await new Promise((resolve) => setTimeout(resolve, 80));
  });
  after(async () => {
    stop?.();
    await backend.stop();
    await cleanup('IPv4');
  });
  const settled = async () => {
    await backend.sync(nothingChanged(plan));
    await new Promise((resolve) => setTimeout(resolve, 80));
    assert.equal(await backend.isIntact(), true);
  };

  for (const [what, command] of [
    ['a flush of everything', 'flush ruleset'],
    ['a deleted table', 'delete table ip kube-proxy'],
    ['an emptied chain', 'flush chain ip kube-proxy services'],
    ['an emptied map', 'flush map ip kube-proxy service-nodeports'],
    ['a foreign element', 'add element ip kube-proxy cluster-ips { 9.9.9.9 }'],
    ['a foreign rule', 'add rule ip kube-proxy services accept'],
  ] as const) {
    it(`${what} is told at once and mended within 200 ms`, async () => {
      const good = await listed('IPv4');
      const heard = next();
      await nft.load(`${command}\n`);
      const start = performance.now();
      await heard;
      assert.equal(await backend.isIntact(), false);
      backend.distrust();
      await backend.sync(nothingChanged(plan));
      const took = performance.now() - start;
      assert.equal(await listed('IPv4'), good);
      assert.ok(took < 200, `${String(took)} ms`);
      await settled();
    });
  }

  it('our own changes, and those to the tables of others, are not told', async () => {
    let count = 0;
    told = () => count++;
    const [service] = plan.servicePorts;
    assert.ok(service);
    const without = change(plan, service, undefined);
    await backend.sync(without);
    await backend.sync(change(without.plan, undefined, service));
    await nft.load('add table ip somebody\nadd chain ip somebody else\ndelete table ip somebody\n');
    // a change of ours, told after all of the above
    const heard = next();
    await nft.load('add element ip kube-proxy cluster-ips { 8.8.8.8 }\n');
    await heard;
    assert.equal(count, 0);
    backend.distrust();
    await settled();
  });
});

describe('affinity', () => {
  it('hashes as the kernel does', async () => {
    await nft.load(`add table ip6 hashes
add map ip6 hashes seen { typeof numgen random mod 65536 . numgen random mod 65536 : th dport; size 100; flags dynamic; }
add chain ip6 hashes out { type filter hook output priority 0; }
add rule ip6 hashes out udp dport 9 update @seen { jhash ip6 daddr mod 4294967295 seed 0x2 . jhash meta l4proto . th dport mod 4294967295 seed 0x4 : th dport }
`);
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp6');
    await new Promise<void>((resolve) => {
      socket.send('x', 9, '::1', () => {
        resolve();
      });
    });
    socket.close();
    const text = await nft.listSet('map', 'ip6', 'hashes', 'seen');
    await nft.load('delete table ip6 hashes\n');
    const address = jhash(`${'\0'.repeat(15)}\u0001`, 2);
    const port = jhash('\u0011\0\0\0\0\u0009\0\0', 4);
    assert.match(text, new RegExp(`${String(address)} \\. ${String(port)} `));
  });
});

it('rules are counted over netlink as nft lists them', async () => {
  for (const family of FAMILIES) {
    await nft.load(nftablesMode.render(planOf('session-affinity', family)));
    const [table] = parse(await nft.list(word(family), 'kube-proxy'));
    const listedCounts = [...(table?.chains.values() ?? [])].map(({ name, rules }) => [name, rules.length] as const);
    const rules = createNfRules();
    const counts = await rules.count(word(family), 'kube-proxy');
    assert.deepEqual([...counts].sort(), listedCounts.filter(([, count]) => count > 0).sort());
    assert.deepEqual(await rules.count(word(family), 'nobody'), new Map());
    rules.close();
    await cleanup(family);
  }
});

it('a big table is loaded whole', async () => {
  await cleanup('IPv4');
  const plan = planOf('cluster-ip');
  const [service] = plan.servicePorts;
  assert.ok(service);
  const servicePorts = Array.from({ length: 3000 }, (_, at): ServicePort => {
    const clusterIP = `10.96.${String(Math.floor(at / 250))}.${String(at % 250)}`;
    const name = `s${String(at)}`;
    return { ...service, service: name, name: `default/${name}:`, clusterIP };
  });
  const big = { ...plan, servicePorts };
  await run('IPv4', 'netlink', (backend) => backend.sync(whole(big)));
  const [table] = parse(await nft.list('ip', 'kube-proxy'));
  const { elements } = compile(big);
  for (const [set, wanted] of elements) assert.equal(table?.sets.get(set)?.elements.size, wanted.size, set);
  await cleanup('IPv4');
});

it('cleans up both tables, and nothing of others', async () => {
  await nft.load('add table ip somebody\n');
  for (const family of FAMILIES) {
    await run(family, 'netlink', (backend) => backend.sync(whole(planOf('cluster-ip', family))));
    const context = { family, exec } as Parameters<typeof nftablesBackend.cleanup>[0];
    assert.deepEqual(await nftablesBackend.cleanup(context), [`table ${word(family)} kube-proxy of nftables`]);
    assert.deepEqual(await nftablesBackend.cleanup(context), []);
  }
  assert.match(await nft.list('ip', 'somebody'), /table ip somebody/);
  await nft.load('delete table ip somebody\n');
});
