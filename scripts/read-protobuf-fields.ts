/**
 * Writes `src/api/protobuf/field-numbers.json`: which number each field has in the protobuf form of Kubernetes objects.
 * The numbers are facts that no npm package carries; every kubectl up to 1.33 does, as compressed descriptors in its binary.
 * Run by hand when kinds are added: `node scripts/read-protobuf-fields.ts /path/to/kubectl`. The result is committed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import type { FieldNumbers } from '../src/api/protobuf/decode.ts';
import { fieldsOf, textOf } from '../src/api/protobuf/wire.ts';
import { loadSchemas } from '../src/api/schema/load.ts';

/** No descriptor is larger than this once compressed. */
const window = 400_000;
const gzipStart = Buffer.from([0x1f, 0x8b, 0x08]);

interface Field {
  number: number;
  name: string;
  /** Definition name of a message, as schemas spell it. */
  message?: string;
}

/** `.k8s.io.api.core.v1.Pod` -> `io.k8s.api.core.v1.Pod`. */
const definitionName = (protoName: string): string => protoName.replace(/^\.?k8s\.io\./, 'io.k8s.');

function readDescriptors(binary: Buffer): Map<string, Field[]> {
  const messages = new Map<string, Field[]>();
  for (let at = binary.indexOf(gzipStart); at >= 0; at = binary.indexOf(gzipStart, at + 1)) {
    let file: Buffer;
    try {
      file = gunzipSync(binary.subarray(at, at + window), { finishFlush: constants.Z_SYNC_FLUSH });
    } catch {
      continue;
    }
    if (!file.subarray(0, 100).includes('k8s.io/') || !file.subarray(0, 100).includes('.proto')) continue;
    const descriptor = fieldsOf(file);
    const packageName = textOf(descriptor.get(2)?.[0]);
    for (const bytes of descriptor.get(4) ?? []) {
      const message = fieldsOf(bytes as Uint8Array);
      const fields = (message.get(2) ?? []).map((each): Field => {
        const field = fieldsOf(each as Uint8Array);
        const type = textOf(field.get(6)?.[0]);
        return {
          number: Number(field.get(3)?.[0]),
          name: textOf(field.get(1)?.[0]),
          ...(type && { message: definitionName(type) }),
        };
      });
      messages.set(definitionName(`${packageName}.${textOf(message.get(1)?.[0])}`), fields);
    }
  }
  return messages;
}

const [path] = process.argv.slice(2);
if (!path) throw new Error('usage: node scripts/read-protobuf-fields.ts /path/to/kubectl');
const messages = readDescriptors(readFileSync(path));
const { types } = loadSchemas();

/** Number -> field name, or the fields of a message that JSON writes inline: there they stand among those of the struct around it. */
function numbersOf(message: string, known: Readonly<Record<string, string>>): FieldNumbers {
  const fields = (messages.get(message) ?? []).sort((a, b) => a.number - b.number);
  return Object.fromEntries(
    fields.flatMap(({ number, name, message: type }): [string, string | FieldNumbers][] => {
      if (Object.hasOwn(known, name)) return [[String(number), name]];
      return type && messages.has(type) ? [[String(number), numbersOf(type, known)]] : [];
    }),
  );
}

const names = Object.keys(types).sort();
const result = Object.fromEntries(
  names.filter((name) => messages.has(name)).map((name) => [name, numbersOf(name, types[name]?.fields ?? {})]),
);
const output = join(import.meta.dirname, '../src/api/protobuf/field-numbers.json');
writeFileSync(output, `${JSON.stringify(result, undefined, 2)}\n`);
const missing = names.filter((name) => !result[name]);
console.log(`${Object.keys(result).length} messages; not in this kubectl: ${missing.join(', ') || 'none'}`);
