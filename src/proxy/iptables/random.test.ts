/** Random clusters and changes in both address families, written by the applier step by step. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../../api/types.ts';
import { FakeIptables } from '../../host/iptables-fake.ts';
import type { Family } from '../../lib/ip.ts';
import { decide } from '../plan/decide.ts';
import type { Packet } from '../plan/packet.ts';
import { Planner } from '../plan/planner.ts';
import type { Plan, PlanNode, PlanOptions } from '../plan/types.ts';
import { inIPv6 } from '../scenarios/ipv6.ts';
import {
  clusters,
  nodes,
  objectsOf,
  optionsWith,
  packetsFor,
  type RandomService,
} from '../scenarios/random-cluster.ts';
import { traceRelay } from '../relays.ts';
import { describeDecision, describeOutcomes } from '../trace-outcome.ts';
import { IptablesApplier } from './apply.ts';
import { iptablesMode } from './mode.ts';
import { endpointChain } from './names.ts';
import { parse } from './parse.ts';
import { trace } from './trace.ts';

/** Half of them in each family. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1000);

function assertAgreement(current: Plan, text: string, packets: readonly Packet[]): void {
  const tables = parse(text);
  for (const packet of packets) {
    const { remembered } = packet;
    const lists = new Set(
      remembered === undefined ? [] : current.servicePorts.map((one) => endpointChain(one, { address: remembered })),
    );
    const machine = { localIPs: current.node.ips, isRemembered: (list: string) => lists.has(list) };
    const traced = describeOutcomes(traceRelay(current, packet) ?? trace(tables, machine, packet));
    assert.equal(traced, describeDecision(decide(current, packet)), JSON.stringify(packet));
  }
}

/** Table and chain -> its rules: what the kernel holds, whatever the order in which chains were made. */
function chainsOf(dump: string): Map<string, readonly string[]> {
  const chains = new Map<string, string[]>();
  let table = '';
  for (const line of dump.split('\n')) {
    const [, name = '', rule = ''] = /^(?::|-A )(\S+) ?(.*)$/.exec(line) ?? [];
    if (line.startsWith('*')) table = line;
    else if (line.startsWith(':')) chains.set(`${table} ${name}`, []);
    else if (line.startsWith('-A')) chains.get(`${table} ${name}`)?.push(rule);
  }
  return new Map([...chains].sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Objects {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
}

/** What one proxy is told, one event after the other. */
class Told {
  readonly planner: Planner;
  #there: (Objects | undefined)[] = [];

  constructor(node: PlanNode, options: PlanOptions) {
    this.planner = new Planner(node, options);
  }

  set(at: number, now: Objects | undefined): void {
    const before = this.#there[at];
    this.#there[at] = now;
    for (const slice of before?.slices ?? []) this.planner.deleteSlice(slice);
    if (before && !now) this.planner.deleteService(before.service);
    if (now) this.planner.setService(now.service);
    for (const slice of now?.slices ?? []) this.planner.setSlice(slice);
  }
}

type Cluster = readonly RandomService[];
type Input = readonly [
  before: Cluster,
  after: Cluster,
  rounds: readonly (readonly { at: number; now: string; distrust: boolean }[])[],
  options: PlanOptions,
  node: PlanNode,
];

/** A Service comes, goes or is another; or the kernel is no longer to be trusted. */
const step = fc.record({
  at: fc.integer({ min: 0, max: 2 }),
  now: fc.constantFrom('before', 'after', 'gone'),
  distrust: fc.boolean(),
});

for (const family of ['IPv4', 'IPv6'] as const) {
  const read = <T>(value: T): T => (family === 'IPv6' ? inIPv6(value) : value);
  const optionsOf = (family: Family) => optionsWith(iptablesMode.traits(family)).map(read);
  const packets = [0, 1, 2].flatMap(packetsFor).map(read);
  const inputs = [
    clusters,
    clusters,
    fc.array(fc.array(step, { minLength: 1, maxLength: 2 }), { maxLength: 4 }),
    optionsOf(family),
    nodes.map(read),
  ] as const;

  describe(`random changes, ${family}`, () => {
    const seen = { partial: 0, edited: 0 };
    after(() => {
      // otherwise what the tests are about was never tried
      assert.ok(seen.partial > 0 && seen.edited > 0, JSON.stringify(seen));
    });
    const run = async (
      [a, b, rounds, options, node]: Input,
      check: (current: Plan, dump: string) => Promise<void> | void,
    ) => {
      const iptables = new FakeIptables();
      // the kernel's counts must be what was foreseen, so that nothing makes the guard look for rules
      iptables.check = () => Promise.reject(new Error('looked for rules'));
      const applier = new IptablesApplier(iptables, { stamps: iptables.stamps() });
      const told = new Told(node, options);
      const before = a.map((one) => read(objectsOf(one)));
      const later = b.map((one) => read(objectsOf(one)));
      for (const [at, one] of before.entries()) told.set(at, one);
      for (const round of [[], ...rounds]) {
        for (const { at, now, distrust } of round) {
          told.set(at, now === 'gone' ? undefined : now === 'after' ? later[at] : before[at]);
          if (distrust && at === 0) applier.distrust();
        }
        const update = told.planner.update();
        const { kind, edited } = await applier.apply(update);
        if (kind === 'partial') seen.partial++;
        if (edited > 0) seen.edited++;
        assert.equal(await applier.isIntact(), true);
        await check(update.plan, iptables.dump());
      }
    };

    it('what is written change by change is what is written at once, chain for chain', async () => {
      await fc.assert(
        fc.asyncProperty(...inputs, async (...input) => {
          await run(input, async (current, dump) => {
            const fresh = new FakeIptables();
            await new IptablesApplier(fresh).sync(current);
            assert.deepEqual(chainsOf(dump), chainsOf(fresh.dump()));
          });
        }),
        { numRuns: RUNS / 2 },
      );
    });

    it('what is written step by step agrees with the oracle', async () => {
      await fc.assert(
        fc.asyncProperty(...inputs, async (...input) => {
          await run(input, (current, dump) => {
            assertAgreement(current, dump, packets);
          });
        }),
        { numRuns: Math.ceil(RUNS / 20) },
      );
    });
  });
}
