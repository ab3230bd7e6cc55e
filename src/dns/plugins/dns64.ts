/** `dns64 [PREFIX]`: names without IPv6 addresses get some that lead through NAT64 to their IPv4 ones (RFC 6147, RFC 6052). */
import { parseCidr, type Cidr } from '../../lib/cidr.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import { Value } from '../../lib/prometheus.ts';
import type { Directive } from '../corefile/directive.ts';
import { expectArgs, expectOnce, readOptions, refuse } from '../corefile/option.ts';
import type { Block, Plugin, Query, Reply } from '../plugin.ts';
import { RCODE, TYPE, type Message, type Record } from '../wire/message.ts';

export interface Dns64Options {
  readonly prefix: Cidr;
  /** Also where there are IPv6 addresses. */
  readonly translatesAll: boolean;
  /** Also for who asks over IPv4. */
  readonly allowsIpv4: boolean;
}

export const dns64Plugin: Plugin = {
  name: 'dns64',
  setup(directives, block) {
    const options = parseDns64(expectOnce(directives));
    const { server } = block;
    const translated = block.runtime.metrics.add(
      new Value('counter', 'coredns_dns64_requests_translated_total', 'Questions answered with made addresses.', []),
    );
    return {
      wrap: (next) => async (query) => {
        const reply = await next(query);
        if (!reply || !isWanted(query, options) || !isLacking(reply.message, options)) return reply;
        const made = await translate(query, reply, options, block);
        if (made) translated.add(1, { server });
        return made ?? reply;
      },
    };
  },
};

const isWanted = ({ question, asker }: Query, { allowsIpv4 }: Dns64Options): boolean =>
  question.type === TYPE.AAAA && (allowsIpv4 || asker.address.includes(':'));

/** A name that does not exist has no IPv4 addresses either; any other failure may be one of IPv6 only (RFC 6147, 5.1.2). */
const isLacking = ({ rcode, answers }: Message, { translatesAll }: Dns64Options): boolean =>
  rcode !== RCODE.NXDOMAIN && (translatesAll || !answers.some(({ type }) => type === TYPE.AAAA));

/** Made addresses live no longer than the lack of real ones (RFC 6147, 5.1.7). */
const LONGEST_TTL = 600;

async function translate(
  query: Query,
  reply: Reply,
  options: Dns64Options,
  { lookUp }: Block,
): Promise<Reply | undefined> {
  const found = (await lookUp?.({ ...query.question, type: TYPE.A }, query))?.message;
  if (found?.rcode !== RCODE.NOERROR || !found.answers.some(({ type }) => type === TYPE.A)) return undefined;
  const soa = reply.message.authorities.find((record) => record.type === TYPE.SOA);
  const longest = soa?.type === TYPE.SOA ? Math.min(soa.ttl, soa.minimum) : LONGEST_TTL;
  const answers = found.answers.map((record): Record => {
    if (record.type !== TYPE.A) return record;
    const ttl = Math.min(record.ttl, longest);
    return { name: record.name, ttl, type: TYPE.AAAA, address: embedded(record.address, options.prefix) };
  });
  const { holds: _, ...rest } = reply;
  const message = { ...reply.message, rcode: RCODE.NOERROR, answers, authorities: [], additionals: [] };
  return { ...rest, message, from: 'dns64', transient: true };
}

/** RFC 6052, 2.2: the address behind the prefix, with the bits 64 to 71 left at zero. */
export function embedded(address: string, { base, bits }: Cidr): string {
  const ip = parseIp(address);
  let value = base;
  let at = bits;
  for (const shift of [24n, 16n, 8n, 0n]) {
    if (at === 64) at += 8;
    const byte = ((ip?.value ?? 0n) >> shift) & 255n;
    value |= byte << BigInt(120 - at);
    at += 8;
  }
  return formatIp({ family: 'IPv6', value });
}

/** @throws CorefileError */
export function parseDns64(directive: Directive): Dns64Options {
  const [text] = expectArgs(directive, 0, 1, 'a prefix');
  let prefix = parsePrefix(directive, text ?? '64:ff9b::/96');
  let translatesAll = false;
  let allowsIpv4 = false;
  readOptions(directive, {
    prefix: (option) => void (prefix = parsePrefix(option, expectArgs(option, 1, 1, 'a prefix')[0] ?? '')),
    translate_all: () => void (translatesAll = true),
    allow_ipv4: () => void (allowsIpv4 = true),
  });
  return { prefix, translatesAll, allowsIpv4 };
}

const LENGTHS = [32, 40, 48, 56, 64, 96];

function parsePrefix(directive: Directive, text: string): Cidr {
  const prefix = parseCidr(text);
  if (prefix?.family !== 'IPv6' || !LENGTHS.includes(prefix.bits)) {
    refuse(directive, `expected an IPv6 prefix of ${LENGTHS.join(', ')} bits, found "${text}"`);
  }
  return prefix;
}
