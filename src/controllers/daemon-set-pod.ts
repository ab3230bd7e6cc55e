/** The pods of a DaemonSet: which nodes get one, and how a pod is tied to its node. Pure. */
import { DAEMON_SETS } from '../api/kinds.ts';
import { matchesNodeAffinity } from '../api/node-affinity.ts';
import { untolerated } from '../api/taints.ts';
import type { Core, DaemonSet, Node, Pod } from '../api/types.ts';
import { podFromTemplate } from './pod-template.ts';
import { REVISION_LABEL } from './revision.ts';

const tolerate = (key: string, effect: string): Core.Toleration => ({ key, operator: 'Exists', effect });

/** A daemon stays and starts where other pods must not: a node is troubled, and it may be there to mend it. */
export function daemonTolerations(spec: Core.PodSpec | undefined): Core.Toleration[] {
  const own = spec?.tolerations ?? [];
  const added = [
    tolerate('node.kubernetes.io/not-ready', 'NoExecute'),
    tolerate('node.kubernetes.io/unreachable', 'NoExecute'),
    tolerate('node.kubernetes.io/disk-pressure', 'NoSchedule'),
    tolerate('node.kubernetes.io/memory-pressure', 'NoSchedule'),
    tolerate('node.kubernetes.io/pid-pressure', 'NoSchedule'),
    tolerate('node.kubernetes.io/unschedulable', 'NoSchedule'),
    ...(spec?.hostNetwork === true ? [tolerate('node.kubernetes.io/network-unavailable', 'NoSchedule')] : []),
  ];
  const isThere = (one: Core.Toleration) =>
    own.some(({ key, operator, effect }) => key === one.key && operator === one.operator && effect === one.effect);
  return [...own, ...added.filter((one) => !isThere(one))];
}

/** `run`: a pod belongs here. `stay`: none is started any more, one that is there may stay. `leave`: none belongs here. */
export function decideNode({ spec }: DaemonSet, node: Node): 'run' | 'stay' | 'leave' {
  const podSpec = spec.template.spec;
  if (podSpec?.nodeName && podSpec.nodeName !== node.metadata.name) return 'leave';
  if (!matchesNodeAffinity(podSpec ?? {}, node)) return 'leave';
  const tolerations = daemonTolerations(podSpec);
  if (untolerated(node, tolerations, ['NoExecute']).length > 0) return 'leave';
  return untolerated(node, tolerations, ['NoSchedule']).length > 0 ? 'stay' : 'run';
}

/** The scheduler places it, but affinity leaves it no choice. Other required terms have been checked and are replaced. */
export function daemonPod(daemonSet: DaemonSet, node: string, hash: string): Pod {
  const pod = podFromTemplate(daemonSet.spec.template, DAEMON_SETS, daemonSet);
  pod.metadata.labels = { ...pod.metadata.labels, [REVISION_LABEL]: hash };
  const { affinity = {} } = pod.spec;
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
  pod.spec.affinity = {
    ...affinity,
    nodeAffinity: {
      ...affinity.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] },
    },
  };
  pod.spec.tolerations = daemonTolerations(pod.spec);
  return pod;
}

/** Where a daemon's pod runs, or where it is bound to go. */
export function nodeOf({ spec }: Pod): string | undefined {
  if (spec.nodeName) return spec.nodeName;
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const fields = terms?.flatMap(({ matchFields = [] }) => matchFields) ?? [];
  return fields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')?.values?.[0];
}
