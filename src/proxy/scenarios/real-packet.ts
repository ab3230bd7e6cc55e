/** One packet of a scenario sent for real: who answered, and whom they saw. */
import assert from 'node:assert/strict';
import { expectedOf, type Reading, type Scenario, type ScenarioPacket } from './index.ts';
import { inIPv6 } from './ipv6.ts';
import { ask, type KernelWorld } from './kernel-world.ts';
import { WORLD, type Answerer } from './scenario.ts';

/** `size`: bytes of a UDP packet. */
export async function expectAnswers(
  world: KernelWorld,
  scenario: Scenario,
  packet: ScenarioPacket,
  reading: Reading,
  size?: number,
): Promise<void> {
  const { from, to, port, protocol = 'TCP' } = packet;
  const { expect, masqueraded = false } = expectedOf(packet, reading.traits);
  const told = { ...packet, expect, masqueraded };
  const until = typeof expect === 'string' ? [] : expect.map((one) => (one.includes(':') ? one : `${one}:9376`));
  const isQuiet = until.length === 0;
  const got = await world.ask(from, {
    ...ask(reading.family, to, port),
    protocol,
    until,
    ...(size !== undefined && { size }),
    tries: isQuiet ? 1 : 80,
    // an ICMP refusal that comes while connect() still holds the socket is lost, and the next one follows the SYN sent again after 1 s
    timeout: expect === 'REJECT' ? 2500 : isQuiet ? 300 : 3000,
  });
  assert.deepEqual(
    got.map((one) => spell(told, one, reading)).sort(),
    expected(told, got),
    `${scenario.name}: ${JSON.stringify(packet)}`,
  );
}

/** `own-a:9376 10.244.1.1` -> `own-a:9376 masqueraded`. */
function spell({ from, expect }: ScenarioPacket, answer: string, { family }: Reading): string {
  const [name = '', sawIp] = answer.split(' ');
  if (sawIp === undefined || expect === 'pass') return name;
  // the node's own address may also be what masquerading chooses, so there it cannot be told
  if (from === 'node') return name;
  const own = from === 'outside' ? WORLD.outside : WORLD.pods[from].ip;
  return sawIp === (family === 'IPv6' ? inIPv6(own) : own) ? name : `${name} masqueraded`;
}

function expected({ from, to, port, expect, masqueraded = false }: ScenarioPacket, got: readonly string[]) {
  if (expect === 'pass') {
    const direct = Object.entries(WORLD.pods).find(([, pod]) => pod.ip === to);
    if (direct) return [`${direct[0]}:${String(port)}`];
    // nobody's address: refused by whoever has it, unreachable, or lost; but no Pod of ours may answer
    return got.filter((one) => !/^(?:own|far|client|node)\b/.test(one)).sort();
  }
  if (typeof expect === 'string') return [expect];
  return expect
    .map((answer) => {
      const name = answer.includes(':') ? answer : `${answer as Answerer}:9376`;
      const hidden = typeof masqueraded === 'boolean' ? masqueraded : masqueraded.includes(answer);
      return hidden && from !== 'node' ? `${name} masqueraded` : name;
    })
    .sort();
}
