/**
 * Request bodies in `application/vnd.kubernetes.protobuf` (feature 8-017): `kubectl create` sends them since 1.32. They become the same
 * plain JSON that a JSON body would have been, and go on to `decodeObject`.
 */
import type { WireValue } from '../../lib/protobuf.ts';
import { badRequest } from '../api-error.ts';
import { parseJsonWithDuplicates, type ParsedBody } from '../json.ts';
import { definitionOf, structOf } from '../schema/load.ts';
import type { TypeText } from '../schema/types.ts';
import { messageFields, type MessageFields } from './field-numbers.ts';
import { fieldsOf, textOf, unpack } from './wire.ts';

/** Every body begins with it: `k8s` and a zero byte. */
const magic = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

/** @throws ApiError 400 when the bytes are no object in this form, or of a kind that is unknown. */
export function parseProtobuf(body: Uint8Array): ParsedBody {
  if (!magic.every((byte, index) => body[index] === byte)) {
    throw badRequest('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  try {
    // runtime.Unknown: typeMeta = 1, raw = 2.
    const envelope = fieldsOf(body.subarray(magic.length));
    const typeMeta = fieldsOf(bytesOf(envelope.get(1)?.[0]));
    const [apiVersion, kind] = [textOf(typeMeta.get(1)?.[0]), textOf(typeMeta.get(2)?.[0])];
    // Every group has the DeleteOptions of v1 as its own.
    const definition = definitionOf(kind === 'DeleteOptions' ? 'v1' : apiVersion, kind);
    if (!definition) {
      throw badRequest(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
    }
    const object = structFrom(bytesOf(envelope.get(2)?.[0]), definition);
    return { value: { ...object, apiVersion, kind }, duplicateFields: [] };
  } catch (error) {
    if (error instanceof RangeError) throw badRequest(`error decoding protobuf: ${error.message}`);
    throw error;
  }
}

const bytesOf = (value: WireValue | undefined): Uint8Array => (value instanceof Uint8Array ? value : new Uint8Array());

type Json = Record<string, unknown>;

function structFrom(bytes: Uint8Array, definition: string): Json {
  const result: Json = {};
  readInto(result, bytes, structOf(definition).fields, messageFields(definition));
  return result;
}

/** Numbers that are not known belong to fields newer or older than the schemas: nothing to be done with them. */
function readInto(
  result: Json,
  bytes: Uint8Array,
  types: Readonly<Record<string, TypeText>>,
  fields: MessageFields,
): void {
  for (const [number, values] of fieldsOf(bytes)) {
    const field = fields.get(number);
    if (field === undefined) continue;
    if (!('name' in field)) {
      for (const value of values) readInto(result, bytesOf(value), types, field);
      continue;
    }
    const type = types[field.name];
    const value = type === undefined ? undefined : fieldFrom(values, type);
    if (value !== undefined && (field.pointer || !isZero(value))) result[field.name] = value;
  }
}

/** Go sends a field that is no pointer even when it is unset. JSON leaves it out, or `decodeObject` puts it back where it is required. */
const isZero = (value: unknown): boolean => value === '' || value === 0 || value === false;

function fieldFrom(values: readonly WireValue[], type: TypeText): unknown {
  if (type.startsWith('[]')) {
    const item = type.slice(2);
    return values.flatMap((value) =>
      value instanceof Uint8Array && /^(int32|int64|boolean)$/.test(item)
        ? unpack(value).map((each) => valueFrom(each, item))
        : [valueFrom(value, item)],
    );
  }
  if (type.startsWith('{}')) {
    const item = type.slice(2);
    return Object.fromEntries(
      values.map((value) => {
        const entry = fieldsOf(bytesOf(value));
        return [textOf(entry.get(1)?.[0]), mapValueFrom(entry.get(2)?.[0] ?? new Uint8Array(), item)];
      }),
    );
  }
  // The last one counts, as everywhere in protobuf.
  const last = values.at(-1);
  return last === undefined ? undefined : valueFrom(last, type);
}

/** A list as the value of a map is a message of its own: items = 1. */
function mapValueFrom(value: WireValue, type: TypeText): unknown {
  return type.startsWith('[]') ? fieldFrom(fieldsOf(bytesOf(value)).get(1) ?? [], type) : valueFrom(value, type);
}

function valueFrom(value: WireValue, type: TypeText): unknown {
  if (type.startsWith('#')) return structFrom(bytesOf(value), type.slice(1));
  if (type.startsWith('?#')) return eitherFrom(bytesOf(value), type.slice(2));
  switch (type) {
    case 'string':
      return textOf(value);
    case 'boolean':
      return typeof value === 'bigint' && value !== 0n;
    case 'int32':
    case 'int64':
      return signed(value);
    case 'double':
      return typeof value === 'bigint' ? doubleFrom(value) : 0;
    case 'byte':
      return Buffer.from(bytesOf(value)).toString('base64');
    case 'quantity':
      return textOf(fieldsOf(bytesOf(value)).get(1)?.[0]) || '0';
    case 'intOrString': {
      // type = 1 (0 a number, 1 a text), intVal = 2, strVal = 3.
      const fields = fieldsOf(bytesOf(value));
      return fields.get(1)?.[0] === 1n ? textOf(fields.get(3)?.[0]) : signed(fields.get(2)?.[0]);
    }
    case 'time':
    case 'microtime':
      return timeFrom(bytesOf(value), type);
    default: {
      // FieldsV1 and RawExtension: raw JSON = 1.
      const raw = textOf(fieldsOf(bytesOf(value)).get(1)?.[0]);
      return raw === '' ? undefined : parseJsonWithDuplicates(raw).value;
    }
  }
}

/** A schema or a truth value (allows = 1, schema = 2), or a schema or a list of them (schema = 1, schemas = 2). */
function eitherFrom(bytes: Uint8Array, definition: string): unknown {
  const fields = fieldsOf(bytes);
  const first = fields.get(1)?.[0];
  const others = fields.get(2) ?? [];
  if (first instanceof Uint8Array) return structFrom(first, definition);
  if (first === undefined) return others.map((each) => structFrom(bytesOf(each), definition));
  return others[0] === undefined ? first !== 0n : structFrom(bytesOf(others[0]), definition);
}

const signed = (value: WireValue | undefined): number =>
  typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;

function doubleFrom(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

/** seconds = 1, nanos = 2; both zero is no time at all. */
function timeFrom(bytes: Uint8Array, type: 'time' | 'microtime'): string | undefined {
  const fields = fieldsOf(bytes);
  const [seconds, nanos] = [signed(fields.get(1)?.[0]), signed(fields.get(2)?.[0])];
  if (seconds === 0 && nanos === 0) return undefined;
  const milliseconds = seconds * 1000;
  if (Math.abs(milliseconds) > 8.64e15) throw new RangeError('a time is out of range');
  const text = new Date(milliseconds).toISOString().slice(0, 19);
  return type === 'time' ? `${text}Z` : `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}
