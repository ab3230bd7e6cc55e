/** Flags and the text of a configuration file -> the configuration in force. Pure. */
import type { ConfigProblem, KubeProxyConfiguration, Told } from './configuration.ts';
import { decodeConfiguration } from './decode.ts';
import { withDefaults } from './defaults.ts';
import { readFlags } from './flags.ts';
import { validateConfiguration } from './validate.ts';

export interface Given {
  /** Flags on the command line, without dashes; `true` where one stands alone. */
  readonly flags: ReadonlyMap<string, string | true>;
  /** Of `--config`. */
  readonly file?: string;
}

export interface Loaded {
  readonly config: KubeProxyConfiguration;
  readonly problems: readonly ConfigProblem[];
}

/** Flags that count beside a file (3-152). `kubeconfig` does where the file names none. */
const BESIDE_A_FILE: readonly string[] = ['hostname-override', 'kubeconfig', 'master'];

export function loadConfiguration({ flags, file }: Given): Loaded {
  const read = file === undefined ? readFlags(flags) : decodeConfiguration(file);
  const ignored = file === undefined ? [] : [...flags.keys()].filter((name) => !BESIDE_A_FILE.includes(name));
  const problems: ConfigProblem[] = [...read.problems];
  if (ignored.length > 0) {
    const names = ignored.map((name) => `--${name}`).join(', ');
    problems.push({ field: names, problem: 'ignored: --config says everything', fatal: false });
  }
  const defaults = withDefaults(withIdentity(read.told, flags, file !== undefined));
  const config = file === undefined ? withoutServers(defaults, read.told) : defaults;
  return { config, problems: [...problems, ...validateConfiguration(config)] };
}

/** Who this node is, and where its API server: told by flags in either case. */
function withIdentity(told: Told, flags: Given['flags'], hasFile: boolean): Told {
  const text = (name: string) => {
    const value = flags.get(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const connection = (told['clientConnection'] ?? {}) as Told;
  const inFile = typeof connection['kubeconfig'] === 'string' ? connection['kubeconfig'] : '';
  const kubeconfig = hasFile && inFile !== '' ? inFile : (text('kubeconfig') ?? inFile);
  const hostnameOverride = text('hostname-override');
  const mode = hasFile ? undefined : text('proxy-mode');
  return {
    ...told,
    clientConnection: { ...connection, kubeconfig },
    ...(hostnameOverride !== undefined && { hostnameOverride }),
    ...(mode !== undefined && { mode }),
  };
}

/** An empty address on the command line is none, where one in a file would be the default. */
function withoutServers(config: KubeProxyConfiguration, told: Told): KubeProxyConfiguration {
  const isOff = (field: string) => told[field] === '';
  return {
    ...config,
    ...(isOff('healthzBindAddress') && { healthzBindAddress: '' }),
    ...(isOff('metricsBindAddress') && { metricsBindAddress: '' }),
  };
}
