/** `rewrite edns0 …`: options of EDNS that upstream servers are to see. Pure. */
import type { Directive } from '../../corefile/directive.ts';
import { expectNumber, refuse } from '../../corefile/option.ts';
import { parseIp } from '../../../lib/ip.ts';
import type { Query } from '../../plugin.ts';
import { OPTION, type Edns, type EdnsOption } from '../../wire/message.ts';
import { typeName } from '../../wire/record-text.ts';
import type { Rule } from './rule.ts';

const ACTIONS = ['set', 'append', 'replace'] as const;
type Action = (typeof ACTIONS)[number];

/** Undefined: there is nothing to say of this query. */
type OptionFor = (query: Query) => EdnsOption | undefined;

/** @throws CorefileError */
export function parseEdnsRule(directive: Directive, words: readonly string[], stops: boolean): Rule {
  const [kind, action, ...rest] = words;
  const known = ACTIONS.find((each) => each === action);
  if (!known) refuse(directive, `expected behind edns0: local, nsid or subnet, then ${ACTIONS.join(', ')}`);
  // Options never go back to the asker here, which is what `revert` asks for.
  const args = rest.at(-1) === 'revert' ? rest.slice(0, -1) : rest;
  const { code, option } = optionFor(directive, kind, args);
  return { stops, isByQuestion: false, apply: (query) => applyEdns(query, code, option, known) };
}

function optionFor(directive: Directive, kind = '', args: readonly string[]): { code: number; option: OptionFor } {
  if (kind === 'nsid' && args.length === 0) {
    return { code: OPTION.NSID, option: () => ({ code: OPTION.NSID, bytes: Buffer.alloc(0) }) };
  }
  if (kind === 'subnet' && args.length === 2) {
    const v4 = expectNumber(directive, args[0], 0, 32);
    const v6 = expectNumber(directive, args[1], 0, 128);
    return { code: OPTION.CLIENT_SUBNET, option: ({ asker }) => subnetOption(asker.address, v4, v6) };
  }
  const [codeText = '', data = ''] = args;
  if (kind === 'local' && args.length === 2) {
    const code = /^0x[0-9a-f]{1,4}$/i.test(codeText) ? Number(codeText) : expectNumber(directive, codeText, 0, 0xffff);
    return { code, option: (query) => ({ code, bytes: localData(data, query) }) };
  }
  refuse(directive, 'expected edns0 local ACTION CODE DATA, nsid ACTION or subnet ACTION V4BITS V6BITS');
}

function applyEdns(query: Query, code: number, optionOf: OptionFor, action: Action) {
  const { message } = query;
  const edns: Edns = message.edns ?? { size: 4096, version: 0, dnssecOk: false };
  const options = edns.options ?? [];
  const has = options.some((each) => each.code === code);
  const option = optionOf(query);
  if (!option || (action === 'append' && has) || (action === 'replace' && !has)) return undefined;
  const others = options.filter((each) => each.code !== code);
  return { query: { ...query, message: { ...message, edns: { ...edns, options: [...others, option] } } } };
}

/** `0x…` is bytes, `{…}` a variable or metadata, anything else the text itself. */
function localData(data: string, query: Query): Buffer {
  if (/^0x([0-9a-f]{2})*$/i.test(data)) return Buffer.from(data.slice(2), 'hex');
  const variable = /^\{(.+)\}$/.exec(data)?.[1];
  return variable === undefined ? Buffer.from(data) : variableData(variable, query);
}

/** Numbers are two bytes, addresses as many as they have. */
function variableData(variable: string, { question, asker, metadata }: Query): Buffer {
  switch (variable) {
    case 'qname':
      return Buffer.from(question.name);
    case 'qtype':
      return Buffer.from(typeName(question.type));
    case 'protocol':
      return Buffer.from(asker.transport);
    case 'client_ip':
      return addressBytes(asker.address);
    case 'client_port':
      return Buffer.of(asker.port >> 8, asker.port & 255);
    default:
      return Buffer.from(metadata?.get(variable)?.() ?? '');
  }
}

function addressBytes(text: string): Buffer {
  const ip = parseIp(text);
  if (!ip) return Buffer.alloc(0);
  return Buffer.from(ip.value.toString(16).padStart(ip.family === 'IPv4' ? 8 : 32, '0'), 'hex');
}

/** RFC 7871, section 6: the prefix, with what lies behind it cleared. */
function subnetOption(address: string, v4Bits: number, v6Bits: number): EdnsOption | undefined {
  const ip = parseIp(address);
  if (!ip) return undefined;
  const bits = ip.family === 'IPv4' ? v4Bits : v6Bits;
  const prefix = addressBytes(address).subarray(0, Math.ceil(bits / 8));
  const last = prefix.length - 1;
  const bytes = Buffer.from(prefix);
  if (bits % 8 !== 0) bytes[last] = (bytes[last] ?? 0) & (0xff << (8 - (bits % 8)));
  return {
    code: OPTION.CLIENT_SUBNET,
    bytes: Buffer.concat([Buffer.of(0, ip.family === 'IPv4' ? 1 : 2, bits, 0), bytes]),
  };
}
