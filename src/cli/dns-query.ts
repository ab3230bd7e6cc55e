/** `fairway dns query`: one name, looked up from where somebody is, and how it was answered. */
import { isIP } from 'node:net';
import { InvalidArgumentError, type Command } from 'commander';
import type { QueryReport } from '../dns/explain/report.ts';
import { Answer } from './answer.ts';
import { withOutputFlag } from './common.ts';
import { parseServer, queryHere, type HereOptions } from './dns-query-here.ts';
import { connectApi, findNode, findPod, nodeNames, openPage, withApiFlags, type ApiFlags } from './node-page.ts';

interface Flags extends ApiFlags {
  readonly from?: string;
  readonly namespace: string;
  readonly node?: string;
  /** Absent: A,AAAA, or PTR where the name is an address. */
  readonly type?: string;
  readonly server?: HereOptions['server'];
  readonly resolvConf?: string;
  readonly output?: 'json';
}

export function addDnsQuery(dns: Command): void {
  const command = dns
    .command('query')
    .summary('look a name up from a Pod, and see how it was answered')
    .description(
      'Looks a name up in the network of a Pod and by its resolv.conf, as its C library would: every name that is tried, every question, who answered it out of what and how long it took, what the application gets in the end, and what is slow or wrong about it. Exit code 0: found; 1: not found; 2: it could not be asked.',
    )
    .argument('<name>', 'as the application has it; with a final dot it is complete. An address: what its name is')
    .option('-t, --type <types>', 'record types, with commas between (default: A,AAAA; of an address PTR)', parseTypes)
    .option('--from <pod>', 'a Pod (web, shop/web) or a node; without it the DNS server of a node is asked directly')
    .option('-n, --namespace <namespace>', 'of the Pod', 'default')
    .option('--node <node>', 'whose DNS server is asked, where nobody is to ask it (default: the first)')
    .option('--server <address>', 'ask any server from this machine, without a cluster: 10.96.0.10:53', parseServer)
    .option('--resolv-conf <file>', 'look up from this machine by this file, without a cluster');
  withOutputFlag(withApiFlags(command))
    .addHelpText(
      'after',
      '\nExamples:\n  fairway dns query web --from client -n shop\n  fairway dns query www.example.org --from shop/client\n  fairway dns query _http._tcp.web.shop.svc.cluster.local --type SRV\n  fairway dns query 10.96.0.1 --from shop/client\n  fairway dns query kubernetes.default.svc.cluster.local --node node02 -o json\n  fairway dns query web --resolv-conf /etc/resolv.conf',
    )
    .action(run);
}

function parseTypes(text: string): string {
  if (/^[a-z][a-z0-9]*(,[a-z][a-z0-9]*)*$/i.test(text)) return text.toUpperCase();
  throw new InvalidArgumentError('It must be record types such as A,AAAA or SRV.');
}

/** ms: servers that say nothing take their time for each name. */
const PATIENCE = 130_000;
/** ms after which it is said that something is waited for. */
const QUIET = 1500;

type Asked = Flags & { readonly type: string };

async function run(given: string, flags: Flags): Promise<void> {
  const { name, type } = await questionFor(given, flags.type);
  const report = await ask(name, { ...flags, type });
  if (flags.output === 'json') process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else {
    const { renderReport } = await import('../dns/explain/index.ts');
    process.stdout.write(renderReport(report));
  }
  const own = report.endings[report.resolver?.libc ?? 'glibc'];
  if (own.verdict !== 'found') throw new Answer(1);
}

/** No resolver asks for the addresses of an address; its names stand under its reverse name. */
async function questionFor(name: string, type: string | undefined): Promise<{ name: string; type: string }> {
  const given = { name, type: type ?? 'A,AAAA' };
  if (isIP(name) === 0) return given;
  const [{ parseIp }, { reverseName }] = await Promise.all([
    import('../lib/ip.ts'),
    import('../dns/wire/reverse-name.ts'),
  ]);
  const ip = parseIp(name);
  return ip ? { name: reverseName(ip), type: type ?? 'PTR' } : given;
}

async function ask(name: string, flags: Asked): Promise<QueryReport> {
  const waiting = setTimeout(() => {
    console.error('fairway: waiting for answers …');
  }, QUIET);
  try {
    return flags.server || flags.resolvConf !== undefined ? await queryHere(name, flags) : await askNode(name, flags);
  } catch (error) {
    if (error instanceof Answer) throw error;
    throw new Answer(2, `fairway: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    clearTimeout(waiting);
  }
}

async function askNode(name: string, flags: Asked): Promise<QueryReport> {
  const client = await connectApi(flags, 'dns query');
  try {
    const { node, query } = await placeFor(client, name, flags);
    const { readText } = await import('../client/lines.ts');
    const stream = await openPage(client, node, '/dns/query', query, { timeoutMs: PATIENCE });
    return JSON.parse(await readText(stream, MOST_REPORT)) as QueryReport;
  } finally {
    client.close();
  }
}

const MOST_REPORT = 16 << 20;

async function placeFor(
  client: Awaited<ReturnType<typeof connectApi>>,
  name: string,
  { type, from, namespace, node }: Asked,
): Promise<{ node: string; query: URLSearchParams }> {
  const query = new URLSearchParams({ name, type });
  if (from === undefined) {
    const names = await nodeNames(client);
    const chosen = node ?? names[0];
    if (chosen === undefined || !names.includes(chosen))
      throw new Answer(2, `fairway: there is no node ${node ?? ''}; there is: ${names.join(', ') || 'none'}`);
    return { node: chosen, query };
  }
  const pod = from.startsWith('node/') ? undefined : await findPod(client, from, namespace);
  if (pod) {
    const { nodeName } = pod.spec;
    if (nodeName === undefined) throw new Answer(2, `fairway: Pod ${from} is on no node yet`);
    query.set('from', 'pod');
    query.set('pod', pod.metadata.name);
    query.set('namespace', pod.metadata.namespace ?? '');
    return { node: nodeName, query };
  }
  const found = await findNode(client, from);
  if (!found)
    throw new Answer(2, `fairway: there is no Pod ${from} in namespace ${namespace}, and no node of that name`);
  query.set('from', 'node');
  return { node: found.metadata.name, query };
}
