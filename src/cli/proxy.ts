/** `fairway proxy`: the proxy of one node alone, against any API server, with kube-proxy's flags and file. */
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { hasNetAdmin } from '../host/capabilities.ts';
import { PROXY_MODES } from '../proxy/backend.ts';
import { renderProblem, type KubeProxyConfiguration } from '../proxy/config/configuration.ts';
import { CONFIG_FLAGS, isListFlag } from '../proxy/config/flags.ts';
import type { Loaded } from '../proxy/config/load.ts';
import { switchOf } from '../proxy/config/scalar.ts';
import { Answer } from './answer.ts';
import { withOutputFlag } from './common.ts';

interface Flags {
  readonly config?: string;
  readonly writeConfigTo?: string;
  readonly master?: string;
  readonly cleanup?: boolean;
  readonly dryRun?: boolean;
  readonly initOnly?: boolean;
  readonly output?: 'json';
  readonly v?: string;
}

const CONFIGURATION = "Configuration (kube-proxy's flags; with --config they are ignored):";

export function addProxy(program: Command): void {
  const command = program
    .command('proxy')
    .summary('run the proxy of this node alone, against any API server')
    .description(
      "Makes the Services of any cluster real on this node: watches the API server and keeps the kernel's rules in step, in the foreground. It takes kube-proxy's flags and configuration file and can stand in its place.",
    )
    .version(program.version() ?? '', '--version', 'print the version')
    .option('--kubeconfig <file>', 'how to reach the API server; in a Pod it is known')
    .option('--master <url>', 'the address of the API server, whatever the kubeconfig says')
    .option('--hostname-override <name>', "the name of this node's Node object (default: the host name)")
    .addOption(
      new Option('--proxy-mode <mode>', 'how Services become kernel rules (default: nftables)')
        .choices(PROXY_MODES)
        .argParser(modeOf),
    )
    .option('--config <file>', 'a KubeProxyConfiguration; ends when the file changes, to be started again')
    .option('--write-config-to <file>', 'write the configuration in force to a file, and end')
    .addOption(switchOption('--dry-run', 'print what would be written for this node now, and end'))
    .addOption(
      switchOption('--cleanup', 'take away what proxies left here, in every mode and family, print it, and end'),
    )
    .addOption(switchOption('--init-only', 'make the kernel settings that need full root, and end'))
    .option('-v, --v <level>', 'how much to log: 4 and more is everything');
  withOutputFlag(command);
  for (const flag of CONFIG_FLAGS) {
    const value = flag.value === undefined ? '[true|false]' : `<${flag.value}>`;
    const option = new Option(`--${flag.flag} ${value}`, flag.help).helpGroup(CONFIGURATION);
    if (isListFlag(flag))
      option.argParser((text, before?: string) => (before === undefined ? text : `${before},${text}`));
    command.addOption(option);
  }
  command
    .addOption(new Option('--logging-format <format>', 'accepted: lines are JSON').helpGroup(CONFIGURATION))
    .addOption(
      new Option('--log-flush-frequency <duration>', 'accepted: lines are written at once').helpGroup(CONFIGURATION),
    )
    .addOption(new Option('--vmodule <levels>', 'accepted: there is one level for all').helpGroup(CONFIGURATION))
    .addHelpText(
      'after',
      '\nExamples:\n  fairway proxy --kubeconfig proxy.conf --cluster-cidr 10.244.0.0/16\n  fairway proxy --kubeconfig proxy.conf --hostname-override node01 --dry-run\n  fairway proxy --config /var/lib/kube-proxy/config.conf\n  fairway proxy --cleanup',
    )
    .action((flags: Flags) => run(flags, given(command)));
}

/** Flags that are no part of a configuration. */
const OWN = [
  ...['config', 'writeConfigTo', 'cleanup', 'dryRun', 'initOnly', 'output', 'v', 'version'],
  ...['loggingFormat', 'logFlushFrequency', 'vmodule'],
];

/** With a value as well: in place of kube-proxy it is started so. */
function switchOption(flag: string, help: string): Option {
  return new Option(`${flag} [true|false]`, help).argParser((text) => {
    const isOn = switchOf(text);
    if (isOn === undefined) throw new InvalidArgumentError('It must be true or false.');
    return isOn;
  });
}

/** Empty is the default, as in a file. */
function modeOf(text: string): string {
  if (text === '' || PROXY_MODES.some((mode) => mode === text)) return text;
  throw new InvalidArgumentError(`Allowed choices are ${PROXY_MODES.join(', ')}.`);
}

function given(command: Command): ReadonlyMap<string, string | true> {
  const options = command.options.filter((option) => {
    const name = option.attributeName();
    return !OWN.includes(name) && command.getOptionValueSource(name) === 'cli';
  });
  return new Map(
    options.map((option) => [
      option.long?.slice(2) ?? '',
      command.getOptionValue(option.attributeName()) as string | true,
    ]),
  );
}

async function run(flags: Flags, told: ReadonlyMap<string, string | true>): Promise<void> {
  const file = flags.config === undefined ? undefined : readConfig(flags.config);
  const { loadConfiguration } = await import('../proxy/config/load.ts');
  const { config } = accept(loadConfiguration({ flags: told, ...(file !== undefined && { file }) }), flags.config);
  if (flags.writeConfigTo !== undefined) await writeConfig(flags.writeConfigTo, config);
  else if (flags.cleanup) await cleanup(flags, config);
  else if (flags.initOnly) await initOnly(config);
  else if (flags.dryRun) await dryRun(flags, config);
  else await serve(flags, config, file);
}

/** Bytes: many times what a configuration has. */
const MOST_CONFIG = 1 << 20;

function readConfig(path: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    if (!stat.isFile() && !stat.isFIFO()) throw new Error('it is no file');
    if (stat.size > MOST_CONFIG) throw new Error(`it has more than ${String(MOST_CONFIG)} bytes`);
    return readFileSync(fd, 'utf8');
  } catch (error) {
    throw new Answer(
      1,
      `fairway: --config ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Throws an Answer with every problem where one of them is fatal; else they are told and the rest is served. */
function accept(loaded: Loaded, file?: string): Loaded {
  const fatal = loaded.problems.filter((problem) => problem.fatal);
  const where = (field: string) => (file === undefined || field.startsWith('--') ? '' : `${file}: `);
  const lines = loaded.problems.map(
    (one) => `fairway: ${one.fatal ? '' : 'warning: '}${where(one.field)}${renderProblem(one)}`,
  );
  if (fatal.length > 0) throw new Answer(2, lines.join('\n'));
  for (const line of lines) console.error(line);
  return loaded;
}

async function writeConfig(path: string, config: KubeProxyConfiguration): Promise<void> {
  const { renderConfiguration } = await import('../proxy/config/defaults.ts');
  try {
    writeFileSync(path, renderConfiguration(config), { mode: 0o644 });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Answer(1, `fairway: --write-config-to ${path} cannot be written: ${why}`);
  }
}

async function cleanup({ output, v }: Flags, config: KubeProxyConfiguration): Promise<void> {
  requireNetAdmin('--cleanup');
  const [{ cleanup: clean }, { proxyOptionsOf }] = await Promise.all([
    import('../proxy/cleanup.ts'),
    import('../proxy/config/options.ts'),
  ]);
  const { masqueradeBit = 14, ipvs = {} } = proxyOptionsOf(config, []);
  const { removed, failures } = await clean({ log: await logOf(v), masqueradeBit, ipvs });
  if (output === 'json') console.log(JSON.stringify({ removed, failures }, undefined, 2));
  else
    console.log(
      removed.length > 0 ? removed.map((line) => `removed ${line}`).join('\n') : 'Nothing of a proxy was there.',
    );
  if (failures.length === 0) return;
  throw new Answer(1, failures.map((line) => `fairway: not cleaned up: ${line}`).join('\n'));
}

async function initOnly(config: KubeProxyConfiguration): Promise<void> {
  requireNetAdmin('--init-only');
  const { initStandalone } = await import('../proxy/standalone.ts');
  for (const line of await initStandalone(config)) console.error(`fairway: warning: ${line}`);
}

async function dryRun({ output, v, master }: Flags, config: KubeProxyConfiguration): Promise<void> {
  const { connect, dryRunStandalone } = await import('../proxy/standalone.ts');
  const client = connect(config, master);
  try {
    const runs = await dryRunStandalone({ config, client, log: await logOf(v) });
    for (const { plan } of runs) {
      for (const { namespace, service, message } of plan.problems)
        console.error(`fairway: warning: Service ${namespace}/${service}: ${message}; left out`);
    }
    const plans = runs.map(({ family, plan }) => ({ family, plan }));
    const texts = runs.map(({ family, text }) => (runs.length > 1 ? `# ${family}\n${text}` : text));
    process.stdout.write(output === 'json' ? `${JSON.stringify(plans, undefined, 2)}\n` : texts.join(''));
  } finally {
    client.close();
  }
}

/** ms the proxy has to end. */
const STOP_MS = 1500;

async function serve({ config: path, v, master }: Flags, config: KubeProxyConfiguration, file?: string): Promise<void> {
  requireNetAdmin('');
  const [{ connect, nodeNameOf, startStandalone }, { untilStopped }, { watchFile }] = await Promise.all([
    import('../proxy/standalone.ts'),
    import('../cluster/until-stopped.ts'),
    import('../host/file-watch.ts'),
  ]);
  const client = connect(config, master);
  const log = (await logOf(v)).child({ node: nodeNameOf(config) });
  const failed = Promise.withResolvers<Error>();
  const proxy = await startStandalone({ config, client, log }, failed.resolve);
  if (path !== undefined && file !== undefined) {
    const changed = () => {
      failed.resolve(new Answer(1, `fairway: ${path} is another now; ending, to be started again with it`));
    };
    watchFile(path, file, changed);
  }
  const error = await Promise.race([untilStopped(), failed.promise]);
  setTimeout(() => process.exit(error === undefined ? 0 : 1), STOP_MS).unref();
  await proxy.stop();
  client.close();
  if (error !== undefined) throw error;
}

async function logOf(level: string | undefined) {
  const { createLog } = await import('../lib/log.ts');
  return Number(level ?? 0) >= 4 ? createLog('proxy', 'debug') : createLog('proxy');
}

function requireNetAdmin(flag: string): void {
  if (hasNetAdmin()) return;
  throw new Answer(1, `fairway: a proxy writes kernel rules and needs root; run: sudo fairway proxy ${flag}`.trimEnd());
}
