/**
 * Empties a Namespace that is being deleted and then lets it go (features 8-083): Pods first, so that nothing they need is taken from under
 * them, then everything else, of every kind.
 */
import { isNotFound } from '../api/api-error.ts';
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  EVENTS,
  KINDS,
  NAMESPACES,
  PODS,
  resourceNameOf,
  type Kind,
} from '../api/kinds.ts';
import type { KubeObject, Meta, Namespace } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import { timestamp } from '../lib/clock.ts';
import { ignoreNotFound } from './api-outcomes.ts';
import { readableKind } from './collected-kinds.ts';
import { defineController, done, itself, retryAfter, trigger } from './loop.ts';

const FINALIZER = 'kubernetes';

/** What is left of a kind after everything in it was asked to go. */
export interface Remainder {
  readonly kind: Kind;
  readonly count: number;
  /** Finalizer -> how many objects it holds up. */
  readonly finalizers: Record<string, number>;
}

/** The conditions that tell people why a Namespace is still there. */
export function namespaceConditions(remainders: readonly Remainder[], now: string): Meta.Condition[] {
  const condition = (type: string, bad: boolean, reason: string, message: string) => ({
    type,
    status: bad ? ('True' as const) : ('False' as const),
    lastTransitionTime: now,
    reason,
    message,
  });
  const left = remainders.filter(({ count }) => count > 0);
  const finalizers = new Map<string, number>();
  for (const [name, count] of left.flatMap((each) => Object.entries(each.finalizers))) {
    finalizers.set(name, (finalizers.get(name) ?? 0) + count);
  }
  const kinds = left.map(({ kind, count }) => `${resourceNameOf(kind)} has ${String(count)} resource instances`);
  const held = [...finalizers].map(([name, count]) => `${name} in ${String(count)} resource instances`);
  const remains = `Some resources are remaining: ${kinds.join(', ')}`;
  const waits = `Some content in the namespace has finalizers remaining: ${held.join(', ')}`;
  return [
    condition(
      'NamespaceDeletionDiscoveryFailure',
      false,
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ),
    condition(
      'NamespaceDeletionGroupVersionParsingFailure',
      false,
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    condition(
      'NamespaceDeletionContentFailure',
      false,
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ),
    left.length > 0
      ? condition('NamespaceContentRemaining', true, 'SomeResourcesRemain', remains)
      : condition('NamespaceContentRemaining', false, 'ContentRemoved', 'All content successfully removed'),
    finalizers.size > 0
      ? condition('NamespaceFinalizersRemaining', true, 'SomeFinalizersRemain', waits)
      : condition(
          'NamespaceFinalizersRemaining',
          false,
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        ),
  ];
}

/** Asks every object of `kind` to go and counts those that stay for now. */
async function empty(client: Client, kind: Kind, namespace: string): Promise<Remainder> {
  const { items } = await client.list(kind, { namespace });
  const waiting = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  // A few at a time: a namespace may hold thousands.
  for (let at = 0; at < waiting.length; at += 20) {
    const batch = waiting.slice(at, at + 20);
    await Promise.all(
      batch.map(({ metadata }) =>
        ignoreNotFound(client.delete(kind, metadata.name, namespace, { propagationPolicy: 'Background' })),
      ),
    );
  }
  if (items.length === 0) return { kind, count: 0, finalizers: {} };
  const left = (await client.list(kind, { namespace })).items;
  return { kind, count: left.length, finalizers: countFinalizers(left) };
}

function countFinalizers(objects: readonly KubeObject[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of objects.flatMap(({ metadata }) => metadata.finalizers ?? []))
    counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Events go last: what is said while the rest goes must go as well. */
const contentKinds = KINDS.filter((kind) => kind.namespaced && !kind.storedAs && kind !== PODS && kind !== EVENTS);

async function customKinds(client: Client): Promise<Kind[]> {
  const { items } = await client.list(CUSTOM_RESOURCE_DEFINITIONS);
  return items.flatMap((definition) => readableKind(definition) ?? []).filter((kind) => kind.namespaced);
}

/** A kind may go while it is emptied: then nothing of it is left. */
async function emptyCustom(client: Client, kind: Kind, namespace: string): Promise<Remainder> {
  try {
    return await empty(client, kind, namespace);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { kind, count: 0, finalizers: {} };
  }
}

async function removeContent(client: Client, namespace: string): Promise<Remainder[]> {
  const pods = await empty(client, PODS, namespace);
  if (pods.count > 0) return [pods];
  const custom = await customKinds(client);
  const rest = await Promise.all([
    ...contentKinds.map((kind) => empty(client, kind, namespace)),
    ...custom.map((kind) => emptyCustom(client, kind, namespace)),
  ]);
  if (rest.some(({ count }) => count > 0)) return rest;
  return [await empty(client, EVENTS, namespace)];
}

async function finalize(client: Client, namespace: Namespace): Promise<void> {
  const finalizers = (namespace.spec?.finalizers ?? []).filter((name) => name !== FINALIZER);
  const { metadata, ...rest } = namespace;
  const next = { ...rest, metadata, spec: { ...namespace.spec, finalizers } };
  await client.update(NAMESPACES, next, { subresource: 'finalize' });
}

export const namespaceController = defineController({
  name: 'namespace-controller',
  triggers: [trigger(NAMESPACES, itself)],
  async reconcile(name, view) {
    const cached = view.get(NAMESPACES, name);
    if (cached?.metadata.deletionTimestamp === undefined) return done;
    const { client } = view;
    try {
      const namespace = await client.get(NAMESPACES, name);
      if (namespace.metadata.deletionTimestamp === undefined) return done;
      if (!namespace.spec?.finalizers?.includes(FINALIZER)) return done;
      if (namespace.status?.phase !== 'Terminating') {
        await client.update(
          NAMESPACES,
          { ...namespace, status: { ...namespace.status, phase: 'Terminating' } },
          { subresource: 'status' },
        );
      }
      const remainders = await removeContent(client, name);
      if (remainders.some(({ count }) => count > 0)) {
        const conditions = namespaceConditions(remainders, timestamp(view.clock.now()));
        if (!sameConditions(namespace, conditions)) {
          await client.patch(
            NAMESPACES,
            name,
            undefined,
            'merge',
            { status: { conditions } },
            { subresource: 'status' },
          );
        }
        // Short: what is left is mostly Pods within their grace period, and people wait for `kubectl delete namespace`.
        return retryAfter(remainders.some((each) => each.kind === PODS) ? 100 : 250);
      }
      await finalize(client, await client.get(NAMESPACES, name));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return done;
  },
});

function sameConditions(namespace: Namespace, conditions: readonly Meta.Condition[]): boolean {
  const facts = (list: readonly { type: string; status: string; message?: string }[] = []) =>
    JSON.stringify(list.map(({ type, status, message }) => [type, status, message]));
  return facts(namespace.status?.conditions) === facts(conditions);
}
