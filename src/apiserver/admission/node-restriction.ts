/**
 * Keeps a node to its own Pods, as the NodeRestriction admission of Kubernetes does: the table of rules (`authorize.ts`) sees only paths, and
 * whose Pod it is stands in the Pod. Who takes over one node then cannot mark, delete or speak for the Pods of another.
 */
import { PODS } from '../../api/kinds.ts';
import type { Pod } from '../../api/types.ts';
import { forbidden, nodeNameOf } from '../authorize.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';
import { readStored } from '../read.ts';
import type { User } from '../request.ts';
import type { ResourceInfo } from '../routes.ts';

const WRITES = ['update', 'patch', 'delete'];

/** Throws 403 when a node writes a Pod that is not bound to it. A Pod that is not there is left to the verb. */
export async function restrictPods(core: Core, user: User, info: ResourceInfo): Promise<void> {
  const node = nodeNameOf(user);
  if (node === undefined || info.kind !== PODS || info.name === undefined || !WRITES.includes(info.verb)) return;
  const pod = await podOf(core, info.namespace, info.name);
  if (pod && pod.spec.nodeName !== node) throw forbidden(user, info);
}

/** Throws 403 when a node asks for a token that is not bound to a Pod of its own. */
export async function restrictToken(
  core: Core,
  user: User,
  info: ResourceInfo,
  bound: { kind?: string; name?: string } | undefined,
): Promise<void> {
  const node = nodeNameOf(user);
  if (node === undefined) return;
  const pod = bound?.kind === 'Pod' && bound.name ? await podOf(core, info.namespace, bound.name) : undefined;
  if (pod?.spec.nodeName !== node) throw forbidden(user, info);
}

/** Past the cache: a kubelet writes in the same moment in which the Pod was bound. */
async function podOf(core: Core, namespace: string | undefined, name: string): Promise<Pod | undefined> {
  return (await readStored(core, PODS, keyOf(PODS, namespace, name)))?.object as Pod | undefined;
}
