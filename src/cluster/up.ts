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
import { Links, linkExists, namespacesStartingWith } from '../host/links.ts';
import { isAlive } from '../host/process.ts';
import { buildStarters, SANDBOX_IMAGE } from './images/index.ts';
import type { CertificateRequest } from './certificate-request.ts';
import { ensureCertificates, pkiPaths } from './certificates.ts';
import { DEFAULT_CONFIG, incompatibilities, validateConfig, type ClusterConfig } from './config.ts';
import { isOtherCluster, removeNode, teardown } from './down.ts';
import { API_PORT, CNI_BIN_DIR, layoutOf, type Layout, type NodeLayout } from './layout.ts';
import { closeEgress, ensureLan, ensureNode, openEgress } from './network.ts';
import { ensureNodeTools } from './node-tools.ts';
import { checkMachine, checkPortFree, thisMachine } from './preflight.ts';
import { agentPart, containerdPart, firstAddress, ensurePart, serverPart, type Part } from './processes.ts';
import { readState, withLock, writeState, type ClusterState } from './state.ts';
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
  const recorded = readState(layoutOf(name, dataDir, 0).stateFile);
  const config: ClusterConfig = { ...DEFAULT_CONFIG, ...recorded?.config, ...options.config };
  refuse(validateConfig(config), true);
  refuse(recorded ? incompatibilities(recorded.config, config) : leftovers(name));
  const layout = layoutOf(name, dataDir, recorded?.index ?? (await freeIndex()));
  const fresh = !Object.values(recorded?.processes ?? {}).some(isAlive);
  return withLock(layout, async () => {
    const session = new Session(layout, { version: 1, index: layout.index, processes: {}, ...recorded, config });
    try {
      await converge(session, options);
    } catch (error) {
      if (fresh) await takeBack(session, recorded === undefined);
      throw error;
    }
    return layout;
  });
}

/** The state as it grows, written after each step, so that whatever happens `down` knows what there is. */
class Session {
  readonly layout: Layout;
  #state: ClusterState;
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
  async ensure(part: Part): Promise<void> {
    const record = await ensurePart(part, this.#state.processes[part.name]);
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

async function converge(session: Session, { progress, timeout }: UpOptions): Promise<void> {
  const { layout, state } = session;
  session.save({});
  // Made while everything else starts.
  const starters = buildMissingStarters(layout, progress);
  const nodes = Array.from({ length: state.config.nodes }, (_, i) => layout.node(i + 1));
  try {
    await startParts(session, nodes, progress);
  } finally {
    await starters;
  }
  progress(`server and ${String(nodes.length)} node${nodes.length === 1 ? '' : 's'} started`);
  const names = nodes.map((node) => node.name);
  await waitReady({ layout, nodes: names, timeout, progress, parts: Object.keys(session.state.processes) });
}

async function startParts(
  session: Session,
  nodes: readonly NodeLayout[],
  progress: (text: string) => void,
): Promise<void> {
  const { layout, state } = session;
  const { config } = state;
  await ensureLan(layout);
  await ensureEgress(session);
  if (await ensureCertificates(layout.pki, certificateRequests(layout, config, nodes))) progress('certificates signed');
  writeKubeconfigs(layout, nodes);
  const server = state.processes['server'];
  if (!server || !isAlive(server)) await checkPortFree(layout.lan.hostIp, API_PORT);
  await session.ensure(serverPart(layout, config));
  await removeSurplusNodes(session, config.nodes);
  for (const node of nodes) {
    await ensureNode(layout, node, config);
    mkdirSync(node.dir, { recursive: true, mode: 0o750 });
    ensureNodeTools(node);
    writeFileSync(node.containerdConfig, containerdConfig(node));
    await session.ensure(containerdPart(layout, node));
    await session.ensure(agentPart(layout, node, config));
  }
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

async function ensureEgress(session: Session): Promise<void> {
  const { layout, state } = session;
  if (state.config.egress && state.forwardingBefore === undefined)
    session.save({ forwardingBefore: await openEgress(layout) });
  if (!state.config.egress && state.forwardingBefore !== undefined) {
    await closeEgress(layout, state.forwardingBefore);
    const { forwardingBefore: _, ...rest } = state;
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
function leftovers(name: string): string[] {
  const found = namespacesStartingWith(`fairway-${name}-`).filter((namespace) => !isOtherCluster(namespace, name));
  return found.length === 0
    ? []
    : [
        `network namespace ${found.join(', ')} is left over from a cluster ${name} this data directory does not know; run: fairway down --name ${name} (or give the --data-dir it was started with)`,
      ];
}

/** The smallest number whose link and LAN range nobody on this host uses. */
async function freeIndex(): Promise<number> {
  const addresses = [...(await new Links().addresses()).values()].flat();
  for (let index = 0; index < 256; index++) {
    if (
      !linkExists(`fairway${String(index)}`) &&
      !addresses.some((address) => address.startsWith(`172.30.${String(index)}.`))
    )
      return index;
  }
  throw new Error('all of 172.30.0.0/16 is in use on this host: no room for another LAN');
}
