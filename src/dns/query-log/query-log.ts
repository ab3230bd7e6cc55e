/** What was asked, as lines for people and programs: `fairway dns log`. Which are wanted, and what is kept of each. Pure. */
import type { Asker } from '../plugin.ts';
import type { QueryRecord } from './tap.ts';
import type { Question } from '../wire/message.ts';
import { parseType, rcodeName, typeName } from '../wire/record-text.ts';

export interface LogEntry {
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** `NAMESPACE/NAME` of the Pod that has the address, where it is known. */
  readonly pod?: string;
  readonly address: string;
  readonly transport: 'udp' | 'tcp';
  readonly name: string;
  readonly type: string;
  /** Absent: no reply was sent. */
  readonly rcode?: string;
  readonly answers: number;
  readonly plugin: string;
  readonly source?: string;
  readonly problem?: string;
  /** ms in the server. */
  readonly took: number;
}

export interface LogFilter {
  /** Canonical; empty: all. */
  readonly addresses: readonly string[];
  /** `*` is any text; without one, the name or one that begins with it and a dot. */
  readonly name?: string;
  readonly type?: number;
  readonly rcode?: string;
}

/** @throws Error that says what is wrong */
export function parseLogFilter(query: URLSearchParams): LogFilter {
  const type = query.get('type');
  const code = type === null ? undefined : parseType(type);
  if (type !== null && code === undefined) throw new Error(`invalid type ${JSON.stringify(type)}`);
  const rcode = query.get('rcode')?.toUpperCase();
  if (rcode !== undefined && !/^[A-Z][A-Z0-9]*$/.test(rcode)) throw new Error(`invalid rcode ${JSON.stringify(rcode)}`);
  const name = query.get('name')?.toLowerCase();
  return {
    addresses: query.getAll('address'),
    ...(name !== undefined && { name }),
    ...(code !== undefined && { type: code }),
    ...(rcode !== undefined && { rcode }),
  };
}

/** As far as the question tells. */
export function wantsQuestion({ addresses, name, type }: LogFilter, question: Question, { address }: Asker): boolean {
  return (
    (addresses.length === 0 || addresses.includes(address)) &&
    (type === undefined || type === question.type) &&
    (name === undefined || matchesName(name, question.name.toLowerCase()))
  );
}

export const wantsEntry = ({ rcode }: LogFilter, entry: LogEntry): boolean =>
  rcode === undefined || rcode === (entry.rcode ?? 'NONE');

/** @param pattern lower case @param name lower case, with the final dot */
export function matchesName(pattern: string, name: string): boolean {
  const bare = name.replace(/\.$/, '');
  const [first = '', ...rest] = pattern.replace(/\.$/, '').split('*');
  if (rest.length === 0) return bare === first || bare.startsWith(`${first}.`);
  if (!bare.startsWith(first)) return false;
  const last = rest.pop() ?? '';
  // Each middle part at its first place: if a match exists, this finds one.
  let at = first.length;
  for (const part of rest) {
    const found = bare.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return bare.length - last.length >= at && bare.endsWith(last);
}

export function entryOf(
  { at, asker, question, reply, error, took }: QueryRecord,
  podAt: (address: string) => string | undefined,
): LogEntry {
  const pod = podAt(asker.address);
  const problem = error ?? reply?.problem;
  const rcode = reply ? rcodeName(reply.message.rcode) : error === undefined ? undefined : 'SERVFAIL';
  return {
    time: new Date(at).toISOString(),
    ...(pod !== undefined && { pod }),
    address: asker.address,
    transport: asker.transport,
    name: question.name,
    type: typeName(question.type),
    ...(rcode !== undefined && { rcode }),
    answers: reply?.message.answers.length ?? 0,
    plugin: reply?.from ?? '',
    ...(reply?.source !== undefined && { source: reply.source }),
    ...(problem !== undefined && { problem }),
    took: Math.round(took * 1000) / 1000,
  };
}
