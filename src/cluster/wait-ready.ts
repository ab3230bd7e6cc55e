/** Waiting for the nodes, with an eye on the parts: one that keeps ending is named with its own last words rather than waited for. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NODES } from '../api/kinds.ts';
import type { Node } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import { createHttpClient } from '../client/http-client.ts';
import { pkiPaths } from './certificates.ts';
import type { Layout } from './layout.ts';

const POLL_MS = 25;
/** Ends of one part after which it is given up: the first may be a race with something that starts beside it. */
const ENDS = 3;

export interface WaitOptions {
  readonly layout: Layout;
  readonly nodes: readonly string[];
  readonly parts: readonly string[];
  readonly timeout: number;
  readonly progress: (text: string) => void;
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
  const { layout, nodes, timeout, progress } = options;
  const starts = new Map(options.parts.map((part) => [part, logSize(layout, part)]));
  const client = createHttpClient(adminConnection(layout));
  const ready = new Set<string>();
  const end = Date.now() + timeout;
  let problem = 'the API server does not answer';
  try {
    for (;;) {
      problem = (await lookOnce(client, nodes, ready, progress)) ?? problem;
      if (nodes.every((name) => ready.has(name))) return;
      for (const [part, from] of starts) {
        const words = repeatedEnd(readLog(layout, part, from));
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

/** One look at the nodes; returns what is still missing, or undefined when the server did not answer. */
async function lookOnce(
  client: Client,
  nodes: readonly string[],
  ready: Set<string>,
  progress: (text: string) => void,
): Promise<string | undefined> {
  try {
    const { items } = await client.list(NODES);
    for (const node of items) {
      if (!nodes.includes(node.metadata.name) || ready.has(node.metadata.name) || !isNodeReady(node)) continue;
      ready.add(node.metadata.name);
      progress(`${node.metadata.name} Ready`);
    }
    const missing = nodes.filter((name) => !ready.has(name));
    return missing.map((name) => describeNode(name, items)).join('; ');
  } catch {
    return undefined;
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
    return readFileSync(logFile(layout, part)).subarray(from).toString();
  } catch {
    return '';
  }
}

/** The last message of a part that ended often enough, else undefined. Pure. */
export function repeatedEnd(log: string): string | undefined {
  const lines = log.split('\n').filter((line) => line !== '');
  const isEnd = (line: string) => line.includes('"part":"supervise"') && line.includes(' ended with code ');
  if (lines.filter(isEnd).length < ENDS) return undefined;
  const last = lines.filter((line) => !isEnd(line)).at(-1) ?? 'it says nothing';
  return messageOf(last);
}

function messageOf(line: string): string {
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return [msg, err?.message].filter((text) => text !== undefined && text !== '').join(': ') || line;
  } catch {
    return line;
  }
}
