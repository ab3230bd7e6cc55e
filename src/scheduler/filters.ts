/** Why a Node cannot take a Pod: one pure function per reason, in the order they are asked, with the words people search for. */
import { tolerates, untolerated } from '../api/taints.ts';
import type { Core, Node, Pod } from '../api/types.ts';
import type { NodeState } from './cluster-state.ts';
import { matchesNodeAffinity } from '../api/node-affinity.ts';
import { podAffinityProblem, spreadProblem, type Surroundings } from './pod-affinity.ts';
import { podRequests } from './resources.ts';

type Filter = (pod: Pod, state: NodeState, around: Surroundings) => string[];

const toleratesTaint = (pod: Pod, taint: Core.Taint) =>
  (pod.spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint));

const unschedulable: Filter = (pod, { node }) => {
  const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
  return node.spec?.unschedulable && !toleratesTaint(pod, taint) ? ['node(s) were unschedulable'] : [];
};

const taints: Filter = (pod, { node }) => {
  const [taint] = untolerated(node, pod.spec.tolerations ?? [], ['NoSchedule', 'NoExecute']);
  return taint ? [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`] : [];
};

const affinity: Filter = (pod, { node }) =>
  matchesNodeAffinity(pod.spec, node) ? [] : ["node(s) didn't match Pod's node affinity/selector"];

interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** The ports a Pod takes of its Node (features 7-039, 7-040). */
export function hostPorts(pod: Pod): HostPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...pod.spec.containers, ...sidecars].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, hostIP = '', protocol = 'TCP' }) => {
      const port = hostPort ?? (pod.spec.hostNetwork ? containerPort : 0);
      return port > 0 ? { ip: hostIP === '' ? '0.0.0.0' : hostIP, protocol, port } : [];
    }),
  );
}

/** 0.0.0.0 stands for every address of the Node. */
const clash = (a: HostPort, b: HostPort) =>
  a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0');

const ports: Filter = (pod, { pods }) => {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return [];
  const taken = pods.flatMap(hostPorts);
  return wanted.some((port) => taken.some((other) => clash(port, other)))
    ? ["node(s) didn't have free ports for the requested pod ports"]
    : [];
};

/** Names every resource that is short. A Node that says nothing of how many Pods it takes, takes them. */
const resources: Filter = (pod, { allocatable, requested, pods }) => {
  const room = allocatable.get('pods');
  const problems = room !== undefined && pods.length + 1 > room ? ['Too many pods'] : [];
  for (const [name, value] of podRequests(pod)) {
    if (value > 0 && (requested.get(name) ?? 0) + value > (allocatable.get(name) ?? 0)) {
      problems.push(`Insufficient ${name}`);
    }
  }
  return problems;
};

const asList = (problem: string | undefined) => (problem === undefined ? [] : [problem]);
const spread: Filter = (pod, { node }, around) => asList(spreadProblem(pod, node, around));
const podAffinity: Filter = (pod, { node }, around) => asList(podAffinityProblem(pod, node, around));

const FILTERS: readonly Filter[] = [unschedulable, taints, affinity, ports, resources, spread, podAffinity];

/** The first reason a Node is out, which may name several resources; empty: it can take the Pod. */
export function problemsOf(pod: Pod, state: NodeState, around: Surroundings): string[] {
  for (const filter of FILTERS) {
    const problems = filter(pod, state, around);
    if (problems.length > 0) return problems;
  }
  return [];
}

/** Soft taints the Pod does not put up with. */
export function unwelcomeTaints(pod: Pod, node: Node): number {
  return (node.spec?.taints ?? []).filter((taint) => taint.effect === 'PreferNoSchedule' && !toleratesTaint(pod, taint))
    .length;
}
