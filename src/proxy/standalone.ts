/** A proxy alone, against any API server: what `fairway proxy` does once it knows its configuration. */
import { hostname, networkInterfaces } from 'node:os';
import type { Client } from '../client/client.ts';
import { createHttpClient, type ConnectionConfig, type HttpClient } from '../client/http-client.ts';
import { inClusterConnection } from '../client/in-cluster.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { setOomScore } from '../host/oom-score.ts';
import { keepYoungHeapSmall } from '../host/process-memory.ts';
import { sysctl } from '../host/sysctl.ts';
import { realClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { MODES } from './modes.ts';
import type { KubeProxyConfiguration } from './config/configuration.ts';
import { modeOf, proxyOptionsOf } from './config/options.ts';
import { dryRun, type DryRun } from './dry-run.ts';
import { prepareKernel } from './settings/kernel-settings.ts';
import { nodeIpsOf, unknownNode, waitForNode, withLocalAddresses, type LocalAddress } from './node-addresses.ts';
import { familiesOf, type ProxyOptions } from './options.ts';
import { runProxy, type RunningProxy } from './run.ts';

/** ms (3-030). */
const NODE_PATIENCE = 30_000;

/** Throws an Error that says what is missing. `master` is the address of the API server, whatever else says. */
export function connect(config: KubeProxyConfiguration, master?: string): HttpClient {
  const { kubeconfig } = config.clientConnection;
  const known: ConnectionConfig | undefined = kubeconfig === '' ? inClusterConnection() : loadKubeconfig(kubeconfig);
  const server = master === undefined ? known?.server : serverOf(master, known);
  if (server === undefined) {
    throw new Error('which API server? Say it with --kubeconfig FILE (this is no Pod, where that would be known)');
  }
  return createHttpClient({ ...known, server, userAgent: `fairway-proxy/${nodeNameOf(config)}` });
}

/** An address without a scheme is what it is to kubectl: TLS where something is known of certificates. */
function serverOf(master: string, known: ConnectionConfig | undefined): string {
  const isSecure = known?.ca !== undefined || known?.cert !== undefined || known?.insecureSkipTlsVerify === true;
  const url = master.includes('://') ? master : `${isSecure ? 'https' : 'http'}://${master}`;
  if (!URL.canParse(url))
    throw new Error(`--master ${master} is no address of an API server such as https://10.0.0.1:6443`);
  return url;
}

/** 3-158. */
export function nodeNameOf({ hostnameOverride }: Pick<KubeProxyConfiguration, 'hostnameOverride'>): string {
  return hostnameOverride === '' ? hostname().trim().toLowerCase() : hostnameOverride;
}

export interface Standalone {
  readonly config: KubeProxyConfiguration;
  readonly client: Client;
  readonly log: Log;
}

/** Begins to keep the kernel in step. `onFatal`: it cannot go on, and why. Throws what the client throws where it will never answer. */
export async function startStandalone(standalone: Standalone, onFatal: (error: Error) => void): Promise<RunningProxy> {
  keepYoungHeapSmall();
  const { config, log } = standalone;
  if (config.mode === '') {
    log.warn({ mode: modeOf(config) }, 'no proxy mode is told, and the default may change; set mode, or --proxy-mode');
  }
  if (!(await setOomScore(config.oomScoreAdj))) {
    log.info({ oomScoreAdj: config.oomScoreAdj }, 'oomScoreAdj may not be set here, going on without');
  }
  const options = await optionsOf(standalone, NODE_PATIENCE);
  return runProxy({ ...options, log, ...(config.bindAddressHardFail && { onBindFailure: onFatal }) });
}

/** What it would write now. Asks for the Node once. Throws what the client throws, and an Error where there is no such Node. */
export async function dryRunStandalone(standalone: Standalone): Promise<readonly DryRun[]> {
  return dryRun(await optionsOf(standalone, 0));
}

/** Does what needs full root, and nothing else (3-178). Returns what could not be done, in sentences. */
export async function initStandalone(config: KubeProxyConfiguration): Promise<readonly string[]> {
  const options = proxyOptionsOf(config, nodeIpsOf(undefined, config.bindAddress));
  const byRules =
    (options.localhostNodePorts ?? true) && MODES[options.mode]?.traits('IPv4').localhostNodePorts === 'rules';
  const needs = { families: familiesOf(options), localhostByRules: byRules, conntrack: options.conntrack };
  return (await prepareKernel(sysctl, needs)).warnings;
}

async function optionsOf({ config, client, log }: Standalone, patience: number): Promise<Omit<ProxyOptions, 'log'>> {
  const nodeName = nodeNameOf(config);
  const node = await waitForNode({ client, nodeName, patience, log, clock: realClock });
  const nodeIps = nodeIpsOf(node, config.bindAddress);
  if (!node) {
    const problem = await unknownNode(client, nodeName);
    if (patience === 0) throw new Error(problem);
    log.warn({ nodeIps }, `${problem}; going on with the address there is`);
  }
  return { client, nodeName, ...proxyOptionsOf(config, withLocalAddresses(nodeIps, localAddresses())) };
}

function localAddresses(): readonly LocalAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.map(({ address }) => ({ interface: name, address })),
  );
}
