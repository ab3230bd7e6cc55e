/**
 * The version 2 document as protobuf, which kubectl before 1.27 asks for (feature 8-011). The message is openapi.v2.Document of
 * gnostic; only the fields our documents use are written, and all of those are strings, booleans and messages.
 */
import type { Json } from './schemas.ts';

const lengthDelimited = 2;

/** Collects chunks; a message's length is known before it is copied into its parent. */
class Message {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  string(field: number, value: unknown): this {
    return typeof value === 'string' && value !== '' ? this.#bytes(field, Buffer.from(value)) : this;
  }
  strings(field: number, values: unknown): this {
    if (Array.isArray(values)) for (const value of values) this.string(field, value);
    return this;
  }
  bool(field: number, value: unknown): this {
    if (value === true) {
      this.#varint(field << 3);
      this.#varint(1);
    }
    return this;
  }
  message(field: number, message: Message | undefined): this {
    return message ? this.#bytes(field, message.finish()) : this;
  }
  messages<T>(field: number, items: readonly T[], encode: (item: T) => Message): this {
    for (const item of items) this.message(field, encode(item));
    return this;
  }
  finish(): Uint8Array {
    return Buffer.concat(this.#chunks, this.#length);
  }
  #bytes(field: number, bytes: Uint8Array): this {
    this.#varint((field << 3) | lengthDelimited);
    this.#varint(bytes.length);
    this.#push(bytes);
    return this;
  }
  #varint(value: number): void {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
    bytes.push(rest);
    this.#push(Uint8Array.from(bytes));
  }
  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }
}

const entries = (value: unknown): [string, Json][] => Object.entries((value ?? {}) as Record<string, Json>);
const extensions = (value: Json): [string, Json][] => entries(value).filter(([key]) => key.startsWith('x-'));
const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const when = (value: unknown, encode: (value: Json) => Message): Message | undefined =>
  value === undefined ? undefined : encode(value as Json);

const pair =
  (encode: (value: Json) => Message) =>
  ([name, value]: [string, Json]): Message =>
    new Message().string(1, name).message(2, encode(value));

/** An Any carries YAML, and JSON is YAML. */
const any = (value: unknown): Message => new Message().string(2, JSON.stringify(value));

/** @param document as `openApiV2()` makes it */
export function encodeDocument(document: Json): Uint8Array {
  const info = document['info'] as Json;
  return new Message()
    .string(1, document['swagger'])
    .message(2, new Message().string(1, info['title']).string(2, info['version']))
    .message(8, new Message().messages(2, entries(document['paths']), pair(pathItem)))
    .message(9, new Message().messages(1, entries(document['definitions']), pair(schema)))
    .finish();
}

function schema(value: Json): Message {
  return new Message()
    .string(1, value['$ref'])
    .string(2, value['format'])
    .string(4, value['description'])
    .strings(19, value['required'])
    .message(
      21,
      when(value['additionalProperties'], (each) => new Message().message(1, schema(each))),
    )
    .message(22, value['type'] === undefined ? undefined : new Message().string(1, value['type']))
    .message(
      23,
      when(value['items'], (each) => new Message().message(1, schema(each))),
    )
    .message(
      25,
      when(value['properties'], (each) => new Message().messages(1, entries(each), pair(schema))),
    )
    .messages(31, extensions(value), pair(any));
}

function pathItem(value: Json): Message {
  return new Message()
    .message(2, when(value['get'], operation))
    .message(3, when(value['put'], operation))
    .message(4, when(value['post'], operation))
    .message(5, when(value['delete'], operation))
    .message(8, when(value['patch'], operation));
}

function operation(value: Json): Message {
  return new Message()
    .strings(1, value['tags'])
    .string(3, value['description'])
    .string(5, value['operationId'])
    .strings(6, value['produces'])
    .strings(7, value['consumes'])
    .messages(8, list(value['parameters']), (each) => new Message().message(1, parameter(each)))
    .message(9, new Message().messages(1, entries(value['responses']), pair(response)))
    .strings(10, value['schemes'])
    .messages(13, extensions(value), pair(any));
}

function parameter(value: Json): Message {
  if (value['in'] === 'body') {
    const body = new Message()
      .string(2, value['name'])
      .string(3, value['in'])
      .bool(4, value['required'])
      .message(5, when(value['schema'], schema));
    return new Message().message(1, body);
  }
  // Query and path parameters differ in one field number: that of the type.
  const inQuery = value['in'] === 'query';
  const described = new Message()
    .bool(1, value['required'])
    .string(2, value['in'])
    .string(3, value['description'])
    .string(4, value['name'])
    .string(inQuery ? 6 : 5, value['type'])
    .bool(inQuery ? 20 : 19, value['uniqueItems']);
  return new Message().message(2, new Message().message(inQuery ? 3 : 4, described));
}

function response(value: Json): Message {
  const body = when(value['schema'], (each) => new Message().message(1, schema(each)));
  return new Message().message(1, new Message().string(1, value['description']).message(2, body));
}
