/** `fairway dns`: a DNS server alone, with a Corefile, against any API server or none; and, below it, what explains answers. */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { InvalidArgumentError, type Command } from 'commander';
import { Answer } from './answer.ts';
import { withOutputFlag } from './common.ts';
import { addDnsLog } from './dns-log.ts';
import { addDnsQuery } from './dns-query.ts';

interface Flags {
  readonly kubeconfig?: string;
  readonly corefile?: string;
  readonly clusterDomain: string;
  readonly port?: number;
  readonly bind?: readonly string[];
  readonly resolvConf?: string;
  readonly hostnameOverride?: string;
  readonly check?: boolean;
  readonly dryRun?: boolean;
  readonly plugins?: boolean;
  readonly output?: 'json';
  readonly v?: string;
}

export function addDns(program: Command): void {
  const command = program
    .command('dns')
    .summary('run a DNS server with a Corefile, against any API server or none')
    .description(
      'Answers for the names of any cluster, and for what else its Corefile says, in the foreground. It takes the Corefiles and the flags of CoreDNS and can stand in its place.',
    )
    .version(program.version() ?? '', '--version', 'print the version')
    .option('--kubeconfig <file>', 'how to reach the API server; in a Pod it is known')
    .option(
      '--corefile <file>',
      'what to answer and how; - is what comes in (CoreDNS: -conf; default: ./Corefile, else one for a cluster)',
    )
    .option('-p, --port <port>', 'in the place of 53 (CoreDNS: -dns.port)', parsePort)
    .option(
      '--bind <address>',
      'where to listen, may be given again (default: every address of both families)',
      collectAddress,
    )
    .option(
      '--cluster-domain <domain>',
      'the suffix of names in the Corefile that is made up',
      parseDomain,
      'cluster.local',
    )
    .option('--resolv-conf <file>', 'whom to ask where the Corefile names /etc/resolv.conf')
    .option(
      '--hostname-override <name>',
      "the name of this node's Node object: its zone is the askers' (default: the host name)",
    )
    .option(
      '--check',
      'read the Corefile and the files it names, print each block with its plugins in their order, and end; not looked at: whether ports are free, and whether upstreams and the API server answer',
    )
    .option('--dry-run', 'the same')
    .option('--plugins', 'print the plugins there are in their order, and end')
    .option('--quiet', 'accepted: there is no banner')
    .option('-v, --v <level>', 'how much to log: 4 and more is everything');
  withOutputFlag(command)
    .addHelpText(
      'after',
      '\nThe Corefile is read again on SIGHUP and SIGUSR1, and with "reload" in it now and then.\n\nExamples:\n  fairway dns --kubeconfig dns.conf\n  fairway dns --corefile Corefile --check\n  fairway dns -conf /etc/coredns/Corefile -dns.port 1053\n  kubectl -n kube-system get cm coredns -o jsonpath={.data.Corefile} | fairway dns --corefile - --check',
    )
    .action((flags: Flags) => run(flags));
  // Flags behind `query` and `log` are theirs.
  command.enablePositionalOptions();
  addDnsQuery(command);
  addDnsLog(command);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('It must be 1 to 65535.');
}

function collectAddress(text: string, before: readonly string[] = []): readonly string[] {
  const addresses = text.split(',');
  for (const address of addresses)
    if (isIP(address) === 0) throw new InvalidArgumentError('It must be an address of this machine.');
  return [...before, ...addresses];
}

function parseDomain(text: string): string {
  const domain = text.replace(/\.$/, '').toLowerCase();
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(domain)) return domain;
  throw new InvalidArgumentError('It must be a domain name such as cluster.local.');
}

const EVERYWHERE = ['0.0.0.0', '::'];

async function run(flags: Flags): Promise<void> {
  if (flags.plugins) await printPlugins(flags);
  else if (flags.check || flags.dryRun) await check(flags);
  else await serve(flags);
}

async function printPlugins({ output }: Flags): Promise<void> {
  const { servedPlugins } = await import('../dns/plugins/index.ts');
  const names = servedPlugins.map(({ name }) => name);
  console.log(output === 'json' ? JSON.stringify(names, undefined, 2) : names.join('\n'));
}

async function check(flags: Flags): Promise<void> {
  const [{ checkCorefile, renderChecked }, { findCorefile }] = await Promise.all([
    import('../dns/check.ts'),
    import('../dns/standalone.ts'),
  ]);
  const { file, text } = read(() => findCorefile(flags.corefile, flags.clusterDomain));
  const { bind = EVERYWHERE, port, resolvConf, output } = flags;
  // Which API server it will be is another question.
  const options = { file, hasApiServer: true, addresses: bind };
  const checked = checkCorefile(text, {
    ...options,
    ...(port !== undefined && { port }),
    ...(resolvConf !== undefined && { resolvConf }),
  });
  process.stdout.write(
    output === 'json' ? `${JSON.stringify(checked.servers, undefined, 2)}\n` : renderChecked(checked),
  );
}

function read<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Answer(
      1,
      `fairway: the Corefile cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** ms it has to end, `lameduck` and all. A second signal ends it at once. */
const STOP_MS = 60_000;

async function serve(flags: Flags): Promise<void> {
  const [{ findCorefile, startStandalone }, { untilStopped }, { createLog }, { compactHeap, keepYoungHeapSmall }] =
    await Promise.all([
      import('../dns/standalone.ts'),
      import('../cluster/until-stopped.ts'),
      import('../lib/log.ts'),
      import('../host/process-memory.ts'),
    ]);
  keepYoungHeapSmall();
  const corefile = read(() => findCorefile(flags.corefile, flags.clusterDomain));
  const nodeName = flags.hostnameOverride ?? hostname().trim().toLowerCase();
  const client = await connect(flags.kubeconfig, nodeName);
  if (!client && !corefile.isGiven)
    throw new Answer(
      1,
      'fairway: which API server? Say it with --kubeconfig FILE, or what to answer with --corefile FILE',
    );
  const log = (Number(flags.v ?? 0) >= 4 ? createLog('dns', 'debug') : createLog('dns')).child({ node: nodeName });
  const { bind = EVERYWHERE, port, resolvConf } = flags;
  const starting = startStandalone({
    corefile,
    addresses: bind,
    nodeName,
    log,
    ...(client && { client }),
    ...(port !== undefined && { port }),
    ...(resolvConf !== undefined && { resolvConf }),
  });
  // Before it serves: until then these signals would end the process.
  const reload = () => void starting.then((dns) => dns.reload()).catch(() => undefined);
  for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, reload);
  const server = await starting;
  // The lists of the cluster have come: they leave half as much behind as what is kept of them.
  void server.dns.ready.then(compactHeap, () => undefined);
  await untilStopped();
  setTimeout(() => process.exit(0), STOP_MS).unref();
  await server.stop();
  client?.close();
}

/** Undefined where there is none to ask: a Corefile may do without. */
async function connect(kubeconfig: string | undefined, nodeName: string) {
  const [{ inClusterConnection }, { loadKubeconfig }, { createHttpClient }] = await Promise.all([
    import('../client/in-cluster.ts'),
    import('../client/kubeconfig.ts'),
    import('../client/http-client.ts'),
  ]);
  const known = kubeconfig === undefined ? inClusterConnection() : loadKubeconfig(kubeconfig);
  return known && createHttpClient({ ...known, userAgent: `fairway-dns/${nodeName}` });
}
