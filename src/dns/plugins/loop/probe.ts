/** A question that nobody but this server would ask: when it comes in, it came back (feature 4-055). Pure but for the numbers it is given. */
import type { Question } from '../../wire/message.ts';

/** CoreDNS asks for that type too: hardly anybody else does. */
export const HINFO = 13;

/** `5577006791947779410.8674665223082153551.example.org.`: 2 × 63 bits that nobody guesses. @param random from 0 to 1, exclusive */
export function probeQuestion(zone: string, random: () => number): Question {
  const label = () => {
    const [high, low] = [random, random].map((draw) => BigInt(Math.floor(draw() * 2 ** 31)));
    return String(((high ?? 0n) << 32n) | (low ?? 0n));
  };
  return { name: `${label()}.${label()}.${zone === '.' ? '' : zone}`, type: HINFO, class: 1 };
}

/** What a loop is and what to do about it, for people. */
export const loopText = (server: string, { name }: Question): string =>
  `"HINFO IN ${name}", asked of the upstreams, came back to ${server}: they forward to this server, and names outside the cluster would go round in a loop. ` +
  'They get SERVFAIL until that has changed. Name the real upstream servers in /etc/resolv.conf (with systemd-resolved those of ' +
  '/run/systemd/resolve/resolv.conf) or in the Corefile (forward . ADDRESS)';
