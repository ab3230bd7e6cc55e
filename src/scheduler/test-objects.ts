/** Pods and Nodes for the scheduler's tests. */
import type { Node, Pod } from '../api/types.ts';
import { ClusterState } from './cluster-state.ts';
import type { Surroundings } from './pod-affinity.ts';

export function aPod(name: string, spec: Partial<Pod['spec']> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ...metadata },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
    status: { phase: 'Pending' },
  };
}

export function aNode(
  name: string,
  changes: Partial<Pick<Node, 'spec' | 'status'>> & { labels?: Record<string, string> } = {},
): Node {
  const { labels = {}, ...rest } = changes;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: {},
    status: { allocatable: { cpu: '2', memory: '4Gi', pods: '10' } },
    ...rest,
  };
}

export const asking = (requests: Record<string, string>): Partial<Pod['spec']> => ({
  containers: [{ name: 'c', image: 'i', resources: { requests } }],
});

/** These Nodes, and Pods by the name of the Node they run on. */
export function around(nodes: Node[], pods: Record<string, Pod[]> = {}): Surroundings {
  const state = new ClusterState();
  for (const node of nodes) state.setNode(node);
  for (const [nodeName, all] of Object.entries(pods)) {
    for (const pod of all) state.setPod({ ...pod, spec: { ...pod.spec, nodeName } });
  }
  return { nodes: state.nodes, namespaceLabels: (namespace) => ({ 'kubernetes.io/metadata.name': namespace }) };
}
