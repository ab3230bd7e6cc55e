/** What of a cluster runs, and what its nodes say: the answer of `fairway status`. */
import type { ClusterConfig } from './config.ts';
import { NODES, PODS, SERVICES } from '../api/kinds.ts';
import type { Node } from '../api/types.ts';
import { createHttpClient } from '../client/http-client.ts';
import { isAlive } from '../host/process.ts';
import { layoutOf, nodeName } from './layout.ts';
import { readState } from './state.ts';
import { adminConnection, isNodeReady } from './wait-ready.ts';

export interface NodeStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly address: string;
  readonly podCidr: string;
  readonly agent: 'running' | 'stopped';
  readonly containerd: 'running' | 'stopped';
}

export interface ClusterStatus {
  readonly name: string;
  readonly state: 'ready' | 'degraded' | 'stopped';
  readonly apiServer: string;
  readonly server: 'running' | 'not answering' | 'stopped';
  readonly proxyMode: string;
  readonly kubeconfig: string;
  readonly nodes: readonly NodeStatus[];
  readonly pods: number;
  readonly services: number;
}

/** undefined when this data directory knows no such cluster. */
export async function statusOf(name: string, dataDir: string): Promise<ClusterStatus | undefined> {
  const state = readState(layoutOf(name, dataDir, 0).stateFile);
  if (!state) return undefined;
  const layout = layoutOf(name, dataDir, state.index);
  const runs = (part: string) => {
    const record = state.processes[part];
    return record && isAlive(record) ? 'running' : 'stopped';
  };
  const seen = runs('server') === 'running' ? await ask(layout) : undefined;
  const nodes = Array.from({ length: state.config.nodes }, (_, i): NodeStatus => {
    const node = seen?.nodes.find(({ metadata }) => metadata.name === nodeName(i + 1));
    return {
      name: nodeName(i + 1),
      ready: node !== undefined && isNodeReady(node),
      address: layout.node(i + 1).ip,
      podCidr: node?.spec?.podCIDR ?? '',
      agent: runs(nodeName(i + 1)),
      containerd: runs(`${nodeName(i + 1)}-containerd`),
    };
  });
  const server = runs('server') === 'stopped' ? 'stopped' : seen ? 'running' : 'not answering';
  const anything = Object.values(state.processes).some(isAlive);
  const allWell =
    server === 'running' &&
    nodes.every((node) => node.ready && node.agent === 'running' && node.containerd === 'running');
  return {
    name,
    state: allWell ? 'ready' : anything ? 'degraded' : 'stopped',
    apiServer: layout.apiServer,
    server,
    proxyMode: modeText(state.config),
    kubeconfig: layout.kubeconfig,
    nodes,
    pods: seen?.pods ?? 0,
    services: seen?.services ?? 0,
  };
}

async function ask(
  layout: ReturnType<typeof layoutOf>,
): Promise<{ nodes: Node[]; pods: number; services: number } | undefined> {
  const client = createHttpClient(adminConnection(layout));
  try {
    const [nodes, pods, services] = await Promise.all([client.list(NODES), client.list(PODS), client.list(SERVICES)]);
    return { nodes: nodes.items, pods: pods.items.length, services: services.items.length };
  } catch {
    return undefined;
  } finally {
    client.close();
  }
}

/** `nftables`, or `nftables (node02: userspace)` where a node has its own. */
function modeText({ proxyMode, nodeProxyModes = {} }: ClusterConfig): string {
  const own = Object.entries(nodeProxyModes).map(([node, mode]) => `${node}: ${mode}`);
  return own.length === 0 ? proxyMode : `${proxyMode} (${own.join(', ')})`;
}
