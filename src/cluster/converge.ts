/** The steps of `up`: each looks at what is there and does only what is missing, so that all of them can be repeated. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { isNotFound } from '../api/api-error.ts';
import { NODES } from '../api/kinds.ts';
import { createHttpClient } from '../client/http-client.ts';
import { renderContainerdConfig } from '../host/containerd.ts';
import { namespaceExists } from '../host/links.ts';
import { isAlive, stopProcess } from '../host/process.ts';
import { proxyModeOf } from './config.ts';
import { ensureCertificates } from './certificates.ts';
import { removeNode } from './down.ts';
import { agentCertificates, certificateRequests, writeKubeconfigs } from './identities.ts';
import { buildStarters, SANDBOX_IMAGE } from './images/index.ts';
import { probeKernel } from './kernel-probe.ts';
import { API_PORT, CNI_BIN_DIR, type Layout, type NodeLayout } from './layout.ts';
import { closeEgress, ensureLan, ensureNode, forwarding, isOnLan, openEgress } from './network.ts';
import { ensureNodeTools, nodePath } from './node-tools.ts';
import { strays } from './part-processes.ts';
import { checkPortFree } from './preflight.ts';
import { agentPart, containerdPart, serverPart } from './processes.ts';
import type { Session } from './session.ts';
import { UpRefused } from './up-refused.ts';
import { adminConnection, waitReady } from './wait-ready.ts';

export interface ConvergeOptions {
  /** Milliseconds to wait for the nodes. */
  readonly timeout: number;
  /** One line for each step done. */
  readonly progress: (text: string) => void;
  /** Ends it early. */
  readonly signal?: AbortSignal;
}

/** `lanIsThere` is called once others can see that its range is taken. Throws UpRefused, or what went wrong. */
export async function converge(session: Session, options: ConvergeOptions, lanIsThere: () => void): Promise<void> {
  const { progress, timeout, signal } = options;
  const { layout, state } = session;
  // A second one beside them would fight them for ports and containers.
  await Promise.all(strays(layout, state).map((id) => stopProcess(id)));
  const nodes = Array.from({ length: state.config.nodes }, (_, i) => layout.node(i + 1));
  await checkKernel(session, nodes);
  session.save({});
  await ensureLan(layout);
  lanIsThere();
  // Made while everything else starts.
  const starters = buildMissingStarters(layout, progress);
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
    const agentsOwn = renewed.some((file) => agentCertificates(node.name).includes(file));
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

/** Asked once for each proxy mode: what a kernel had at the first start it still has. Leaves nothing behind. */
async function checkKernel({ layout, state }: Session, nodes: readonly NodeLayout[]): Promise<void> {
  const [node] = nodes;
  if (node === undefined) return;
  const running = Object.values(state.processes).flatMap((one) => one.command);
  const modes = nodes.map(({ name }) => proxyModeOf(state.config, name));
  if (modes.every((mode) => running.includes(`--proxy-mode=${mode}`))) return;
  ensureNodeTools(node);
  const problem = await probeKernel(`fairway-${layout.name}-probe`, { PATH: nodePath(node) }, modes);
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
