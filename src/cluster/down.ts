/** Taking a cluster, or one node of it, off the machine: processes, containers, mounts, control groups, namespaces, links, rules. */
import { existsSync, rmSync, statSync } from 'node:fs';
import { removeCgroup } from '../host/cgroups.ts';
import { removeCniResults } from '../host/cni.ts';
import { namespacesStartingWith } from '../host/links.ts';
import { mountsBelow, unmountBelow } from '../host/mounts.ts';
import { stopProcess } from '../host/process.ts';
import { killShims } from '../host/shims.ts';
import { closeEgress, disconnectNode, forwarding, removeHostLink, removeNamespaces } from './network.ts';
import { endKeepers } from '../proxy/userspace/socket-keeper.ts';
import { configOf } from './config.ts';
import { emptyDatastore, etcdPrefixOf } from './datastore.ts';
import { layoutOf, type Layout, type NodeLayout } from './layout.ts';
import { partProcesses, runsFromElsewhere } from './part-processes.ts';
import { stopPart } from './processes.ts';
import { readState, withLock, writeState, type ClusterState } from './state.ts';

export interface DownOptions {
  readonly name: string;
  readonly dataDir: string;
  /** Removes the data as well: the next `up` starts an empty cluster. */
  readonly purge: boolean;
}

/** Removes one node; `state` tells its processes. What is already gone is passed over. */
export async function removeNode(layout: Layout, node: NodeLayout, state: ClusterState | undefined): Promise<void> {
  // The agent first, or it would start again what is stopped under it.
  await stopPart(state?.processes[node.name], 3_000);
  await removeCgroup(`${layout.cgroup}/${node.name}`);
  await killShims(node.containerdSocket);
  await stopPart(state?.processes[`${node.name}-containerd`], 3_000);
  removeCniResults({ root: node.containerdRoot, state: node.containerdState });
  await unmountBelow(node.dir);
  endSocketKeepers(node);
  await disconnectNode(layout, node);
}

/** What keeps the sockets of a proxy for the next one would keep the node's namespace as long. */
function endSocketKeepers({ namespacePath }: NodeLayout): void {
  const inode = statSync(namespacePath, { throwIfNoEntry: false })?.ino;
  if (inode !== undefined) for (const family of ['IPv4', 'IPv6'] as const) endKeepers(family, `net:[${String(inode)}]`);
}

/** Takes everything down; the caller holds the lock. Works without a state too, from the names alone. */
export async function teardown(layout: Layout, state: ClusterState | undefined): Promise<void> {
  const { name } = layout;
  const namespaces = namespacesStartingWith(`fairway-${name}-`).filter((found) => !isOtherCluster(found, name));
  await stopAll(layout, 5_000);
  const nodes = nodeNumbers(state, namespaces).map((number) => layout.node(number));
  await Promise.all(nodes.map((node) => removeNode(layout, node, state)));
  await Promise.all(Object.values(state?.processes ?? {}).map((record) => stopPart(record)));
  await removeCgroup(layout.cgroup);
  if (state?.forwardingBefore !== undefined) await closeEgress(layout, state.forwardingBefore);
  // Nothing tells whether there was egress, nor what forwarding was: at least the rule goes, where there is a tool for it.
  if (!state) await closeEgress(layout, forwarding()).catch(() => undefined);
  // The host's end of the veth would go with the LAN namespace, but some time after the command; a later `up` wants the name at once.
  await removeHostLink(layout);
  await removeNamespaces(namespaces);
  await unmountBelow(layout.dir);
}

/** Every process of this cluster, recorded or not. Supervisors are stopped with their groups, so none starts anything again. */
async function stopAll(layout: Layout, grace: number): Promise<void> {
  await Promise.all(partProcesses(layout).map((id) => stopProcess(id, grace)));
}

/** Resolves to false when there was nothing of that name. Throws where its processes run from another data directory. */
export async function down({ name, dataDir, purge }: DownOptions): Promise<boolean> {
  const known = layoutOf(name, dataDir, 0);
  if (
    !existsSync(known.dir) &&
    namespacesStartingWith(`fairway-${name}-`).every((found) => isOtherCluster(found, name))
  )
    return false;
  const elsewhere = runsFromElsewhere(known);
  if (elsewhere !== undefined)
    throw new Error(`cluster ${name} runs from ${elsewhere}; run: fairway down --name ${name} --data-dir ${elsewhere}`);
  await withLock(known, async () => {
    const state = readState(known.stateFile);
    const layout = layoutOf(name, dataDir, state?.index ?? 0);
    await teardown(layout, state);
    if (state) writeState(known.stateFile, { version: 1, index: state.index, config: state.config, processes: {} });
    if (!purge) return;
    // Before the record of where it is goes: when etcd is out of reach a second `down --purge` ends what this one began.
    const config = state && configOf(state.config, {});
    if (config) await emptyDatastore({ ...config, etcdPrefix: etcdPrefixOf(name) });
    removeData(layout);
  });
  return true;
}

/** Never across a mount: what is mounted below may be somebody's folder. */
function removeData({ dir }: Layout): void {
  const [mount] = mountsBelow(dir);
  if (mount !== undefined) throw new Error(`${mount} is still mounted, so the data stays; unmount it and try again`);
  rmSync(dir, { recursive: true, force: true });
}

/** `fairway-a-b-lan` belongs to cluster `a-b`, not to `a`. */
export function isOtherCluster(namespace: string, name: string): boolean {
  return !/^(lan|probe|node\d+)$/.test(namespace.slice(`fairway-${name}-`.length));
}

function nodeNumbers(state: ClusterState | undefined, namespaces: readonly string[]): number[] {
  const names = [...namespaces, ...Object.keys(state?.processes ?? {})];
  return [...new Set(names.flatMap((text) => /(?:^|-)node(\d+)(?:-containerd)?$/.exec(text)?.[1] ?? []).map(Number))];
}
