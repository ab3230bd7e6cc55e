/** What the fake API server does to an object before it keeps it: pure, and only what components can notice. */
import { isDeepStrictEqual } from 'node:util';
import { badRequest } from '../api/api-error.ts';
import { apiVersionOf, NAMESPACES, PODS, type Kind } from '../api/kinds.ts';
import { jsonPatch, mergePatch } from '../api/patch.ts';
import { parseFieldSelector, parseLabelSelector } from '../api/selectors.ts';
import { strategicMergePatch } from '../api/strategic-merge.ts';
import type { KubeObject, Namespace, Pod } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import type { DeleteOptions, PatchType } from './client.ts';

type Fields = KubeObject & Record<string, unknown>;

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

/** Any dotted path may be selected by, unlike in the real server. */
export function matcher(labels?: string, fields?: string): (object: KubeObject) => boolean {
  const labelSelector = parseLabelSelector(labels ?? '');
  const fieldSelector = parseFieldSelector(fields ?? '');
  return (object) => {
    const values = fieldSelector.requirements.map(({ field }) => [field, fieldText(object, field)] as const);
    return labelSelector.matches(object.metadata.labels) && fieldSelector.matches(Object.fromEntries(values));
  };
}

function fieldText(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const step of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[step];
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** Sets what the server sets on create. `serial` makes uid and generated names, so that tests are the same every time. */
export function prepareForCreate(kind: Kind, given: KubeObject, serial: number, now: number): KubeObject {
  const object = structuredClone(given) as Fields;
  const { metadata } = object;
  object.apiVersion = apiVersionOf(kind);
  object.kind = kind.kind;
  metadata.name ||= metadata.generateName ? metadata.generateName + suffix(serial) : '';
  if (!metadata.name) throw badRequest('name or generateName is required');
  metadata.uid ??= `00000000-0000-4000-8000-${String(serial).padStart(12, '0')}`;
  metadata.creationTimestamp ??= timestamp(now);
  if (kind.subresources.includes('status')) metadata.generation ??= 1;
  return object;
}

/** Five letters, as generateName appends. */
function suffix(serial: number): string {
  const letters = 'bcdfghjklmnpqrstvwxz';
  return Array.from({ length: 5 }, (_, at) => letters.charAt(Math.floor(serial / 20 ** (4 - at)) % 20)).join('');
}

/** A new Namespace is Active and holds the finalizer that its controller removes at the end (2-…). */
export function prepareNamespace(object: KubeObject): KubeObject {
  const namespace = object as Namespace;
  return {
    ...namespace,
    spec: { finalizers: ['kubernetes'], ...namespace.spec },
    status: { phase: 'Active' },
  } as KubeObject;
}

/** The object an update leaves behind: what belongs to the server, or to the other subresource, is put back. */
export function prepareForUpdate(kind: Kind, old: KubeObject, given: KubeObject, subresource?: string): KubeObject {
  const before = old as Fields;
  const after = structuredClone(given) as Fields;
  if (subresource === 'status') {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (key !== 'status' && key !== 'metadata') putBack(after, before, key);
    }
  } else if (kind.subresources.includes('status')) putBack(after, before, 'status');
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation } = old.metadata;
  const kept = { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation };
  for (const [key, value] of Object.entries(kept)) {
    const metadata = after.metadata as Record<string, unknown>;
    if (value === undefined) delete metadata[key];
    else metadata[key] = value;
  }
  const desired = (object: Fields) => ({ ...object, metadata: undefined, status: undefined });
  if (generation !== undefined && !isDeepStrictEqual(desired(before), desired(after))) {
    after.metadata.generation = generation + 1;
  }
  return { ...after, apiVersion: apiVersionOf(kind), kind: kind.kind };
}

function putBack(to: Record<string, unknown>, from: Record<string, unknown>, key: string): void {
  if (key in from) to[key] = from[key];
  else delete to[key];
}

/** The object the patch makes, not yet checked against what a patch may change. */
export function applyPatch(kind: Kind, object: KubeObject, type: PatchType, patch: unknown): KubeObject {
  switch (type) {
    case 'json':
      return jsonPatch(object, patch) as KubeObject;
    case 'merge':
      return mergePatch(object, patch) as KubeObject;
    case 'strategic':
      return strategicMergePatch(kind, object, patch) as unknown as KubeObject;
  }
}

/** The object marked for deletion, as DELETE leaves it. `isGone` tells whether it may go at once. */
export function markDeleted(kind: Kind, old: KubeObject, options: DeleteOptions, now: number): KubeObject {
  const object = structuredClone(old);
  const { metadata } = object;
  const grace = gracePeriod(kind, old, options.gracePeriodSeconds);
  const shorter = Math.min(grace, metadata.deletionGracePeriodSeconds ?? grace);
  if (!metadata.deletionTimestamp || shorter !== metadata.deletionGracePeriodSeconds) {
    metadata.deletionTimestamp = timestamp(now + shorter * 1000);
    metadata.deletionGracePeriodSeconds = shorter;
  }
  const wanted = { Foreground: 'foregroundDeletion', Orphan: 'orphan', Background: undefined };
  const finalizer = wanted[options.propagationPolicy ?? 'Background'];
  if (finalizer && !metadata.finalizers?.includes(finalizer)) {
    metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
  }
  return kind === (NAMESPACES as Kind) ? ({ ...object, status: { phase: 'Terminating' } } as KubeObject) : object;
}

/** Only a Pod that runs somewhere gets time to end (7-028). */
function gracePeriod(kind: Kind, object: KubeObject, asked?: number): number {
  if (kind !== (PODS as Kind)) return 0;
  const { spec, status } = object as Pod;
  if (!spec.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0;
  return asked ?? spec.terminationGracePeriodSeconds ?? 30;
}

/** Marked for deletion and nothing holds it any more. */
export function isGone(kind: Kind, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (!deletionTimestamp || (finalizers?.length ?? 0) > 0 || (deletionGracePeriodSeconds ?? 0) > 0) return false;
  return kind !== (NAMESPACES as Kind) || ((object as Namespace).spec?.finalizers?.length ?? 0) === 0;
}
