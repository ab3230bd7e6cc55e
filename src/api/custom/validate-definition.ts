/** Whether a CustomResourceDefinition makes sense: names, versions, columns, subresources and what its schemas say. */
import { semanticEqual } from '../deep-equal.ts';
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { dns1035Label, dns1123Subdomain } from '../names.ts';
import { unchanged } from '../validation/check.ts';
import {
  isTrue,
  type CustomResourceDefinition,
  type DefinitionNames,
  type DefinitionVersion,
  type PrinterColumn,
  type ScalePaths,
} from './definition.ts';
import { fieldsOf, parseJsonPath } from './json-path.ts';
import { APPROVED, isProtectedGroup } from './names.ts';
import type { JsonSchema } from './schema.ts';
import { validateSchema } from './schema-rules.ts';

export function validateDefinition(definition: CustomResourceDefinition): FieldError[] {
  const { spec, metadata } = definition;
  const errors: FieldError[] = [];
  if (metadata.name !== `${spec.names.plural}.${spec.group}`) {
    errors.push(invalid('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  if (isProtectedGroup(spec.group) && !metadata.annotations?.[APPROVED]) {
    const why = `protected groups must have approval annotation ${JSON.stringify(APPROVED)}, see https://github.com/kubernetes/enhancements/pull/1111`;
    errors.push(required(`metadata.annotations[${APPROVED}]`, why));
  }
  return [...errors, ...validateSpec(definition)];
}

export function validateDefinitionUpdate(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition,
): FieldError[] {
  const [now, before] = [definition.spec, old.spec];
  const errors = validateSpec(definition);
  if (isTrue(old, 'Established')) {
    errors.push(
      ...unchanged('spec.scope', now.scope, before.scope),
      ...unchanged('spec.names.kind', now.names.kind, before.names.kind),
    );
  }
  return [
    ...errors,
    ...unchanged('spec.group', now.group, before.group),
    ...unchanged('spec.names.plural', now.names.plural, before.names.plural),
    ...validateStoredVersions(definition),
  ];
}

/** A version in which objects may still be stored cannot go. */
export function validateStoredVersions({ spec, status }: CustomResourceDefinition): FieldError[] {
  const at = 'status.storedVersions';
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) return [invalid(at, stored, 'must have at least one stored version')];
  const storage = spec.versions.find((version) => version.storage);
  const missing =
    storage && !stored.includes(storage.name)
      ? [invalid(at, stored, `must have the storage version ${storage.name}`)]
      : [];
  const gone = stored.flatMap((name, index) => {
    if (spec.versions.some((version) => version.name === name)) return [];
    const why = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    return [invalid(`${at}[${String(index)}]`, name, why)];
  });
  return [...missing, ...gone];
}

function validateSpec({ spec }: CustomResourceDefinition): FieldError[] {
  const { group, scope, versions, names, preserveUnknownFields } = spec;
  const errors: FieldError[] = [];
  const groupProblems = dns1123Subdomain(group);
  if (group === '') errors.push(required('spec.group'));
  else if (groupProblems.length > 0) errors.push(invalid('spec.group', group, groupProblems.join(',')));
  else if (!group.includes('.')) {
    errors.push(invalid('spec.group', group, 'should be a domain with at least one dot'));
  }
  if (scope === '') errors.push(required('spec.scope'));
  else if (!scopes.includes(scope)) errors.push(notSupported('spec.scope', scope, scopes));
  if (preserveUnknownFields) {
    const why = 'must be false in order to use defaults in the schema';
    errors.push(invalid('spec.preserveUnknownFields', true, why));
  }
  return [...errors, ...validateVersions(versions), ...validateNames(names), ...validateConversion(spec)];
}

const scopes = ['Cluster', 'Namespaced'];

function validateVersions(versions: readonly DefinitionVersion[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, version] of versions.entries()) {
    const at = `spec.versions[${String(index)}]`;
    const problems = dns1035Label(version.name);
    if (problems.length > 0) errors.push(invalid(`${at}.name`, version.name, problems.join(',')));
    if (!version.schema?.openAPIV3Schema) errors.push(required(`${at}.schema.openAPIV3Schema`, 'schemas are required'));
    errors.push(...validateDeprecation(version, at));
  }
  for (const part of parts) errors.push(...part(versions));
  if (new Set(versions.map(({ name }) => name)).size < versions.length) {
    errors.push(invalid('spec.versions', versions, 'must contain unique version names'));
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    const why = 'must have exactly one version marked as storage version';
    errors.push(invalid('spec.versions', versions, why));
  }
  return errors;
}

/**
 * One check over all versions. Where all have the same, it is told of once and as of the whole definition, because that is how
 * Kubernetes keeps it inside.
 */
function eachVersion<T>(
  read: (version: DefinitionVersion) => T | undefined,
  whole: string,
  own: string,
  check: (value: T, version: DefinitionVersion, path: string) => FieldError[],
): (versions: readonly DefinitionVersion[]) => FieldError[] {
  return (versions) => {
    const [first] = versions;
    const same = first !== undefined && versions.every((version) => semanticEqual(read(version), read(first)));
    return versions.flatMap((version, index) => {
      const value = read(version);
      if (value === undefined || (same && index > 0)) return [];
      return check(value, version, same ? `spec.${whole}` : `spec.versions[${String(index)}].${own}`);
    });
  };
}

const parts = [
  eachVersion(
    ({ schema }) => schema?.openAPIV3Schema,
    'validation.openAPIV3Schema',
    'schema.openAPIV3Schema',
    (schema, { subresources }, path) => validateSchema(schema, subresources?.status !== undefined, path),
  ),
  eachVersion(
    ({ subresources }) => subresources?.scale,
    'subresources.scale',
    'subresources.scale',
    (scale, _version, path) => validateScale(scale, path),
  ),
  eachVersion(
    ({ additionalPrinterColumns }) => additionalPrinterColumns,
    'additionalPrinterColumns',
    'additionalPrinterColumns',
    (columns, _version, path) => columns.flatMap((column, at) => validateColumn(column, `${path}[${String(at)}]`)),
  ),
  eachVersion(
    ({ selectableFields }) => selectableFields,
    'selectableFields',
    'selectableFields',
    (fields, { schema }, path) => validateSelectableFields(fields, schema?.openAPIV3Schema, path),
  ),
];

function validateDeprecation({ deprecated, deprecationWarning: text }: DefinitionVersion, at: string): FieldError[] {
  const path = `${at}.deprecationWarning`;
  if (text === undefined) return [];
  if (!deprecated) return [invalid(path, text, 'can only be set for deprecated versions')];
  if (text === '') return [invalid(path, text, 'must not be an empty string')];
  const errors = text.length > 256 ? [invalid(path, text, 'must be <= 256 characters long')] : [];
  const bad = /[\p{C}]/u.exec(text);
  if (bad) {
    const why = `must only contain printable UTF-8 characters; non-printable character found at index ${String(bad.index)}`;
    errors.push(invalid(path, text, why));
  }
  return errors;
}

function validateNames(names: DefinitionNames): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if (!names[field]) errors.push(required(`spec.names.${field}`));
  }
  const label = (path: string, text: string | undefined, prefix = ''): void => {
    const problems = text ? dns1035Label(prefix ? text.toLowerCase() : text) : [];
    if (problems.length > 0) errors.push(invalid(path, text, `${prefix}${problems.join(',')}`));
  };
  const mixed = 'may have mixed case, but should otherwise match: ';
  label('spec.names.plural', names.plural);
  label('spec.names.singular', names.singular);
  label('spec.names.kind', names.kind, mixed);
  label('spec.names.listKind', names.listKind, mixed);
  for (const field of ['shortNames', 'categories'] as const) {
    for (const [index, text] of (names[field] ?? []).entries()) label(`spec.names.${field}[${String(index)}]`, text);
  }
  if (names.kind && names.kind === names.listKind) {
    errors.push(invalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same'));
  }
  return errors;
}

function validateConversion({ conversion }: CustomResourceDefinition['spec']): FieldError[] {
  if (!conversion) return [];
  const { strategy, webhook } = conversion;
  if (!strategy) return [required('spec.conversion.strategy')];
  if (!['None', 'Webhook'].includes(strategy)) {
    return [notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook'])];
  }
  // Better refused than stored and not done: an object would be served in a version that it has never been in.
  if (strategy === 'Webhook') return [forbidden('spec.conversion.strategy', 'conversion webhooks are not called here')];
  return webhook
    ? [forbidden('spec.conversion.webhookClientConfig', 'should not be set when strategy is not set to Webhook')]
    : [];
}

function validateScale(scale: ScalePaths, path: string): FieldError[] {
  const check = (name: keyof ScalePaths, roots: readonly string[], where: string): FieldError[] => {
    const at = `${path}.${name}`;
    const text = scale[name] ?? '';
    if (text === '') return name === 'labelSelectorPath' ? [] : [required(at)];
    if (!text.startsWith('.')) return [invalid(at, text, 'must be a simple json path starting with .')];
    if (!fieldsOf(text)) return [invalid(at, text, 'must be a json path in the dot notation')];
    return roots.some((root) => text.startsWith(root))
      ? []
      : [invalid(at, text, `should be a json path under ${where}`)];
  };
  return [
    ...check('specReplicasPath', ['.spec.'], '.spec'),
    ...check('statusReplicasPath', ['.status.'], '.status'),
    ...check('labelSelectorPath', ['.spec.', '.status.'], 'either .spec or .status'),
  ];
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

function validateColumn({ name, type, format, jsonPath }: PrinterColumn, path: string): FieldError[] {
  const errors: FieldError[] = name ? [] : [required(`${path}.name`)];
  const one = `must be one of ${columnTypes.join(',')}`;
  if (!type) errors.push(required(`${path}.type`, one));
  else if (!columnTypes.includes(type)) errors.push(invalid(`${path}.type`, type, one));
  if (format && !columnFormats.includes(format)) {
    errors.push(invalid(`${path}.format`, format, `must be one of ${columnFormats.join(',')}`));
  }
  const at = `${path}.JSONPath`;
  if (!jsonPath) errors.push(required(at));
  else if (!jsonPath.startsWith('.')) {
    errors.push(invalid(at, jsonPath, 'must be a simple json path starting with .'));
  } else if (!parseJsonPath(jsonPath)) {
    errors.push(invalid(at, jsonPath, 'must be a json path in the dot notation'));
  }
  return errors;
}

const MOST_FIELDS = 8;

function validateSelectableFields(
  fields: readonly { jsonPath: string }[],
  schema: JsonSchema | undefined,
  path: string,
): FieldError[] {
  const seen = new Set<string>();
  const errors = fields.flatMap(({ jsonPath }, index) => {
    const at = `${path}[${String(index)}].jsonPath`;
    if (!jsonPath) return [required(at)];
    const names = fieldsOf(jsonPath);
    const target = names && schema && schemaAt(schema, names);
    if (!names || !target) return [invalid(at, jsonPath, 'is an invalid path: does not refer to a valid field')];
    if (names[0] === 'metadata') return [invalid(at, jsonPath, 'must not point to fields in metadata')];
    if (seen.has(names.join('.'))) return [duplicate(at, jsonPath)];
    seen.add(names.join('.'));
    const why =
      'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
    return ['string', 'boolean', 'integer'].includes(target.type ?? '') ? [] : [invalid(at, jsonPath, why)];
  });
  if (seen.size > MOST_FIELDS) {
    errors.push({
      type: 'TooMany',
      field: path,
      value: seen.size,
      detail: `must have at most ${String(MOST_FIELDS)} items`,
    });
  }
  return errors;
}

function schemaAt(schema: JsonSchema, names: readonly string[]): JsonSchema | undefined {
  let found: JsonSchema | undefined = schema;
  for (const name of names) {
    const inner: Record<string, JsonSchema> = found?.properties ?? {};
    found = Object.hasOwn(inner, name) ? inner[name] : undefined;
  }
  return found;
}
