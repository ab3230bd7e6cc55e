/**
 * What every mode must do with real packets on a real kernel: all scenarios in both families, affinity, forgotten UDP flows, adoption,
 * clean-up. A test file of a mode calls `testWithRealPackets` and adds what is the mode's own.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { createConntrack } from '../../host/conntrack.ts';
import { sysctl } from '../../host/sysctl.ts';
import { silentLog } from '../../lib/log.ts';
import type { Family } from '../../lib/ip.ts';
import { defaultIpvsSettings, type Backend, type BackendContext } from '../backend.ts';
import { FlowKeeper } from '../flows/flow-keeper.ts';
import type { Mode } from '../mode.ts';
import type { Plan, PlanFollower, PlanUpdate } from '../plan/types.ts';
import { inIPv6, loadScenario, scenarios, type PodName, type Scenario } from './index.ts';
import { ask, KernelWorld } from './kernel-world.ts';
import { expectAnswers } from './real-packet.ts';
import { WORLD } from './scenario.ts';

const SCTP_TRACKING = '/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_closed';

export interface KernelSuite {
  readonly mode: Mode;
  /** Distinguishes runs of one mode, such as variants of its tool. */
  readonly title?: string;
  readonly create: (context: BackendContext) => Promise<Backend>;
  readonly cleanup: (context: BackendContext) => Promise<unknown>;
  /** Told of every update, after the sync: what listens on loopback. */
  readonly relays?: () => PlanFollower & { settled(): Promise<void>; stop(): Promise<void> };
  /** Scenario, or `affinity-time`, or `fragments-from-node`, -> why it is not run with real packets here. */
  readonly excused?: Readonly<Record<string, string>>;
}

/** Scenario -> why no mode runs it here, or where it is run instead. */
function excusedForAll(): Record<string, string> {
  return {
    'session-affinity': 'its packets depend on earlier ones: run as "a client stays with its endpoint"',
    ...(!existsSync(SCTP_TRACKING) && { sctp: 'this kernel tracks no SCTP' }),
  };
}

export const wholePlan = (plan: Plan): PlanUpdate => ({ plan, changed: undefined, problems: plan.problems });

export function testWithRealPackets(suite: KernelSuite): void {
  requireOuterNamespace();
  const { mode, title = mode.name } = suite;
  const excused = { ...excusedForAll(), ...suite.excused };
  const seen = new Set<string>();
  let world: KernelWorld;
  before(async () => {
    world = await KernelWorld.create();
  });
  after(async () => {
    await world.close();
    const missing = (['IPv4', 'IPv6'] as const).flatMap((family) =>
      scenarios.map((one) => `${family} ${one.name}`).filter((name) => !seen.has(name)),
    );
    assert.deepEqual(missing, [], 'neither run nor excused');
  });

  for (const family of ['IPv4', 'IPv6'] as const) {
    describe(`${title}, ${family}: real packets go where the scenario says`, () => {
      const reading = { family, traits: mode.traits(family) };
      const context = contextOf(family);
      const planOf = (name: string): Plan => {
        const scenario = scenarios.find((one) => one.name === name);
        assert.ok(scenario, name);
        return loadScenario(scenario, reading).plan;
      };
      let backend: Backend;
      const relays = suite.relays?.();
      const sync = async (plan: Plan) => {
        const update = wholePlan(plan);
        relays?.follow(update);
        const result = await backend.sync(update);
        await relays?.settled();
        return result;
      };
      before(async () => {
        backend = await suite.create(context);
      });
      after(async () => {
        await backend.stop();
        await relays?.stop();
        await suite.cleanup(context);
      });

      for (const scenario of scenarios) {
        const why = excused[scenario.name];
        it(scenario.name, { skip: false }, async (test) => {
          seen.add(`${family} ${scenario.name}`);
          if (why !== undefined) {
            test.diagnostic(`not run here: ${why}`);
            return;
          }
          await sync(loadScenario(scenario, reading).plan);
          await Promise.all(scenario.packets.map((packet) => expectAnswers(world, scenario, packet, reading)));
        });
      }
      testAffinity(planOf, sync, () => world, family);
      testAffinityTime(planOf, sync, () => world, family, excused['affinity-time']);
      it('datagrams of many fragments go the same way (trap T33)', async (test) => {
        const scenario = scenarios.find((one) => one.name === 'node-port-udp');
        assert.ok(scenario);
        await sync(planOf(scenario.name));
        for (const packet of scenario.packets) {
          const why = packet.from === 'node' ? excused['fragments-from-node'] : undefined;
          if (why === undefined) await expectAnswers(world, scenario, packet, reading, FRAGMENTED);
          else test.diagnostic(`not run from the node: ${why}`);
        }
      });
      testForgottenFlows(planOf, sync, () => world, family);

      it('a new proxy adopts the rules and writes nothing', async () => {
        await sync(planOf('node-port'));
        const next = await suite.create(context);
        const { changes } = await next.sync(wholePlan(planOf('node-port')));
        assert.equal(changes, 0);
        await next.stop();
      });

      it('cleans up all it made, and carries on when asked again', async () => {
        await sync(planOf('cluster-ip'));
        await suite.cleanup(context);
        const to = family === 'IPv6' ? inIPv6('10.96.0.20') : '10.96.0.20';
        const probe = { host: to, port: 80, protocol: 'TCP', until: [], tries: 1, timeout: 300 } as const;
        const [gone = ''] = await world.ask('client', probe);
        assert.doesNotMatch(gone, /^(?:own|far)-/);
        backend.distrust();
        await sync(planOf('cluster-ip'));
        const [back = ''] = await world.ask('client', { ...probe, timeout: 3000 });
        assert.match(back, /^(?:own|far)-/);
      });
    });
  }

  function contextOf(family: Family): BackendContext {
    return {
      family,
      log: silentLog,
      exec: (...args) => world.onNode(...args),
      sysctl,
      masqueradeBit: 14,
      ipvs: defaultIpvsSettings,
    };
  }
}

/** Bytes: six packets on a link of 1500. */
const FRAGMENTED = 8000;

type PlanOf = (name: string) => Plan;
type Sync = (plan: Plan) => Promise<unknown>;

function testAffinity(planOf: PlanOf, sync: Sync, world: () => KernelWorld, family: Family): void {
  it('a client stays with its endpoint while others may differ, and moves when it is gone', async () => {
    const plan = planOf('session-affinity');
    await sync(plan);
    const target = ask(family, '10.96.0.40', 80);
    for (const from of ['client', 'own-b'] as const) {
      const got = await world().ask(from, { ...target, until: ['nobody'], tries: 30 });
      assert.equal(got.length, 1, `${from}: ${got.join(', ')}`);
    }
    const first = (await world().ask('client', target))[0]?.split(':')[0] as PodName;
    const { ip } = WORLD.pods[first];
    await sync(withoutEndpoint(plan, family === 'IPv6' ? inIPv6(ip) : ip));
    const next = (await world().ask('client', target))[0]?.split(':')[0];
    assert.ok(next !== undefined && next !== first && next in WORLD.pods, String(next));
  });
}

/** ms between questions of a client that is to be remembered, less than the second it is remembered for; and of one that is to be forgotten. */
const [OFTEN, SELDOM] = [250, 1150];

function testAffinityTime(planOf: PlanOf, sync: Sync, world: () => KernelWorld, family: Family, excuse?: string): void {
  it('a client is remembered for timeoutSeconds since it last came, and no longer (trap T18)', async (test) => {
    if (excuse !== undefined) {
      test.diagnostic(`not run here: ${excuse}`);
      return;
    }
    const plan = planOf('session-affinity');
    await sync({ ...plan, servicePorts: plan.servicePorts.map((one) => ({ ...one, affinitySeconds: 1 })) });
    const who = async () => (await world().ask('client', ask(family, '10.96.0.40', 80)))[0]?.split(':')[0];
    let first = await who();
    assert.ok(first !== undefined && first in WORLD.pods, String(first));
    let [since, last] = [performance.now(), performance.now()];
    while (last - since < 1500) {
      await pause(OFTEN);
      const now = await who();
      const before = last;
      last = performance.now();
      // on a busy machine the pause may have been too long, and then it proves nothing
      if (last - before < 900) assert.equal(now, first);
      else [first, since] = [now, last];
    }
    for (let tries = 0; (await who()) === first; tries++) {
      assert.ok(tries < 10, 'one of three endpoints eleven times, and never another');
      await pause(SELDOM);
    }
  });
}

function testForgottenFlows(planOf: PlanOf, sync: Sync, world: () => KernelWorld, family: Family): void {
  it('a UDP client whose endpoint went is not left talking to nobody', async () => {
    const plan = planOf('cluster-ip-two-ports');
    await sync(plan);
    const flows = new FlowKeeper(createConntrack(family, world().onNode));
    const context = { node: plan.node, options: plan.options };
    flows.follow(wholePlan(plan));
    await flows.reconcile(context, true);
    const target = { ...ask(family, '10.96.0.22', 53), protocol: 'UDP', from: 5353 } as const;
    const [first = ''] = await world().ask('client', target);
    const { ip } = WORLD.pods[first.split(':')[0] as PodName];
    const without = withoutEndpoint(plan, family === 'IPv6' ? inIPv6(ip) : ip);
    await sync(without);
    flows.follow(wholePlan(without));
    await flows.reconcile(context, false);
    const [next = ''] = await world().ask('client', target);
    assert.notEqual(next.split(' ')[0], first.split(' ')[0]);
    assert.match(next, /^(?:own|far)-/);
  });
}

export function withoutEndpoint(plan: Plan, ip: string): Plan {
  const isLeft = (address: string) => !address.startsWith(ip.includes(':') ? `[${ip}]:` : `${ip}:`);
  return {
    ...plan,
    servicePorts: plan.servicePorts.map((service) => ({
      ...service,
      clusterEndpoints: service.clusterEndpoints.filter((one) => isLeft(one.address)),
      localEndpoints: service.localEndpoints.filter((one) => isLeft(one.address)),
      servingAddresses: service.servingAddresses.filter(isLeft),
    })),
  };
}

export type { Scenario };
