/** What every mode is held to on random clusters: its tracer must say what the oracle says. A thousand clusters in each run, half of each family. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Family } from '../../lib/ip.ts';
import type { Mode } from '../mode.ts';
import { decide } from '../plan/decide.ts';
import type { Packet } from '../plan/packet.ts';
import { plan } from '../plan/plan.ts';
import { defaultPlanOptions, type Plan } from '../plan/types.ts';
import { traceRelay } from '../relays.ts';
import { describeDecision, describeOutcomes } from '../trace-outcome.ts';
import { inIPv6 } from './ipv6.ts';
import { clusters, NODE_IP, nodes, objectsOf, optionsWith, packetsFor } from './random-cluster.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1000);
const read = <T>(family: Family, value: T): T => (family === 'IPv6' ? inIPv6(value) : value);

const packetsOf = (family: Family): Packet[] => read(family, [0, 1, 2].flatMap(packetsFor));
const PACKETS = { IPv4: packetsOf('IPv4'), IPv6: packetsOf('IPv6') };

function assertAgreement(mode: Mode, current: Plan, told = current): void {
  const packets = PACKETS[current.options.family];
  const traced = mode.trace(current, packets);
  for (const [at, packet] of packets.entries()) {
    const outcomes = traceRelay(current, packet) ?? traced[at] ?? [];
    assert.equal(describeOutcomes(outcomes), describeDecision(decide(told, packet)), JSON.stringify(packet));
  }
}

export function testRandomClusters(mode: Mode): void {
  for (const family of ['IPv4', 'IPv6'] as const) {
    it(`${mode.name}, ${family}: the tracer agrees with the oracle on random clusters`, () => {
      const options = optionsWith(mode.traits(family));
      fc.assert(
        fc.property(clusters, options, nodes, (cluster, some, node) => {
          const objects = read(family, cluster.map(objectsOf));
          const services = objects.map((one) => one.service);
          const slices = objects.flatMap((one) => one.slices);
          assertAgreement(mode, plan(services, slices, read(family, node), read(family, some)));
        }),
        { numRuns: RUNS / 2 },
      );
    });
  }
  it(`${mode.name}: is able to fail, an oracle told of another endpoint disagrees`, () => {
    const [good, other] = [['10.244.1.1'], []].map((ips) => {
      const endpoints = ips.map((ip) => ({ ip, ready: true, serving: true, terminating: false, zones: [], nodes: [] }));
      const { service, slices } = objectsOf({
        type: 'ClusterIP',
        internalTrafficPolicy: undefined,
        externalTrafficPolicy: undefined,
        affinity: false,
        external: false,
        lbIPs: [],
        ranges: [],
        ports: ['TCP'],
        slices: [endpoints],
        at: 0,
      });
      const options = { ...defaultPlanOptions, ...mode.traits('IPv4') };
      return plan([service], slices, { name: 'node01', ips: [NODE_IP], labels: {} }, options);
    });
    assert.ok(good && other);
    assertAgreement(mode, good);
    assert.throws(() => {
      assertAgreement(mode, good, other);
    });
  });
}
