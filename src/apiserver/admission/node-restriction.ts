/**
 * Keeps a node to itself, as the NodeRestriction admission of Kubernetes does: an authorizer sees only paths, and whose Pod it is or what a
 * new Node is called stands in the object. Who takes over one node then cannot mark, delete or speak for the Pods of another.
 */
import { forbiddenRequest } from '../../api/api-error.ts';
import { deepEqual } from '../../api/deep-equal.ts';
import { LEASES, NODES, PODS, SERVICE_ACCOUNTS, type Kind } from '../../api/kinds.ts';
import type { KubeObject, Node, Pod } from '../../api/types.ts';
import { nodeNameOf } from '../authorization/node-identity.ts';
import { podReferences } from '../authorization/pod-references.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';
import { readStored } from '../read.ts';
import type { User } from '../request.ts';
import type { ResourceInfo } from '../routes.ts';

const MIRROR = 'kubernetes.io/config.mirror';

/** What a node may not do with a Pod that is not bound to it, in the words of the refusal. */
const ofOthers: Readonly<Record<string, string>> = {
  update: 'can only update pod status for pods with spec.nodeName set to itself',
  patch: 'can only update pod status for pods with spec.nodeName set to itself',
  delete: 'can only delete pods with spec.nodeName set to itself',
  create: 'can only evict pods with spec.nodeName set to itself',
};

/** Throws 403 when a node writes another Node, or a Pod that is not bound to it. A Pod that is not there is left to the verb. */
export async function restrictTarget(core: Core, user: User, info: ResourceInfo): Promise<void> {
  const node = nodeNameOf(user);
  const why = ofOthers[info.verb];
  if (node === undefined || info.name === undefined || why === undefined) return;
  if (info.kind === NODES && info.name !== node) throw otherNode(node, info.name);
  if (info.kind !== PODS) return;
  const pod = await podOf(core, info.namespace, info.name);
  if (pod && pod.spec.nodeName !== node) {
    throw forbiddenRequest(PODS, info.name, `node ${JSON.stringify(node)} ${why}`);
  }
}

const otherNode = (node: string, name: string) =>
  forbiddenRequest(NODES, name, `node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`);

/** Throws 403 when a node asks for a token that is not bound to a Pod of its own, 404 when there is no such Pod. */
export async function restrictToken(
  core: Core,
  user: User,
  info: ResourceInfo,
  bound: { kind?: string; name?: string; uid?: string } | undefined,
): Promise<void> {
  const node = nodeNameOf(user);
  if (node === undefined) return;
  const refuse = (why: string) => forbiddenRequest(SERVICE_ACCOUNTS, info.name ?? '', why);
  if (bound?.kind !== 'Pod' || !bound.name) throw refuse('node requested token not bound to a pod');
  if (!bound.uid) throw refuse('node requested token with a pod binding without a uid');
  const pod = await podOf(core, info.namespace, bound.name);
  if (pod && pod.spec.nodeName !== node) {
    throw refuse('node requested token bound to a pod scheduled on a different node');
  }
}

/** Past the cache: a kubelet writes in the same moment in which the Pod was bound. */
async function podOf(core: Core, namespace: string | undefined, name: string): Promise<Pod | undefined> {
  return (await readStored(core, PODS, keyOf(PODS, namespace, name)))?.object as Pod | undefined;
}

/** A new or changed object, just before it is checked. Throws 403 when a node writes what is not its own. */
export function restrictNode(user: User, kind: Kind, object: KubeObject, old?: KubeObject): void {
  const node = nodeNameOf(user);
  if (node === undefined) return;
  const { name } = object.metadata;
  const refuse = (why: string) => {
    if (why !== '') throw forbiddenRequest(kind, name, why);
  };
  const who = `node ${JSON.stringify(node)}`;
  if (kind === LEASES && !old && name !== node) {
    refuse('can only access node lease with the same name as the requesting node');
  }
  if (kind === PODS) refuse(old ? statusProblem(who, object as Pod, old as Pod) : podProblem(node, who, object as Pod));
  if (kind !== NODES) return;
  if (name !== node) throw otherNode(node, name);
  refuse(nodeProblem(who, object as Node, old as Node | undefined));
}

/** A node makes mirrors of its static Pods, and these can be nobody and read nothing. */
function podProblem(node: string, who: string, pod: Pod): string {
  const spec = (pod as Partial<Pod>).spec;
  if (pod.metadata.annotations?.[MIRROR] === undefined) {
    return `pod does not have ${JSON.stringify(MIRROR)} annotation, ${who} can only create mirror pods`;
  }
  if (spec?.nodeName !== node) return `${who} can only create pods with spec.nodeName set to itself`;
  if (spec.serviceAccountName) return `${who} can not create pods that reference a service account`;
  const { secrets, configMaps, claims } = podReferences({ ...pod, spec: { ...spec, containers: spec.containers } });
  if (secrets.size > 0) return `${who} can not create pods that reference secrets`;
  if (configMaps.size > 0) return `${who} can not create pods that reference configmaps`;
  return claims.size > 0 ? `${who} can not create pods that reference persistentvolumeclaims` : '';
}

function statusProblem(who: string, pod: Pod, old: Pod): string {
  const same = deepEqual(pod.metadata.labels ?? {}, old.metadata.labels ?? {});
  return same ? '' : `${who} cannot update labels through pod status`;
}

/** What a kubelet says about itself; labels that place workloads are the administrator's. */
const kubeletLabels: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
]);

function isReserved(label: string): boolean {
  const domain = label.includes('/') ? label.slice(0, label.indexOf('/')) : '';
  const within = (root: string) => domain === root || domain.endsWith(`.${root}`);
  if (within('node-restriction.kubernetes.io')) return true;
  if (!within('kubernetes.io') && !within('k8s.io')) return false;
  return !kubeletLabels.has(label) && !within('kubelet.kubernetes.io') && !within('node.kubernetes.io');
}

function nodeProblem(who: string, node: Node, old: Node | undefined): string {
  const [now, before] = [node.metadata.labels ?? {}, old?.metadata.labels ?? {}];
  const changed = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((key) => now[key] !== before[key]);
  const reserved = changed.filter(isReserved).sort().join(', ');
  if (reserved !== '') {
    return old
      ? `${who} is not allowed to modify labels: ${reserved}`
      : `${who} is not allowed to set the following labels: ${reserved}`;
  }
  if (!old) return '';
  if (!deepEqual(node.spec?.taints ?? [], old.spec?.taints ?? [])) return `${who} is not allowed to modify taints`;
  const owners = deepEqual(node.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? []);
  return owners ? '' : `${who} is not allowed to modify ownerReferences`;
}
