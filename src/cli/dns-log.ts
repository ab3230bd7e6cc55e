/** `fairway dns log`: what the nodes' DNS servers are asked, as it happens. */
import { InvalidArgumentError, type Command } from 'commander';
import type { LogEntry } from '../dns/query-log/query-log.ts';
import { Answer } from './answer.ts';
import { parseInteger, withOutputFlag } from './common.ts';
import { connectApi, findPod, nodeNames, openPage, withApiFlags, type ApiFlags } from './node-page.ts';

interface Flags extends ApiFlags {
  readonly pod?: string;
  readonly namespace: string;
  readonly node?: string;
  readonly match?: string;
  readonly type?: string;
  readonly rcode?: string;
  readonly follow?: true;
  readonly for: number;
  readonly output?: 'json';
}

export function addDnsLog(dns: Command): void {
  const command = dns
    .command('log')
    .summary('what Pods ask the DNS, as it happens')
    .description(
      'Prints each question from now on: when, who, what, the answer, which plugin gave it and how long it took. The DNS servers keep no record of what was asked before: it is written while somebody looks, and every question then takes the long way.',
    )
    .option('--pod <pod>', 'only what this Pod asks: web, shop/web')
    .option('-n, --namespace <namespace>', 'of the Pod', 'default')
    .option('--node <node>', 'only what this node is asked (default: all nodes)')
    .option('--match <name>', 'only names like this: web, *.example.org', parsePattern)
    .option('-t, --type <type>', 'only this record type', parseWord)
    .option('--rcode <rcode>', 'only answers with this code: NXDOMAIN, SERVFAIL; NONE: no answer', parseWord)
    .option('-f, --follow', 'until it is interrupted')
    .option('--for <seconds>', 'how long to listen without -f', parseInteger, 10);
  withOutputFlag(withApiFlags(command))
    .addHelpText(
      'after',
      '\nExamples:\n  fairway dns log -f --pod shop/web\n  fairway dns log --rcode NXDOMAIN --for 60\n  fairway dns log -f -o json | jq -r .name',
    )
    .action(run);
}

function parsePattern(text: string): string {
  if (/^[!-~]{1,255}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a name, with * for any text.');
}

function parseWord(text: string): string {
  if (/^[a-z][a-z0-9]*$/i.test(text)) return text.toUpperCase();
  throw new InvalidArgumentError('It must be one word.');
}

async function run(flags: Flags): Promise<void> {
  const client = await connectApi(flags, 'dns log');
  const over = new AbortController();
  const end = () => {
    over.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  // A reader that went away (`| head`) ends it.
  process.stdout.on('error', end);
  try {
    const { nodes, query } = await wanted(client, flags);
    const printer = new Printer(flags.output, nodes.length > 1);
    const follow = nodes.map((node) => listen(client, node, query, over.signal, printer));
    const ready = Promise.all(follow.map(({ opened }) => opened));
    await Promise.race([ready, Promise.all(follow.map(({ ended }) => ended))]);
    const time = flags.follow ? 'until interrupted' : `for ${String(flags.for)} s (-f: until interrupted)`;
    if (!over.signal.aborted) console.error(`fairway: listening on ${nodes.join(', ')} ${time} …`);
    if (!flags.follow) setTimeout(end, flags.for * 1000).unref();
    await Promise.all(follow.map(({ ended }) => ended));
  } finally {
    client.close();
  }
}

async function wanted(
  client: Awaited<ReturnType<typeof connectApi>>,
  { pod, namespace, node, match, type, rcode }: Flags,
): Promise<{ nodes: readonly string[]; query: URLSearchParams }> {
  const query = new URLSearchParams();
  if (match !== undefined) query.set('name', match);
  if (type !== undefined) query.set('type', type);
  if (rcode !== undefined) query.set('rcode', rcode);
  if (pod === undefined) {
    const nodes = await nodeNames(client);
    if (node !== undefined && !nodes.includes(node))
      throw new Answer(2, `fairway: there is no node ${node}; there is: ${nodes.join(', ') || 'none'}`);
    return { nodes: node === undefined ? nodes : [node], query };
  }
  const found = await findPod(client, pod, namespace);
  if (!found) throw new Answer(2, `fairway: there is no Pod ${pod} in namespace ${namespace}`);
  const { spec, status } = found;
  const addresses = [status?.podIP ?? '', ...(status?.podIPs ?? []).map(({ ip }) => ip ?? '')];
  for (const address of new Set(addresses)) if (address !== '') query.append('address', address);
  if (spec.nodeName === undefined || !query.has('address'))
    throw new Answer(2, `fairway: Pod ${pod} has no address yet`);
  if (spec.hostNetwork)
    console.error(`fairway: Pod ${pod} is on the network of its node: what else asks from there is shown too`);
  return { nodes: [node ?? spec.nodeName], query };
}

function listen(
  client: Awaited<ReturnType<typeof connectApi>>,
  node: string,
  query: URLSearchParams,
  signal: AbortSignal,
  printer: Printer,
): { readonly opened: Promise<void>; readonly ended: Promise<void> } {
  const opened = Promise.withResolvers<undefined>();
  const follow = async () => {
    const { readLines } = await import('../client/lines.ts');
    try {
      const stream = await openPage(client, node, '/dns/log', query, { signal, streaming: true });
      opened.resolve(undefined);
      for await (const line of readLines(stream, MOST_LINE)) if (line !== '') printer.print(node, line);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (!signal.aborted) throw new Answer(1, `fairway: node ${node} ended the log`);
  };
  return { opened: opened.promise, ended: follow() };
}

const MOST_LINE = 1 << 20;

class Printer {
  readonly #output: 'json' | undefined;
  readonly #withNode: boolean;
  #hasHead = false;

  constructor(output: 'json' | undefined, withNode: boolean) {
    this.#output = output;
    this.#withNode = withNode;
  }

  print(node: string, line: string): void {
    const entry = JSON.parse(line) as LogEntry | { readonly missed: number };
    if ('missed' in entry)
      console.error(`fairway: ${node}: ${String(entry.missed)} questions came too fast to be shown`);
    else if (this.#output === 'json') process.stdout.write(`${JSON.stringify({ node, ...entry })}\n`);
    else {
      if (!this.#hasHead) process.stdout.write(renderHead(this.#withNode));
      this.#hasHead = true;
      process.stdout.write(renderEntry(entry, this.#withNode ? node : undefined));
    }
  }
}

/** Of the columns but the last; longer ones push the rest of their line. */
const WIDTHS = [12, 24, 8, 44, 5, 9, 10, 7];

function columns(cells: readonly string[]): string {
  return `${cells
    .map((cell, at) => `${cell.padEnd(WIDTHS[at] ?? 0)}  `)
    .join('')
    .trimEnd()}\n`;
}

export const renderHead = (withNode: boolean): string =>
  columns(['TIME', 'POD', withNode ? 'NODE' : 'VIA', 'NAME', 'TYPE', 'RCODE', 'PLUGIN', 'ms', 'SOURCE']);

/** One line. Pure. */
export function renderEntry(entry: LogEntry, node: string | undefined): string {
  const { time, pod, address, transport, name, type, rcode, plugin, took, source, problem } = entry;
  return columns([
    time.slice(11, 23),
    pod ?? address,
    node ?? transport,
    name,
    type,
    rcode ?? 'no answer',
    plugin || '-',
    took < 10 ? took.toFixed(2) : took.toFixed(0),
    [source, problem].filter((text) => text !== undefined).join('; '),
  ]);
}
