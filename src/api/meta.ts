/** ObjectMeta: generated names, validation on create, and what an update may change (features 1-012, 1-013, 8-087). */
import { forbidden, invalid, required, type FieldError } from './field-error.ts';
import type { Kind } from './kinds.ts';
import { dns1123Label, labelValue, qualifiedName } from './names.ts';
import type { KubeObject, Meta, ObjectMeta } from './types.ts';

/** No vowels and no look-alike digits, so that a suffix never spells a word. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const maxBaseLength = 63 - suffixLength;
const maxAnnotationBytes = 256 * 1024;

/** `base` plus five characters; `random(n)` gives an integer in [0, n). The base is cut so that the whole stays within 63 characters. */
export function generateName(base: string, random: (below: number) => number): string {
  let name = base.slice(0, maxBaseLength);
  for (let index = 0; index < suffixLength; index++) name += suffixAlphabet[random(suffixAlphabet.length)] ?? 'x';
  return name;
}

/** A rule over a name; for a generateName the trailing dash is masked first because more text will follow. */
export type NameRule = (name: string) => string[];

/** Create-time validation of `metadata`. */
export function validateObjectMeta(kind: Kind, object: KubeObject, nameRule: NameRule): FieldError[] {
  const meta: Partial<ObjectMeta> = object.metadata;
  const errors: FieldError[] = [];
  if (meta.generateName) {
    const masked = meta.generateName.length > 1 ? meta.generateName.replace(/-$/, 'a') : meta.generateName;
    for (const problem of nameRule(masked)) errors.push(invalid('metadata.generateName', meta.generateName, problem));
  }
  if (!meta.name) errors.push(required('metadata.name', 'name or generateName is required'));
  else for (const problem of nameRule(meta.name)) errors.push(invalid('metadata.name', meta.name, problem));
  errors.push(...validateNamespace(kind, meta.namespace));
  return [...errors, ...validateMutableMeta(meta)];
}

function validateNamespace(kind: Kind, namespace: string | undefined): FieldError[] {
  if (!kind.namespaced) return namespace ? [forbidden('metadata.namespace', 'not allowed on this type')] : [];
  if (!namespace) return [required('metadata.namespace')];
  return dns1123Label(namespace).map((problem) => invalid('metadata.namespace', namespace, problem));
}

/** Labels, annotations, owners and finalizers: checked on create and on every update. */
function validateMutableMeta(meta: Partial<ObjectMeta>): FieldError[] {
  return [
    ...validateLabels(meta.labels, 'metadata.labels'),
    ...validateAnnotations(meta.annotations, 'metadata.annotations'),
    ...validateOwnerReferences(meta.ownerReferences ?? []),
    ...validateFinalizers(meta.finalizers ?? []),
  ];
}

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...qualifiedName(key).map((problem) => invalid(path, key, problem)),
    ...labelValue(value).map((problem) => invalid(path, value, problem)),
  ]);
}

/** Keys are compared without case; all keys and values together may take 256 KiB. */
export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const problem of qualifiedName(key.toLowerCase())) errors.push(invalid(path, key, problem));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxAnnotationBytes) {
    errors.push({ type: 'TooLong', field: path, detail: `may not be more than ${maxAnnotationBytes} bytes` });
  }
  return errors;
}

function validateOwnerReferences(owners: readonly Meta.OwnerReference[]): FieldError[] {
  const errors: FieldError[] = [];
  let controller: Meta.OwnerReference | undefined;
  const nameOf = (owner: Meta.OwnerReference) =>
    `{${owner.apiVersion} ${owner.kind} ${owner.name} ${owner.uid} ${String(owner.controller ?? false)}}`;
  for (const [index, owner] of owners.entries()) {
    const path = `metadata.ownerReferences[${index}]`;
    // What was decoded may lack any of them, whatever the type says.
    const given: Partial<Meta.OwnerReference> = owner;
    if (!given.apiVersion) errors.push(invalid(`${path}.apiVersion`, '', 'version must not be empty'));
    for (const field of ['kind', 'name', 'uid'] as const) {
      if (!given[field]) errors.push(invalid(`${path}.${field}`, '', 'must not be empty'));
    }
    if (!owner.controller) continue;
    if (controller) {
      errors.push(
        invalid(
          'metadata.ownerReferences',
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${nameOf(controller)} and ${nameOf(owner)}`,
        ),
      );
    } else controller = owner;
  }
  return errors;
}

const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion'];

export function validateFinalizers(finalizers: readonly string[], path = 'metadata.finalizers'): FieldError[] {
  const errors = finalizers.flatMap((finalizer) => {
    const problems = qualifiedName(finalizer);
    if (problems.length === 0 && !finalizer.includes('/') && !standardFinalizers.includes(finalizer)) {
      problems.push('name is neither a standard finalizer name nor is it fully qualified');
    }
    return problems.map((problem) => invalid(path, finalizer, problem));
  });
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
  return errors;
}

const immutable = 'field is immutable';

/** What an update may not do to metadata. Call `carryOverMetadata` first: an absent value there means "keep". */
export function validateObjectMetaUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const [meta, before] = [object.metadata, old.metadata];
  const errors: FieldError[] = [];
  if (before.deletionTimestamp) {
    const added = (meta.finalizers ?? []).filter((finalizer) => !before.finalizers?.includes(finalizer));
    if (added.length > 0) {
      errors.push(
        forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((each) => JSON.stringify(each)).join(', ')}}`,
        ),
      );
    }
  }
  const frozen = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'];
  for (const field of frozen as (keyof ObjectMeta)[]) {
    if (meta[field] !== before[field]) errors.push(invalid(`metadata.${field}`, meta[field], immutable));
  }
  return [...errors, ...validateMutableMeta(meta)];
}

/** Puts the server's own metadata into an updated object where the client left it out. */
export function carryOverMetadata(object: KubeObject, old: KubeObject): void {
  const [meta, before] = [object.metadata, old.metadata];
  meta.uid ??= before.uid;
  meta.creationTimestamp ??= before.creationTimestamp;
  meta.generation = before.generation;
  // A deletion that has begun can be neither taken back nor moved by an update.
  meta.deletionTimestamp = before.deletionTimestamp ?? meta.deletionTimestamp;
  meta.deletionGracePeriodSeconds ??= before.deletionGracePeriodSeconds;
  for (const field of [
    'uid',
    'creationTimestamp',
    'generation',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const) {
    if (meta[field] === undefined) delete meta[field];
  }
}
