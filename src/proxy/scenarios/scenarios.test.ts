/** Every scenario, by the oracle and by the tracer of each backend; and the goldens, which are the text a dry run prints. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync, readdirSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { decide } from '../plan/decide.ts';
import { compile } from '../iptables/compile.ts';
import { render } from '../iptables/render.ts';
import { describeDecision, describeOutcomes, traceThroughText } from '../iptables/trace-service.ts';
import { loadScenario, packetsOf, scenarios, type Scenario } from './index.ts';

interface Backend {
  readonly name: string;
  /** What becomes of each packet, in the words of `describeDecision`. */
  readonly run: (scenario: Scenario) => readonly string[];
  /** Scenario -> why it cannot be run here. */
  readonly excused: Readonly<Record<string, string>>;
}

const packets = (scenario: Scenario) => packetsOf(scenario).map((one) => one.packet);

const backends: readonly Backend[] = [
  {
    name: 'oracle',
    run: (scenario) => {
      const { plan } = loadScenario(scenario);
      return packets(scenario).map((packet) => describeDecision(decide(plan, packet)));
    },
    excused: {},
  },
  {
    name: 'iptables',
    run: (scenario) => traceThroughText(loadScenario(scenario).plan, packets(scenario)).map(describeOutcomes),
    excused: {},
  },
];

const seen = new Set<string>();

for (const backend of backends) {
  describe(`${backend.name} sends packets where the scenario says`, () => {
    for (const scenario of scenarios) {
      if (backend.excused[scenario.name] !== undefined) {
        seen.add(`${backend.name} ${scenario.name}`);
        continue;
      }
      it(scenario.name, () => {
        assert.deepEqual(
          backend.run(scenario).map((got, at) => ({ ...scenario.packets[at], got })),
          packetsOf(scenario).map(({ expect }, at) => ({ ...scenario.packets[at], got: expect })),
        );
        seen.add(`${backend.name} ${scenario.name}`);
      });
    }
  });
}

describe('iptables text is the golden one', () => {
  const folder = new URL('../iptables/testdata/', import.meta.url);
  for (const scenario of scenarios) {
    it(scenario.name, () => {
      const text = render(compile(loadScenario(scenario).plan));
      const file = new URL(`${scenario.name}.iptables`, folder);
      if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(file, text);
      assert.ok(existsSync(file), `no golden for ${scenario.name}: run with UPDATE_GOLDEN=1 and read what it says`);
      assert.equal(text, readFileSync(file, 'utf8'));
    });
  }
  it('has no golden without a scenario', () => {
    const names = scenarios.map((scenario) => `${scenario.name}.iptables`).sort();
    assert.deepEqual(readdirSync(folder).sort(), names);
  });
});

after(() => {
  const missing = backends.flatMap((backend) =>
    scenarios
      .filter((scenario) => !seen.has(`${backend.name} ${scenario.name}`))
      .map((one) => `${backend.name} ${one.name}`),
  );
  assert.deepEqual(missing, [], 'neither run nor excused');
});
