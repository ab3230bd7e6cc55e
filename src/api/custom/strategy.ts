/** How objects of a kind defined by a CustomResourceDefinition are written: everything follows from the definition's version. */
import { semanticEqual } from '../deep-equal.ts';
import { invalid, required, type FieldError } from '../field-error.ts';
import type { Kind } from '../kinds.ts';
import { carryOverMetadata, validateObjectMeta, validateObjectMetaUpdate } from '../meta.ts';
import { dns1035Label, dns1123Subdomain } from '../names.ts';
import type { Strategy } from '../strategy.ts';
import type { KubeObject } from '../types.ts';
import { applyDefaults } from './defaults.ts';
import type { DefinitionVersion } from './definition.ts';
import { fieldsOf, valueAt } from './json-path.ts';
import { isRecord, itemOf, propertyOf, under, type JsonSchema } from './schema.ts';
import { hasRules, validateRules } from './rules.ts';
import { validateValue } from './validate-value.ts';

type Body = Record<string, unknown>;

const bodyOf = (object: KubeObject): Body => object as unknown as Body;

/** Everything but metadata; without status too where `/status` keeps it apart. */
function contentOf(object: KubeObject, withStatus: boolean): Body {
  const { metadata: _metadata, kind: _kind, apiVersion: _apiVersion, status, ...rest } = bodyOf(object);
  return withStatus ? { ...rest, status } : rest;
}

export function customResourceStrategy(kind: Kind, version: DefinitionVersion, schema: JsonSchema): Strategy {
  const hasStatus = version.subresources?.status !== undefined;
  const scale = version.subresources?.scale;
  const selectable = (version.selectableFields ?? []).map(({ jsonPath }) => ({
    name: jsonPath.replace(/^\./, ''),
    fields: fieldsOf(jsonPath) ?? [],
  }));
  const validateContent = (object: KubeObject, old?: KubeObject): FieldError[] => {
    const { metadata: _metadata, ...rest } = bodyOf(object);
    const errors = [
      ...validateValue(withName(object, schema), schema, '', old && { value: withName(old, schema) }),
      ...validateEmbedded(rest, schema, '', false),
      ...(scale ? validateReplicas(object, scale.specReplicasPath, scale.statusReplicasPath) : []),
    ];
    return [...errors, ...validateByRules(object, old, schema, errors)];
  };
  const putBack = (object: KubeObject, old: KubeObject, field: string): void => {
    const body = bodyOf(object);
    const before = bodyOf(old)[field];
    if (before === undefined) Reflect.deleteProperty(body, field);
    else body[field] = structuredClone(before);
  };

  return {
    applyDefaults: (object) => {
      applyDefaults(object, schema);
    },
    prepareForCreate(object) {
      if (hasStatus) delete bodyOf(object)['status'];
      object.metadata.generation = 1;
    },
    prepareForUpdate(object, old) {
      carryOverMetadata(object, old);
      if (hasStatus) putBack(object, old, 'status');
      if (!semanticEqual(contentOf(object, !hasStatus), contentOf(old, !hasStatus))) {
        object.metadata.generation = (old.metadata.generation ?? 0) + 1;
      }
    },
    prepareForStatusUpdate(object, old) {
      // The status alone comes in here; not even labels do. Only who manages which field may change with it.
      const { resourceVersion, managedFields } = object.metadata;
      object.metadata = structuredClone(old.metadata);
      if (resourceVersion !== undefined) object.metadata.resourceVersion = resourceVersion;
      if (managedFields) object.metadata.managedFields = managedFields;
      for (const field of new Set([...Object.keys(object), ...Object.keys(old)])) {
        if (!['status', 'metadata', 'apiVersion', 'kind'].includes(field)) putBack(object, old, field);
      }
    },
    validate: (object) => [...validateObjectMeta(kind, object, dns1123Subdomain), ...validateContent(object)],
    validateUpdate: (object, old) => [...validateObjectMetaUpdate(object, old), ...validateContent(object, old)],
    validateStatusUpdate: (object, old) => [...validateObjectMetaUpdate(object, old), ...validateContent(object, old)],
    warnings: () => [],
    selectableFields(object) {
      const { name, namespace } = object.metadata;
      const values = selectable.map(({ name: field, fields }): [string, string] => [
        field,
        text(valueAt(object, fields)),
      ]);
      return { 'metadata.name': name, 'metadata.namespace': namespace ?? '', ...Object.fromEntries(values) };
    },
    allowCreateOnUpdate: false,
    deletionGracePeriod: () => undefined,
  };
}

const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';

/** A schema and its rules may say something about the name; the rest of metadata is checked by type already. */
function withName(object: KubeObject, schema: JsonSchema): Body {
  const { metadata, ...rest } = bodyOf(object) as Body & KubeObject;
  const mentioned = schema.properties?.['metadata'] !== undefined || schema.required?.includes('metadata') === true;
  return mentioned ? { ...rest, metadata: namesOf(metadata) } : rest;
}

const namesOf = ({ name, generateName }: KubeObject['metadata']): object => ({
  name,
  ...(generateName !== undefined && { generateName }),
});

/** Rules may take for granted that the value fits the schema, so they are not asked about one that does not. */
function validateByRules(
  object: KubeObject,
  old: KubeObject | undefined,
  schema: JsonSchema,
  errors: readonly FieldError[],
): FieldError[] {
  if (!hasRules(schema)) return [];
  if (errors.some(({ type }) => blocking.includes(type))) {
    const why =
      'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
    return [invalid('<nil>', null, why)];
  }
  const whole = (each: KubeObject): Body => ({ ...bodyOf(each), metadata: namesOf(each.metadata) });
  return validateRules(whole(object), schema, old && { value: whole(old) });
}

const blocking: readonly string[] = ['NotSupported', 'Required', 'TooLong', 'TooMany', 'TypeInvalid'];

function validateReplicas(object: KubeObject, specPath: string, statusPath: string): FieldError[] {
  return [specPath, statusPath].flatMap((path) => {
    const value = valueAt(object, fieldsOf(path) ?? []);
    if (value === undefined || value === null) return [];
    const bad = typeof value === 'number' && (value < 0 || value > 2 ** 31 - 1);
    const why =
      (value as number) < 0 ? 'should be a non-negative integer' : `should be less than or equal to ${2 ** 31 - 1}`;
    return bad ? [invalid(path, value, why)] : [];
  });
}

/** An embedded resource has an apiVersion and a kind of its own. */
function validateEmbedded(value: unknown, schema: JsonSchema, path: string, isEmbedded: boolean): FieldError[] {
  if (Array.isArray(value)) {
    const item = itemOf(schema);
    const embedded = item?.['x-kubernetes-embedded-resource'] === true;
    return item
      ? value.flatMap((each, index) => validateEmbedded(each, item, `${path}[${String(index)}]`, embedded))
      : [];
  }
  if (!isRecord(value)) return [];
  const errors = isEmbedded ? validateTypeMeta(value, path) : [];
  for (const [key, field] of Object.entries(value)) {
    const inner = propertyOf(schema, key);
    if (!inner) continue;
    errors.push(...validateEmbedded(field, inner, under(path, key), inner['x-kubernetes-embedded-resource'] === true));
  }
  return errors;
}

function validateTypeMeta(value: Body, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { apiVersion, kind } = value;
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    errors.push(required(under(path, 'apiVersion'), 'must not be empty'));
  }
  if (typeof kind !== 'string' || kind === '') errors.push(required(under(path, 'kind'), 'must not be empty'));
  else {
    const detail = (problem: string) => `may have mixed case, but should otherwise match: ${problem}`;
    for (const problem of dns1035Label(kind.toLowerCase())) {
      errors.push(invalid(under(path, 'kind'), kind, detail(problem)));
    }
  }
  return errors;
}
