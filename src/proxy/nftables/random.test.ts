/** Random clusters and changes, written by the applier step by step: the kernel then holds, element for element, what a full sync writes. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Service } from '../../api/types.ts';
import type { Family } from '../../lib/ip.ts';
import { HostError } from '../../host/exec.ts';
import { FakeNfTables } from '../../host/netlink/nf-tables.ts';
import type { Plan } from '../plan/types.ts';
import { Planner } from '../plan/planner.ts';
import { inIPv6 } from '../scenarios/ipv6.ts';
import { clusters, nodes, objectsOf, optionsWith, type RandomService } from '../scenarios/random-cluster.ts';
import { nftablesBackendOf } from './backend.ts';
import { compile } from './compile.ts';
import { FakeNft } from './fake-nft.ts';
import { nftablesMode } from './mode.ts';
import { keyAndValueOf } from './netlink-elements.ts';
import { nftFamily, schemaOf, setNames } from './schema.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1000);

async function assertHolds(tables: FakeNfTables, plan: Plan): Promise<void> {
  const { family } = plan.options;
  const { elements, chains } = compile(plan);
  for (const set of setNames(family)) {
    if (schemaOf(set, family).dynamic) continue;
    const there = new Map((await tables.dump(nftFamily(family), 'kube-proxy', set)).map(keyAndValueOf));
    assert.deepEqual(there, new Map(elements.get(set) ?? []), set);
  }
  const present = new Set(await tables.chains(nftFamily(family), 'kube-proxy'));
  for (const { name } of chains) assert.ok(present.has(name), name);
}

/** `shared` makes Services claim one address and port, which only one of them can have. */
function objects(one: RandomService, shared: boolean) {
  const { service, slices } = objectsOf(one);
  if (!shared) return { service, slices };
  const ports = service.spec.ports?.map((port) => ({ ...port, port: 80 }));
  const spec = { ...service.spec, externalIPs: ['172.30.1.9'], ...(ports && { ports }) };
  return { service: { ...service, spec } as Service, slices };
}

const step = fc.record({
  at: fc.integer({ min: 0, max: 2 }),
  to: fc.constantFrom('a', 'b', 'gone'),
  shared: fc.boolean(),
  /** Other options, or a node with other labels: rules and elements may all be others. */
  elsewhere: fc.boolean(),
  then: fc.constantFrom('sync', 'nothing', 'distrust', 'flush', 'fail', 'restart'),
});

const LAST = { at: 0, to: 'a', shared: false, elsewhere: false, then: 'sync' };

for (const family of ['IPv4', 'IPv6'] as const satisfies readonly Family[]) {
  const read = <T>(value: T): T => (family === 'IPv6' ? inIPv6(value) : value);
  it(`${family}: what is written step by step is what a full sync writes`, async () => {
    const property = fc.asyncProperty(
      clusters,
      clusters,
      fc.array(step, { maxLength: 8 }),
      optionsWith(nftablesMode.traits(family)),
      nodes,
      optionsWith(nftablesMode.traits(family)),
      nodes,
      async (a, b, steps, someOptions, someNode, otherOptions, otherNode) => {
        const [options, node] = [read(someOptions), read(someNode)];
        const other = { options: read(otherOptions), node: read(otherNode) };
        const tables = new FakeNfTables();
        const nft = new FakeNft(tables);
        let backend = nftablesBackendOf(family, nft, tables, nft);
        const planner = new Planner(node, options);
        const present: (ReturnType<typeof objects> | undefined)[] = [];
        for (const { at, to, shared, elsewhere, then } of [...steps, LAST]) {
          if (elsewhere) planner.setNode(other.node, other.options);
          else planner.setNode(node, options);
          const old = present[at];
          for (const slice of old?.slices ?? []) planner.deleteSlice(slice);
          if (old) planner.deleteService(old.service);
          const cluster = to === 'b' ? b : a;
          const chosen = cluster[at];
          present[at] = to === 'gone' || !chosen ? undefined : read(objects(chosen, shared));
          const next = present[at];
          if (next) planner.setService(next.service);
          for (const slice of next?.slices ?? []) planner.setSlice(slice);
          if (then === 'nothing') continue;
          if (then === 'distrust') backend.distrust();
          if (then === 'restart') backend = nftablesBackendOf(family, nft, tables, nft);
          if (then === 'fail') tables.failNext = 'ENOBUFS';
          if (then === 'flush') {
            tables.flushRuleset();
            backend.distrust();
          }
          let update = planner.update();
          try {
            await backend.sync(update);
          } catch (error) {
            if (!(error instanceof HostError) || then !== 'fail') throw error;
            // as the pacer does: what was to be written is part of the next sync
            update = planner.update();
            await backend.sync(update);
          }
          tables.failNext = undefined;
          await assertHolds(tables, update.plan);
        }
      },
    );
    await fc.assert(property, { numRuns: RUNS / 2 });
  });
}
