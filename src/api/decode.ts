/**
 * From parsed JSON to a checked object, as strictly and as leniently as the real server: wrong types are refused, unknown fields are
 * dropped and named, null counts as absent (features 8-015, 8-090).
 */
import { ApiError, badRequest } from './api-error.ts';
import { MAX_NAMED } from './json.ts';
import { apiVersionOf, type Kind } from './kinds.ts';
import { canonicalQuantity } from './quantity.ts';
import { definitionOf, structOf } from './schema/load.ts';
import type { TypeText } from './schema/types.ts';
import type { KubeObject } from './types.ts';

export interface Decoded<T = KubeObject> {
  /** A new value: nothing of the input is shared. */
  object: T;
  /** `unknown field "spec.foo"`, in the order met. */
  unknownFields: string[];
  /** As found in the text by `parseJsonWithDuplicates`, passed through. */
  duplicateFields: string[];
}

/** A served kind, or any other the schemas know: `{ group: '', version: 'v1', kind: 'DeleteOptions' }`. */
export type KindName = Pick<Kind, 'group' | 'version' | 'kind'>;

/**
 * @param duplicateFields what the text parser found, handed on to the caller of this function.
 * @throws ApiError 400 for a value of the wrong type, another kind or another version.
 */
export function decodeObject<T extends KubeObject = KubeObject>(
  kind: Kind<T> | KindName,
  raw: unknown,
  duplicateFields: readonly string[] = [],
): Decoded<T> {
  const { custom } = kind as Kind;
  if (custom) return custom.decode(raw, duplicateFields) as Decoded<T>;
  const apiVersion = apiVersionOf(kind as Kind);
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw badRequest(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${goName(raw)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  }
  checkKind(kind, apiVersion, raw as { apiVersion?: unknown; kind?: unknown });
  const definition = definitionOf(apiVersion, kind.kind);
  if (!definition)
    throw badRequest(`no kind ${JSON.stringify(kind.kind)} is registered for version ${JSON.stringify(apiVersion)}`);
  const decoder = new Decoder();
  const named = { kind: kind.kind, apiVersion };
  try {
    const fields = decoder.struct(raw, definition, '', '');
    // An object without metadata decodes to one with empty metadata, as a Go struct does.
    const object = { ...named, metadata: {}, ...fields, ...named } as unknown as T;
    return { object, unknownFields: decoder.unknownFields, duplicateFields: [...duplicateFields] };
  } catch (error) {
    if (!(error instanceof TypeMismatch)) throw error;
    throw badRequest(
      `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: ${error.message}`,
    );
  }
}

/** Throws ApiError 400 where the object says that it is something else. */
export function checkKind(expected: KindName, apiVersion: string, raw: { apiVersion?: unknown; kind?: unknown }): void {
  const given = { apiVersion: raw.apiVersion || apiVersion, kind: raw.kind || expected.kind };
  if (given.apiVersion === apiVersion && given.kind === expected.kind) return;
  if (given.kind === expected.kind && typeof given.apiVersion === 'string') {
    throw badRequest(
      `the API version in the data (${given.apiVersion}) does not match the expected API version (${apiVersion})`,
    );
  }
  throw new ApiError({
    code: 400,
    reason: 'BadRequest',
    message: `the object provided is unrecognized (must be of type ${expected.kind}): couldn't get version/kind; got ${describe(given.kind)} of ${describe(given.apiVersion)}`,
  });
}

/** The metadata of an object whose other fields no type describes. Throws ApiError 400 for a value of the wrong type. */
export function decodeMetadata(
  kind: KindName,
  raw: unknown,
  path: string,
): { metadata: KubeObject['metadata']; unknownFields: string[] } {
  const decoder = new Decoder();
  try {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      throw new TypeMismatch(
        `json: cannot unmarshal ${goName(raw)} into Go struct field .${path} of type v1.ObjectMeta`,
      );
    }
    const metadata = decoder.struct(raw, OBJECT_META, path, path);
    return { metadata: metadata as unknown as KubeObject['metadata'], unknownFields: decoder.unknownFields };
  } catch (error) {
    if (!(error instanceof TypeMismatch)) throw error;
    throw badRequest(
      `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: ${error.message}`,
    );
  }
}

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

const describe = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : goName(value));

/** A value of the wrong type; its message is the one of Go's JSON decoder. */
class TypeMismatch extends Error {}

/** A JSON type as Go's decoder calls it. */
export function goName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
}

const maxInt: Record<string, bigint> = { int32: 2n ** 31n, int64: 2n ** 63n };

class Decoder {
  readonly unknownFields: string[] = [];

  /**
   * @param path where the value is, with list indices, for the names of unknown fields
   * @param goPath `ServicePort.spec.ports` : the innermost struct and the field names, as Go's decoder reports them
   */
  struct(raw: object, definition: string, path: string, fieldPath: string): Record<string, unknown> {
    const { fields, required } = structOf(definition);
    const result: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(raw)) {
      const type = Object.hasOwn(fields, key) ? fields[key] : undefined;
      const at = path === '' ? key : `${path}.${key}`;
      if (type === undefined) {
        if (this.unknownFields.length < MAX_NAMED) this.unknownFields.push(`unknown field ${JSON.stringify(at)}`);
        continue;
      }
      // Go leaves the field at its zero value for null, and zero values are not written back.
      if (value === null || value === undefined) continue;
      const inner = fieldPath === '' ? key : `${fieldPath}.${key}`;
      const decoded = this.#value(value, type, { path: at, fieldPath: inner, definition });
      if (decoded !== undefined) result[key] = decoded;
    }
    // What is always written has a value: an absent name is '' and an absent port 0, so that the rules find what the types promise.
    for (const field of required) {
      if (result[field] === undefined) fillRequired(result, field, fields[field] ?? '');
    }
    return result;
  }

  #value(value: unknown, type: TypeText, at: Place): unknown {
    if (type.startsWith('[]')) {
      if (!Array.isArray(value)) throw mismatch(value, type, at);
      const item = type.slice(2);
      return value.map((each, index) => {
        const place = { ...at, path: `${at.path}[${index}]` };
        return each === null ? zeroOf(item) : this.#value(each, item, place);
      });
    }
    if (type.startsWith('{}')) return this.#map(value, type, at);
    // A struct or something else, and then it is for the rules to judge.
    if (type.startsWith('?#')) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return structuredClone(value);
      return this.struct(value, type.slice(2), at.path, at.fieldPath);
    }
    if (type.startsWith('#')) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(value, type, at);
      return this.struct(value, type.slice(1), at.path, at.fieldPath);
    }
    return scalar(value, type, at);
  }

  #map(value: unknown, type: TypeText, at: Place): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(value, type, at);
    const item = type.slice(2);
    const entries = Object.entries(value).map(([key, each]): [string, unknown] => [
      key,
      each === null ? zeroOf(item) : this.#value(each, item, { ...at, path: `${at.path}.${key}` }),
    ]);
    // fromEntries defines own properties, so a key such as __proto__ stays data.
    return Object.fromEntries(entries);
  }
}

interface Place {
  readonly path: string;
  readonly fieldPath: string;
  /** The struct the field belongs to. */
  readonly definition: string;
}

function scalar(value: unknown, type: TypeText, at: Place): unknown {
  switch (type) {
    case 'string':
    case 'boolean':
      if (typeof value !== type) throw mismatch(value, type, at);
      return value;
    case 'int32':
    case 'int64':
      return integer(value, type, at);
    case 'double':
      if (typeof value !== 'number') throw mismatch(value, type, at);
      return value;
    case 'byte':
      return base64(value, at);
    case 'intOrString':
      if (typeof value === 'string') return value;
      if (typeof value !== 'number')
        throw new TypeMismatch(`json: cannot unmarshal ${goName(value)} into Go value of type int32`);
      return integer(value, 'int32', at);
    case 'quantity':
      return quantity(value);
    case 'time':
    case 'microtime':
      return time(value, type);
    default:
      return cloneJson(value);
  }
}

/** Far quicker than structuredClone, which managedFields would go through on every write. */
function cloneJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloneJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, cloneJson(each)]));
}

function integer(value: unknown, type: string, at: Place): number {
  const limit = maxInt[type] ?? 2n ** 63n;
  if (typeof value !== 'number') throw mismatch(value, type, at);
  if (!Number.isInteger(value) || BigInt(value) >= limit || BigInt(value) < -limit) {
    throw mismatchText(`number ${String(value)}`, type, at);
  }
  return value;
}

function base64(value: unknown, at: Place): string {
  if (typeof value !== 'string') throw mismatch(value, 'byte', at);
  const compact = value.replace(/[\r\n]/g, '');
  const bad = /[^A-Za-z0-9+/=]/.exec(compact)?.index ?? (compact.length % 4 === 0 ? -1 : compact.length);
  if (bad >= 0) throw new TypeMismatch(`illegal base64 data at input byte ${bad}`);
  return compact;
}

function quantity(value: unknown): string {
  const canonical =
    typeof value === 'string' || typeof value === 'number' ? canonicalQuantity(String(value)) : undefined;
  if (canonical !== undefined) return canonical;
  throw new TypeMismatch("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Times are kept in UTC, to the second or the microsecond, as the server writes them. An empty text counts as absent. */
function time(value: unknown, type: 'time' | 'microtime'): string | undefined {
  if (typeof value !== 'string')
    throw new TypeMismatch(`json: cannot unmarshal ${goName(value)} into Go value of type string`);
  if (value === '') return undefined;
  const layout = type === 'time' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00';
  const milliseconds = rfc3339.test(value) ? Date.parse(value) : NaN;
  if (Number.isNaN(milliseconds)) {
    throw new TypeMismatch(
      `parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  }
  const seconds = new Date(milliseconds).toISOString().slice(0, 19);
  if (type === 'time') return `${seconds}Z`;
  const fraction = /\.(\d+)/.exec(value)?.[1] ?? '';
  return `${seconds}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
}

function mismatch(value: unknown, type: TypeText, at: Place): TypeMismatch {
  return mismatchText(goName(value), type, at);
}

function mismatchText(found: string, type: TypeText, at: Place): TypeMismatch {
  const struct = at.definition.slice(at.definition.lastIndexOf('.') + 1);
  return new TypeMismatch(
    `json: cannot unmarshal ${found} into Go struct field ${struct}.${at.fieldPath} of type ${goType(type)}`,
  );
}

/** The Go type a field has, as far as its JSON type tells. */
function goType(type: TypeText): string {
  if (type.startsWith('[]')) return `[]${goType(type.slice(2))}`;
  if (type.startsWith('{}')) return `map[string]${goType(type.slice(2))}`;
  if (type.startsWith('#')) {
    const [version, name] = type.split('.').slice(-2);
    return `${version ?? ''}.${name ?? ''}`;
  }
  const names: Record<string, string> = { boolean: 'bool', double: 'float64', byte: '[]uint8' };
  return names[type] ?? type;
}

/** Structs stay absent: whether they are pointers, and so may be missing, only the rules know. */
function fillRequired(result: Record<string, unknown>, field: string, type: TypeText): void {
  if (['string', 'boolean', 'int32', 'int64', 'intOrString'].includes(type) || type.startsWith('[]')) {
    result[field] = type === 'intOrString' ? 0 : zeroOf(type);
  }
}

function zeroOf(type: TypeText): unknown {
  if (type === 'json') return null;
  if (type.startsWith('#') || type.startsWith('{}')) return {};
  if (type.startsWith('[]')) return [];
  if (type.startsWith('int') && type !== 'intOrString') return 0;
  return type === 'boolean' ? false : '';
}
