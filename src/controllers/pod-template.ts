/** Pods out of a template, and the hash that names a template. */
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import type { Core, KubeObject, Meta, Pod } from '../api/types.ts';
import { fnv1a32 } from '../lib/hash.ts';
import { canonicalJson } from './canonical.ts';

/** The label that tells the ReplicaSets of one Deployment, and their pods, apart. */
export const TEMPLATE_HASH_LABEL = 'pod-template-hash';

/** The reference that makes `owner` the one controller of what carries it; deleting the owner waits for it in the foreground. */
export function controllerReference(kind: Kind, owner: KubeObject): Meta.OwnerReference {
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export const controllerOf = (object: KubeObject): Meta.OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((reference) => reference.controller === true);

/**
 * A pod of `owner` as its template says, without a name of its own: the API server completes `generateName`. Change what is
 * returned freely, it shares nothing with the template.
 */
export function podFromTemplate(template: Core.PodTemplateSpec | undefined, kind: Kind, owner: KubeObject): Pod {
  const { metadata, spec } = structuredClone(template ?? {});
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: '',
      generateName: `${owner.metadata.name}-`,
      ...(owner.metadata.namespace !== undefined && { namespace: owner.metadata.namespace }),
      labels: { ...metadata?.labels },
      ...(metadata?.annotations && { annotations: metadata.annotations }),
      ...(metadata?.finalizers && { finalizers: metadata.finalizers }),
      ownerReferences: [controllerReference(kind, owner)],
    },
    spec: spec ?? { containers: [] },
  };
}

/**
 * A short name for a template that stays the same as long as the template does. `collisions` counts the names already found taken
 * by another template, so that the next try differs.
 */
export function templateHash(template: unknown, collisions = 0): string {
  return safeText(fnv1a32(`${canonicalJson(template)}#${String(collisions)}`));
}

/** Digits and consonants that cannot spell a word or be mistaken for one another. */
function safeText(value: number): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
  let text = '';
  for (let rest = value; rest > 0 || text === ''; rest = Math.floor(rest / alphabet.length)) {
    text = `${alphabet[rest % alphabet.length] ?? ''}${text}`;
  }
  return text;
}

/** Equal but for the hash label: what "the same revision" means. */
export function sameTemplate(a: Core.PodTemplateSpec | undefined, b: Core.PodTemplateSpec | undefined): boolean {
  return canonicalJson(withoutHash(a)) === canonicalJson(withoutHash(b));
}

function withoutHash(template: Core.PodTemplateSpec | undefined): Core.PodTemplateSpec | undefined {
  if (template?.metadata?.labels === undefined) return template;
  const { [TEMPLATE_HASH_LABEL]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}
