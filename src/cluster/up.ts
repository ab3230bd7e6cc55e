/**
 * Brings a local cluster to what is asked: creates what is missing, leaves alone what runs, restarts only what differs, removes nodes
 * too many. Returns when every node is Ready. What fails on a fresh start is taken down again.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { NODES } from '../api/kinds.ts';
import { isNotFound } from '../api/api-error.ts';
import { createHttpClient } from '../client/http-client.ts';
import { renderKubeconfig } from '../client/kubeconfig.ts';
import { renderContainerdConfig } from '../host/containerd.ts';
import { Links, namespaceExists, namespacesStartingWith } from '../host/links.ts';
import { isAlive, stopProcess } from '../host/process.ts';
import { buildStarters, SANDBOX_IMAGE } from './images/index.ts';
import type { CertificateRequest } from './certificate-request.ts';
import { ensureCertificates, pkiPaths } from './certificates.ts';
import { DEFAULT_CONFIG, incompatibilities, validateConfig, type ClusterConfig } from './config.ts';
import { isOtherCluster, removeNode, teardown } from './down.ts';
import { chooseIndex } from './lan-index.ts';
import { API_PORT, CNI_BIN_DIR, layoutOf, type Layout, type NodeLayout } from './layout.ts';
import { closeEgress, ensureLan, ensureNode, forwarding, isOnLan, openEgress } from './network.ts';
import { runsFromElsewhere, strays } from './part-processes.ts';
import { probeKernel } from './kernel-probe.ts';
import { ensureNodeTools, nodePath } from './node-tools.ts';
import { checkDataDir, checkMachine, checkPortFree, prepareDataDir, thisMachine } from './preflight.ts';
import { agentPart, containerdPart, ensurePart, firstAddress, serverPart, stopPart, type Part } from './processes.ts';
import { lockHost, readState, withLock, writeState, type ClusterState } from './state.ts';
import { adminConnection, waitReady } from './wait-ready.ts';

export interface UpOptions {
  readonly name: string;
  readonly dataDir: string;
  /** Only what was asked for: the rest is as recorded, else the default. */
  readonly config: Partial<ClusterConfig>;
  /** Milliseconds to wait for the nodes. */
  readonly timeout: number;
  /** One line for each step done. */
  readonly progress: (text: string) => void;
  /** Ends it early: a fresh start is taken back, a running cluster runs on. */
  readonly signal?: AbortSignal;
}

/** The machine or the request will not do: each problem is one line for the user. */
export class UpRefused extends Error {
  override name = 'UpRefused';
  readonly problems: readonly string[];
  /** The request was wrong, not the machine. */
  readonly usage: boolean;
  constructor(problems: readonly string[], usage: boolean) {
    super(problems.join('\n'));
    this.problems = problems;
    this.usage = usage;
  }
}

function refuse(problems: readonly string[], usage = false): void {
  if (problems.length > 0) throw new UpRefused(problems, usage);
}

export async function up(options: UpOptions): Promise<Layout> {
  refuse(checkMachine(thisMachine));
  const { name, dataDir } = options;
  const known = layoutOf(name, dataDir, 0);
  refuse(checkDataDir(known), true);
  const { recorded: old } = decide(options); // refused before anything is written
  refuse(prepareDataDir(known, old === undefined));
  return withLock(known, async () => {
    const { recorded, config } = decide(options); // what another command did while we got the lock counts
    const fresh = !Object.values(recorded?.processes ?? {}).some(isAlive);
    // Until the LAN is there nobody else could see that its range is taken.
    const release = await lockHost();
    try {
      const index = recorded && !fresh ? recorded.index : await freeIndex(known, recorded?.index);
      const layout = layoutOf(name, dataDir, index);
      const session = new Session(layout, { version: 1, processes: {}, ...recorded, index, config });
      await converge(session, options, release).catch(async (error: unknown) => {
        if (fresh) await takeBack(session, recorded === undefined);
        if (!options.signal?.aborted) throw error;
        throw new Error(`interrupted; ${fresh ? 'what was started is taken back' : 'the cluster runs on'}`);
      });
      return layout;
    } finally {
      release();
    }
  });
}

/** What is asked for, on top of what is recorded. Throws UpRefused. */
function decide({ name, dataDir, config: asked }: UpOptions): { recorded?: ClusterState; config: ClusterConfig } {
  const layout = layoutOf(name, dataDir, 0);
  const recorded = readState(layout.stateFile);
  const config: ClusterConfig = { ...DEFAULT_CONFIG, ...recorded?.config, ...asked };
  refuse(validateConfig(config), true);
  refuse(recorded ? incompatibilities(recorded.config, config) : leftovers(layout));
  return recorded ? { recorded, config } : { config };
}

/** The state as it grows, written after each step, so that whatever happens `down` knows what there is. */
class Session {
  readonly layout: Layout;
  #state: ClusterState;
  /** When this command started which part. */
  readonly started = new Map<string, number>();
  constructor(layout: Layout, state: ClusterState) {
    this.layout = layout;
    this.#state = state;
  }
  get state(): ClusterState {
    return this.#state;
  }
  save(change: Partial<ClusterState>): void {
    this.#state = { ...this.#state, ...change };
    writeState(this.layout.stateFile, this.#state);
  }
  /** `anew`: what it read when it started has changed. */
  async ensure(part: Part, anew = false): Promise<void> {
    const before = this.#state.processes[part.name];
    if (anew) await stopPart(before);
    const now = Date.now();
    const record = await ensurePart(part, before);
    if (record !== before) this.started.set(part.name, now);
    this.save({ processes: { ...this.#state.processes, [part.name]: record } });
  }
  replace(state: ClusterState): void {
    this.#state = state;
    writeState(this.layout.stateFile, state);
  }
  forget(...names: string[]): void {
    this.save({
      processes: Object.fromEntries(Object.entries(this.#state.processes).filter(([name]) => !names.includes(name))),
    });
  }
}

async function converge(session: Session, options: UpOptions, lanIsThere: () => void): Promise<void> {
  const { progress, timeout, signal } = options;
  const { layout, state } = session;
  session.save({});
  // A second one beside them would fight them for ports and containers.
  await Promise.all(strays(layout, state).map((id) => stopProcess(id)));
  await ensureLan(layout);
  lanIsThere();
  // Made while everything else starts.
  const starters = buildMissingStarters(layout, progress);
  const nodes = Array.from({ length: state.config.nodes }, (_, i) => layout.node(i + 1));
  try {
    await startParts(session, nodes, progress, signal);
  } finally {
    await starters;
  }
  progress(`server and ${String(nodes.length)} node${nodes.length === 1 ? '' : 's'} started`);
  const names = nodes.map((node) => node.name);
  const parts = Object.keys(session.state.processes);
  const since = session.started;
  await waitReady({ layout, nodes: names, timeout, progress, parts, since, ...(signal && { signal }) });
}

async function startParts(
  session: Session,
  nodes: readonly NodeLayout[],
  progress: (text: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { layout, state } = session;
  const { config } = state;
  // A second one beside them would fight them for ports and containers.
  await Promise.all(strays(layout, state).map((id) => stopProcess(id)));
  await checkKernel(session, nodes);
  await ensureLan(layout);
  await ensureEgress(session);
  const renewed = await ensureCertificates(layout.pki, certificateRequests(layout, config, nodes));
  if (renewed.length > 0) progress('certificates signed');
  writeKubeconfigs(layout, nodes);
  const server = state.processes['server'];
  if (!server || !isAlive(server)) await checkPortFree(layout.lan.hostIp, API_PORT);
  const serversOwn = renewed.some((file) => file.startsWith('apiserver'));
  await session.ensure(serverPart(layout, config), serversOwn);
  await removeSurplusNodes(session, config.nodes);
  for (const node of nodes) {
    signal?.throwIfAborted();
    await clearBrokenNode(session, node);
    await ensureNode(layout, node, config);
    mkdirSync(node.dir, { recursive: true, mode: 0o750 });
    ensureNodeTools(node);
    writeFileSync(node.containerdConfig, containerdConfig(node));
    await session.ensure(containerdPart(layout, node));
    const agentsOwn = renewed.some((file) => file === node.name || file === `${node.name}-kubelet`);
    await session.ensure(agentPart(layout, node, config), agentsOwn);
  }
}

/** A node that lost its link into the LAN is made anew: what runs in its namespace can never be reached again. */
async function clearBrokenNode(session: Session, node: NodeLayout): Promise<void> {
  const { layout, state } = session;
  const parts = [node.name, `${node.name}-containerd`];
  const isNew = !namespaceExists(node.namespace) && !parts.some((part) => state.processes[part]);
  if (isNew || (await isOnLan(node))) return;
  await removeNode(layout, node, state);
  session.forget(...parts);
}

/**
 * Starter images are made while everything else starts; usually they are up to date. One that cannot be made (a package is missing) is no
 * reason to have no cluster, so that is only said. Never rejects.
 */
async function buildMissingStarters(layout: Layout, progress: (text: string) => void): Promise<void> {
  try {
    const built = (await buildStarters(layout.starters)).filter((report) => report.built);
    if (built.length > 0) progress(`starter images built: ${built.map(({ starter }) => starter.name).join(', ')}`);
  } catch (error) {
    progress(`some starter images could not be built: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function containerdConfig(node: NodeLayout): string {
  return renderContainerdConfig({
    root: node.containerdRoot,
    state: node.containerdState,
    sandboxImage: SANDBOX_IMAGE,
    cniConfDir: node.cniConfDir,
    cniBinDir: CNI_BIN_DIR,
  });
}

/** Asked once: what a kernel had at the first start it still has. */
async function checkKernel({ layout, state }: Session, [node]: readonly NodeLayout[]): Promise<void> {
  if (node === undefined || Object.keys(state.processes).length > 0) return;
  ensureNodeTools(node);
  const problem = await probeKernel(`fairway-${layout.name}-probe`, { PATH: nodePath(node) });
  if (problem !== undefined) throw new UpRefused([problem], false);
}

async function ensureEgress(session: Session): Promise<void> {
  const { layout, state } = session;
  const { forwardingBefore } = state;
  if (state.config.egress) {
    // Remembered before it is changed.
    if (forwardingBefore === undefined) session.save({ forwardingBefore: forwarding() });
    await openEgress(layout);
  } else if (forwardingBefore !== undefined) {
    await closeEgress(layout, forwardingBefore);
    const { forwardingBefore: _, ...rest } = session.state;
    session.replace(rest);
  }
}

function certificateRequests(
  layout: Layout,
  config: ClusterConfig,
  nodes: readonly NodeLayout[],
): CertificateRequest[] {
  const names = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${config.clusterDomain}`,
    'localhost',
  ];
  return [
    {
      file: 'apiserver',
      commonName: 'kube-apiserver',
      use: 'server',
      ips: [layout.lan.hostIp, '127.0.0.1', firstAddress(config.serviceClusterIpRange)],
      names,
    },
    {
      file: 'apiserver-kubelet-client',
      commonName: 'kube-apiserver-kubelet-client',
      organization: 'system:masters',
      use: 'client',
    },
    { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters', use: 'client' },
    ...nodes.flatMap((node): CertificateRequest[] => [
      { file: node.name, commonName: `system:node:${node.name}`, organization: 'system:nodes', use: 'client' },
      {
        file: `${node.name}-kubelet`,
        commonName: `system:node:${node.name}`,
        organization: 'system:nodes',
        use: 'server',
        ips: [node.ip],
        names: [node.name],
      },
    ]),
  ];
}

function writeKubeconfigs(layout: Layout, nodes: readonly NodeLayout[]): void {
  const pki = pkiPaths(layout.pki);
  const read = (file: string) => readFileSync(file, 'utf8');
  const write = (path: string, user: string, file: string) => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    const context = layout.name === 'default' ? 'fairway' : `fairway-${layout.name}`;
    writeFileSync(
      path,
      renderKubeconfig({
        name: context,
        user,
        server: layout.apiServer,
        ca: read(pki.ca),
        cert: read(pki.cert(file)),
        key: read(pki.key(file)),
      }),
      { mode: 0o600 },
    );
  };
  write(layout.kubeconfig, 'kubernetes-admin', 'admin');
  for (const node of nodes) write(node.kubeconfig, `system:node:${node.name}`, node.name);
}

async function removeSurplusNodes(session: Session, wanted: number): Promise<void> {
  const { layout, state } = session;
  for (const part of Object.keys(state.processes)) {
    const number = Number(/^node(\d+)$/.exec(part)?.[1]);
    if (!(number > wanted)) continue;
    const node = layout.node(number);
    await removeNode(layout, node, state);
    session.forget(node.name, `${node.name}-containerd`);
    rmSync(node.dir, { recursive: true, force: true });
    const client = createHttpClient(adminConnection(layout));
    await client.delete(NODES, node.name).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    client.close();
  }
}

/** A start that failed leaves nothing behind; its logs stay unless the folder is new and the data with it. */
async function takeBack(session: Session, forgetState: boolean): Promise<void> {
  await teardown(session.layout, session.state);
  if (forgetState) rmSync(session.layout.stateFile, { force: true });
  else session.save({ processes: {} });
}

/** Namespaces of this name without a state: someone removed the data directory, or used another one. */
function leftovers(layout: Layout): string[] {
  const { name } = layout;
  const found = namespacesStartingWith(`fairway-${name}-`).filter((namespace) => !isOtherCluster(namespace, name));
  if (found.length === 0) return [];
  const elsewhere = runsFromElsewhere(layout);
  return [
    elsewhere === undefined
      ? `network namespace ${found.join(', ')} is left over from a cluster ${name} this data directory does not know; run: fairway down --name ${name} (or give the --data-dir it was started with)`
      : `a cluster ${name} runs from ${elsewhere} already; give --data-dir ${elsewhere}, or another --name`,
  ];
}

/** The number this cluster had, unless another one uses it by now; else a free one. */
async function freeIndex({ lan }: Layout, recorded: number | undefined): Promise<number> {
  const index = chooseIndex(lan.namespace, await new Links().list(), recorded);
  if (index === undefined) throw new Error('all of 172.30.0.0/16 is in use on this host: no room for another LAN');
  return index;
}
