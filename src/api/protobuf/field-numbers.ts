/**
 * Which field has which number in the protobuf form of Kubernetes objects. A number never changes once it is given, so this is a plain
 * table: one line per message, `number name`, in the names of JSON. `name?` is a pointer in Go: what is sent for it was set, even when it
 * is zero, false or ''. `2 (…)` is a message whose fields JSON writes among those around it, as `volumes[].secret`.
 *
 * For a new field or kind, take the number from the `generated.proto` of its group and version; a test names what is missing.
 */
import { coreNumbers } from './core-numbers.ts';
import { extensionNumbers, extensionV1beta1Numbers } from './extension-numbers.ts';
import { groupNumbers } from './group-numbers.ts';

export interface NumberedField {
  readonly name: string;
  readonly pointer: boolean;
}

/** By number; a map where the fields of a message stand inline. */
export type MessageFields = ReadonlyMap<number, NumberedField | MessageFields>;

const known = new Map<string, MessageFields>();

/** @param definition as the schemas spell it: `io.k8s.api.core.v1.Pod`. No fields for a message that is not listed. */
export function messageFields(definition: string): MessageFields {
  let fields = known.get(definition);
  if (!fields) {
    const dot = definition.lastIndexOf('.');
    const line = lineOf(definition.slice(0, dot), definition.slice(dot + 1));
    fields = parseFields(line.match(/[()]|[^\s()]+/g) ?? []);
    known.set(definition, fields);
  }
  return fields;
}

/** An older version has the numbers of the present one, but for the messages it lists itself. */
function lineOf(group: string, name: string): string {
  const messages = ownTables[group] ?? groupNumbers[group];
  const line = messages?.[name];
  if (line !== undefined) return line;
  for (const present of sameNumbersAs[group] ?? [group.replace(/\.v\d+beta\d+$/, '.v1')]) {
    const known = ownTables[present] ?? groupNumbers[present];
    if (present !== group && known?.[name] !== undefined) return lineOf(present, name);
  }
  return '';
}

const ownTables: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'io.k8s.api.core.v1': coreNumbers,
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1': extensionNumbers,
  'io.k8s.api.apiextensions.v1beta1': extensionV1beta1Numbers,
};

const sameNumbersAs: Readonly<Record<string, readonly string[]>> = {
  'io.k8s.api.extensions.v1beta1': ['io.k8s.api.apps.v1', 'io.k8s.api.networking.v1'],
  'io.k8s.api.apiextensions.v1beta1': ['io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1'],
};

/** Takes its words from the front of `words`, up to the bracket that closes it. */
function parseFields(words: string[]): MessageFields {
  const fields = new Map<number, NumberedField | MessageFields>();
  for (let number = words.shift(); number !== undefined && number !== ')'; number = words.shift()) {
    const name = words.shift() ?? '';
    const pointer = name.endsWith('?');
    fields.set(Number(number), name === '(' ? parseFields(words) : { name: name.replace('?', ''), pointer });
  }
  return fields;
}
