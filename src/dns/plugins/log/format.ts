/** The line that `log` writes for a question, from a format with `{placeholders}`. Pure. */
import { formatIp, parseIp } from '../../../lib/ip.ts';
import type { Query, Reply } from '../../plugin.ts';
import type { Message } from '../../wire/message.ts';
import { className, rcodeName, typeName } from '../../wire/record-text.ts';

export const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
export const COMBINED = `${COMMON} "{>opcode}"`;

export interface Logged {
  readonly query: Query;
  readonly reply: Reply;
  /** Bytes, uncompressed. */
  readonly sizes: { readonly request: number; readonly response: number };
  readonly durationMs: number;
}

type Placeholder = (logged: Logged) => string;

const PLACEHOLDERS: Readonly<Record<string, Placeholder>> = {
  type: ({ query }) => typeName(query.message.questions[0]?.type ?? 0),
  name: ({ query }) => query.message.questions[0]?.name ?? '.',
  class: ({ query }) => className(query.message.questions[0]?.class ?? 0),
  proto: ({ query }) => query.asker.transport,
  remote: ({ query }) => bracketed(query.asker.address),
  port: ({ query }) => String(query.asker.port),
  size: ({ sizes }) => String(sizes.request),
  rsize: ({ sizes }) => String(sizes.response),
  rcode: ({ reply }) => rcodeName(reply.message.rcode),
  duration: ({ durationMs }) => `${(durationMs / 1000).toFixed(9)}s`,
  '>id': ({ query }) => String(query.message.id),
  '>opcode': ({ query }) => String(query.message.opcode),
  '>do': ({ query }) => String(query.message.edns?.dnssecOk ?? false),
  '>bufsize': ({ query }) => String(query.message.edns?.size ?? 512),
  '>rflags': ({ reply }) => flagsOf(reply.message),
};

/** Names of the placeholders there are, without braces. */
export const placeholders: readonly string[] = Object.keys(PLACEHOLDERS);

/** Undefined: all is known; otherwise the first `{…}` that is not. `{/LABEL}` is metadata and always known. */
export function unknownPlaceholder(format: string): string | undefined {
  const all = [...format.matchAll(/\{([^{}\s]+)\}/g)].map(([, name = '']) => name);
  return all.find((name) => !Object.hasOwn(PLACEHOLDERS, name) && !name.startsWith('/'));
}

/** `{common}` and `{combined}` written out. */
export function writtenOut(format: string): string {
  return format.replaceAll('{common}', COMMON).replaceAll('{combined}', COMBINED);
}

export function formatLine(format: string, logged: Logged): string {
  return format.replaceAll(/\{([^{}\s]+)\}/g, (whole, name: string) => {
    if (name.startsWith('/')) return metadataOf(logged.query, name.slice(1));
    return Object.hasOwn(PLACEHOLDERS, name) ? (PLACEHOLDERS[name]?.(logged) ?? whole) : whole;
  });
}

/** `-` where nobody knows it. */
function metadataOf({ metadata }: Query, label: string): string {
  const value = metadata?.get(label)?.() ?? '';
  return value === '' ? '-' : value;
}

function bracketed(address: string): string {
  const ip = parseIp(address);
  if (!ip) return address;
  return ip.family === 'IPv6' ? `[${formatIp(ip)}]` : formatIp(ip);
}

function flagsOf(message: Message): string {
  const flags: [string, boolean | undefined][] = [
    ['qr', message.isResponse],
    ['aa', message.authoritative],
    ['tc', message.truncated],
    ['rd', message.recursionDesired],
    ['ra', message.recursionAvailable],
    ['ad', message.authenticData],
    ['cd', message.checkingDisabled],
  ];
  const set = flags.filter(([, isSet]) => isSet === true).map(([name]) => name);
  return set.length === 0 ? '-' : set.join(',');
}
