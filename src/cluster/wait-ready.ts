/** Waiting for the nodes, with an eye on the parts: one that keeps ending is named with its own last words rather than waited for. */
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError } from '../api/api-error.ts';
import { LEASES, NODES } from '../api/kinds.ts';
import type { Node } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import { createHttpClient } from '../client/http-client.ts';
import { pkiPaths } from './certificates.ts';
import type { Layout } from './layout.ts';

const POLL_MS = 25;
/** Bytes of a part's words that are looked at. */
const MAX_LOG = 256 * 1024;
/** Ends of one part after which it is given up: the first may be a race with something that starts beside it. */
const ENDS = 3;
/** Milliseconds. Of a part that ran already when the waiting began, ends before that are past troubles. */
const RECENT = 15_000;

export interface WaitOptions {
  readonly layout: Layout;
  readonly nodes: readonly string[];
  readonly parts: readonly string[];
  readonly timeout: number;
  readonly progress: (text: string) => void;
  /** Of parts started just now: when (milliseconds). A node's condition may be older than its agent, its lease tells. */
  readonly since?: ReadonlyMap<string, number>;
  readonly signal?: AbortSignal;
}

export function adminConnection(layout: Layout): { server: string; ca: string; cert: string; key: string } {
  const pki = pkiPaths(layout.pki);
  const read = (file: string) => readFileSync(file, 'utf8');
  return { server: layout.apiServer, ca: read(pki.ca), cert: read(pki.cert('admin')), key: read(pki.key('admin')) };
}

export function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

export async function waitReady(options: WaitOptions): Promise<void> {
  const { layout, nodes, timeout } = options;
  const starts = new Map(options.parts.map((part) => [part, logSize(layout, part)]));
  const client = createHttpClient(adminConnection(layout));
  const ready = new Set<string>();
  const begin = Date.now();
  const end = begin + timeout;
  let problem = 'the API server does not answer';
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      problem = await lookOnce(client, options, ready);
      if (nodes.every((name) => ready.has(name))) return;
      for (const [part, from] of starts) {
        const words = repeatedEnd(readLog(layout, part, from), options.since?.get(part) ?? begin - RECENT);
        if (words !== undefined) throw new Error(`${part} keeps ending: ${words} (log: ${logFile(layout, part)})`);
      }
      if (Date.now() > end)
        throw new Error(`not ready after ${String(Math.round(timeout / 1000))} s: ${problem} (logs: ${layout.logs})`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    client.close();
  }
}

/** One look at the nodes; returns what is still missing. */
async function lookOnce(client: Client, options: WaitOptions, ready: Set<string>): Promise<string> {
  const { nodes, progress, since = new Map<string, number>() } = options;
  try {
    const [{ items }, leases] = await Promise.all([
      client.list(NODES),
      client.list(LEASES, { namespace: 'kube-node-lease' }),
    ]);
    const isFresh = (name: string) => {
      const renewed = leases.items.find(({ metadata }) => metadata.name === name)?.spec?.renewTime;
      return Date.parse(renewed ?? '') >= (since.get(name) ?? 0) || !since.has(name);
    };
    for (const node of items) {
      const { name } = node.metadata;
      if (!nodes.includes(name) || ready.has(name) || !isNodeReady(node) || !isFresh(name)) continue;
      ready.add(name);
      progress(`${name} Ready`);
    }
    const missing = nodes.filter((name) => !ready.has(name));
    return missing.map((name) => describeNode(name, items)).join('; ');
  } catch (error) {
    // While it starts it cannot be reached; when it answers and refuses, that is the cause.
    return error instanceof ApiError ? `the API server says: ${error.message}` : 'the API server does not answer';
  }
}

function describeNode(name: string, nodes: readonly Node[]): string {
  const node = nodes.find((candidate) => candidate.metadata.name === name);
  if (!node) return `${name} has not registered`;
  const condition = node.status?.conditions?.find(({ type }) => type === 'Ready');
  return `${name} is not Ready${condition?.message ? `: ${condition.message}` : ''}`;
}

const logFile = (layout: Layout, part: string) => join(layout.logs, `${part}.log`);

function logSize(layout: Layout, part: string): number {
  try {
    return Math.max(0, statSync(logFile(layout, part)).size - 4096); // its first words may be older than we are
  } catch {
    return 0;
  }
}

function readLog(layout: Layout, part: string, from: number): string {
  try {
    const file = openSync(logFile(layout, part), 'r');
    try {
      const { size } = fstatSync(file);
      const start = size < from ? 0 : from; // cut short meanwhile: from its beginning
      const bytes = Buffer.alloc(Math.min(size - start, MAX_LOG));
      return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, start));
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}

/** The last message of a part that ended often enough since then (milliseconds), else undefined. Pure. */
export function repeatedEnd(log: string, since: number): string | undefined {
  const lines = log.split('\n').filter((line) => line !== '');
  const isEnd = (line: string) => line.includes('"part":"supervise"') && line.includes(' ended with code ');
  // The supervisor writes whole seconds.
  const isNew = (line: string) => timeOf(line) >= Math.floor(since / 1000) * 1000;
  if (lines.filter((line) => isEnd(line) && isNew(line)).length < ENDS) return undefined;
  const last = lines.filter((line) => !isEnd(line)).at(-1) ?? 'it says nothing';
  return messageOf(last);
}

function timeOf(line: string): number {
  return Date.parse(/"time":"([^"]*)"/.exec(line)?.[1] ?? '');
}

function messageOf(line: string): string {
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return [msg, err?.message].filter((text) => text !== undefined && text !== '').join(': ') || line;
  } catch {
    return line;
  }
}
