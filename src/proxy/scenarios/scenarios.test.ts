/** Every scenario in both families, by the oracle and by the tracer of each mode; and the goldens, which are the text a dry run prints. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync, readdirSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import type { Family } from '../../lib/ip.ts';
import type { Mode } from '../mode.ts';
import { MODES } from '../modes.ts';
import { decide } from '../plan/decide.ts';
import { traceRelay } from '../relays.ts';
import { describeDecision, describeOutcomes } from '../trace-outcome.ts';
import { loadScenario, packetsOf, scenarios, type Reading, type Scenario } from './index.ts';

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];
const modes = Object.values(MODES);

/** `MODE SCENARIO` -> why its tracer cannot run it. */
const excused: Readonly<Record<string, string>> = {};
const seen = new Set<string>();

/** In IPv6 the goldens say nothing new but the spelling, so a few are enough. */
const IPV6_GOLDENS: readonly string[] = [
  'cluster-ip',
  'node-port',
  'no-endpoints',
  'external-policy-local',
  'load-balancer-source-ranges',
  'session-affinity',
];

function check(scenario: Scenario, reading: Reading, got: readonly string[]): void {
  const expected = packetsOf(scenario, reading);
  assert.deepEqual(
    got.map((text, at) => ({ ...scenario.packets[at], got: text })),
    expected.map(({ expect }, at) => ({ ...scenario.packets[at], got: expect })),
  );
}

for (const mode of modes) {
  for (const family of FAMILIES) {
    const reading = { family, traits: mode.traits(family) };
    describe(`${mode.name}, ${family}: packets go where the scenario says`, () => {
      for (const scenario of scenarios) {
        const { plan } = loadScenario(scenario, reading);
        const packets = packetsOf(scenario, reading).map((one) => one.packet);
        it(`${scenario.name}, by the oracle`, () => {
          check(
            scenario,
            reading,
            packets.map((packet) => describeDecision(decide(plan, packet))),
          );
          seen.add(`oracle ${family} ${mode.name} ${scenario.name}`);
        });
        if (excused[`${mode.name} ${scenario.name}`] !== undefined) continue;
        it(`${scenario.name}, by the tracer`, () => {
          const traced = mode.trace(plan, packets);
          const outcomes = packets.map((packet, at) => traceRelay(plan, packet) ?? traced[at] ?? []);
          check(scenario, reading, outcomes.map(describeOutcomes));
          seen.add(`tracer ${family} ${mode.name} ${scenario.name}`);
        });
      }
    });
  }
  describe(`${mode.name} text is the golden one`, () => {
    const folder = new URL(`../${mode.name}/testdata/`, import.meta.url);
    for (const { file, family, scenario } of goldensOf(mode)) {
      it(file, () => {
        const text = mode.render(loadScenario(scenario, { family, traits: mode.traits(family) }).plan);
        const path = new URL(file, folder);
        if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(path, text);
        assert.ok(existsSync(path), `no golden ${file}: run with UPDATE_GOLDEN=1 and read what it says`);
        assert.equal(text, readFileSync(path, 'utf8'));
      });
    }
    it('has no golden without a scenario', () => {
      const files = readdirSync(folder).filter((file) => file.endsWith(`.${mode.extension}`));
      const expected = goldensOf(mode).map((one) => one.file);
      assert.deepEqual(files.sort(), expected.sort());
    });
  });
}

function goldensOf(mode: Mode) {
  return FAMILIES.flatMap((family) =>
    scenarios
      .filter((scenario) => family === 'IPv4' || IPV6_GOLDENS.includes(scenario.name))
      .map((scenario) => ({
        scenario,
        family,
        file: `${scenario.name}${family === 'IPv6' ? '.ipv6' : ''}.${mode.extension}`,
      })),
  );
}

after(() => {
  const missing = modes.flatMap((mode) =>
    FAMILIES.flatMap((family) =>
      scenarios.flatMap(({ name }) => {
        const pairs = [`oracle ${family} ${mode.name} ${name}`];
        if (excused[`${mode.name} ${name}`] === undefined) pairs.push(`tracer ${family} ${mode.name} ${name}`);
        return pairs.filter((pair) => !seen.has(pair));
      }),
    ),
  );
  assert.deepEqual(missing, [], 'neither run nor excused');
});
