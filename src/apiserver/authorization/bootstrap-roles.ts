/** Makes the default roles and bindings at the start, all in one commit, and brings those of an earlier version up to date. */
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, type Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import { timestamp } from '../../lib/clock.ts';
import { ConditionFailed, type Operation } from '../../store/store.ts';
import { MAX_TRIES, type Core } from '../core.ts';
import { encodeStored } from '../entry.ts';
import { keyOf } from '../keys.ts';
import { readStored } from '../read.ts';
import type { Binding } from './bindings.ts';
import { defaultClusterRoleBindings, defaultRoleBindings } from './default-bindings.ts';
import { defaultClusterRoles, defaultRoles } from './default-roles.ts';
import { reconcileBinding, reconcileRole } from './reconcile.ts';

/** Of every default object: its kind, itself, and how a present one becomes it. */
interface Default {
  readonly kind: Kind;
  readonly object: KubeObject;
  reconcile(present: KubeObject): { readonly object: KubeObject; readonly replaced: boolean } | undefined;
}

function defaults(): Default[] {
  const role = (kind: Kind, object: KubeObject): Default => ({
    kind,
    object,
    reconcile(present) {
      const changed = reconcileRole(present, object);
      return changed && { object: changed, replaced: false };
    },
  });
  const binding = (kind: Kind, object: Binding): Default => ({
    kind,
    object,
    reconcile(present) {
      const changed = reconcileBinding(present as Binding, object);
      return changed && { object: changed.binding, replaced: changed.replaced };
    },
  });
  return [
    ...defaultClusterRoles().map((object) => role(CLUSTER_ROLES, object)),
    ...defaultRoles().map((object) => role(ROLES, object)),
    ...defaultClusterRoleBindings().map((object) => binding(CLUSTER_ROLE_BINDINGS, object)),
    ...defaultRoleBindings().map((object) => binding(ROLE_BINDINGS, object)),
  ];
}

/** Operations in one commit: etcd takes 128. */
const BATCH = 100;

/** Needs no namespace: they come a moment later. Nothing is written where nothing differs. */
export async function ensureDefaultRoles(core: Core): Promise<void> {
  const all = defaults();
  for (let attempt = 1; ; attempt++) {
    const operations = await plan(core, all, attempt > 1);
    if (operations.length === 0) return;
    try {
      for (let at = 0; at < operations.length; at += BATCH) {
        const { revision } = await core.store.commit(operations.slice(at, at + BATCH));
        // Whoever is let in next is judged by them.
        await core.cache.waitFor(revision);
      }
      return;
    } catch (error) {
      // Another server of the same store starts at this moment.
      if (!(error instanceof ConditionFailed) || attempt >= MAX_TRIES) throw error;
    }
  }
}

async function plan(core: Core, all: readonly Default[], fresh: boolean): Promise<Operation[]> {
  const operations: Operation[] = [];
  for (const { kind, object, reconcile } of all) {
    const key = keyOf(kind, object.metadata.namespace, object.metadata.name);
    const present = fresh ? await readStored(core, kind, key) : core.cache.of(kind).get(key);
    const changed = present && reconcile(present.object);
    if (present && !changed) continue;
    const isNew = changed === undefined || changed.replaced;
    const { metadata, ...rest } = changed?.object ?? object;
    const own = isNew ? { uid: core.newUid(), creationTimestamp: timestamp(core.clock.now()) } : {};
    const value = encodeStored(kind, { metadata: { ...metadata, ...own }, ...rest });
    operations.push({ type: 'put', key, value, expect: present?.revision ?? 0 });
  }
  return operations;
}
