/**
 * The types of API versions that Kubernetes no longer serves, from the last published typings that still had them. While a version is
 * served, every field the newer one gains is added to it too, or a write through it would lose what it does not know; so what these
 * have gained since is added here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StructType, TypeText } from '../src/api/schema/types.ts';

/** The newest first: a type is taken from the last release that had it. */
const packages = ['kubernetes-types-1.21', 'kubernetes-types-1.17'];

/** Where the present form of a type is, if not in v1 of its own package. */
const successors: Readonly<Record<string, readonly string[]>> = {
  extensions: ['io.k8s.api.apps.v1', 'io.k8s.api.networking.v1'],
  apiextensions: ['io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1'],
};

/** Fields of the present form that an older version has under another name. */
const replaced: Readonly<Record<string, readonly string[]>> = {
  CustomResourceColumnDefinition: ['jsonPath'],
  CustomResourceConversion: ['webhook'],
  IngressSpec: ['defaultBackend'],
  IngressBackend: ['service'],
  Endpoint: ['deprecatedTopology', 'zone'],
};

/** Numbers of which there is no present form that would say how long they are; the typings do not. */
const numbers: Readonly<Record<string, TypeText>> = {
  'RollbackConfig.revision': 'int64',
  'DaemonSetSpec.templateGeneration': 'int64',
};

interface Typing {
  readonly description: string;
  readonly fields: readonly { name: string; type: string; optional: boolean; description: string }[];
}

export class OlderVersions {
  readonly #modules: string;
  readonly #types: Record<string, StructType>;
  readonly #descriptions: Record<string, Record<string, string>>;
  readonly #files = new Map<string, ReadonlyMap<string, Typing>>();

  /** @param types and `descriptions` hold the present versions, and take the older ones */
  constructor(
    modules: string,
    types: Record<string, StructType>,
    descriptions: Record<string, Record<string, string>>,
  ) {
    this.#modules = modules;
    this.#types = types;
    this.#descriptions = descriptions;
  }

  /** @returns the name of the definition */
  add(group: string, version: string, name: string): string {
    const prefix = `io.k8s.api.${group}.${version}`;
    const definition = `${prefix}.${name}`;
    if (this.#types[definition]) return definition;
    const present = (successors[group] ?? [`io.k8s.api.${group}.v1`])
      .map((each) => `${each}.${name}`)
      .find((each) => this.#types[each] !== undefined);
    const typing = this.#typing(group, version, name);
    // No typings carry it: then it never differed from the present form.
    if (!typing && !present) throw new Error(`nothing says what ${definition} is`);
    const fields: Record<string, TypeText> = {};
    const texts: Record<string, string> = {};
    const struct = { fields, required: [] as string[] };
    this.#types[definition] = struct;
    this.#descriptions[definition] = texts;
    const gained = present ? this.#types[present] : undefined;
    // A struct has an older form where the typings have one; all of them have, where nothing is known but the present form.
    const own = (type: TypeText): TypeText => {
      const [head, from = '', struct = ''] = /^(?:\[\]|\{\})*#(.*)\.(\w+)$/.exec(type) ?? [];
      const older = this.#typing(group, version, struct) ?? (typing ? undefined : present?.startsWith(`${from}.`));
      return head && older ? type.replace(/#.*/, `#${this.add(group, version, struct)}`) : type;
    };
    texts[''] = typing?.description ?? this.#descriptions[present ?? '']?.[''] ?? '';
    for (const field of typing?.fields ?? []) {
      const known = gained?.fields[field.name];
      fields[field.name] = known ? own(known) : this.#typeOf(field.type, `${name}.${field.name}`, group, version);
      // What may be left out by now may be left out here too: all versions show one stored object.
      if (!field.optional && (!known || gained?.required.includes(field.name))) struct.required.push(field.name);
      if (field.description) texts[field.name] = field.description;
    }
    for (const [field, type] of Object.entries(gained?.fields ?? {})) {
      if (fields[field] || replaced[name]?.includes(field)) continue;
      fields[field] = own(type);
      if (!typing && gained?.required.includes(field)) struct.required.push(field);
      const text = this.#descriptions[present ?? '']?.[field];
      if (text) texts[field] = text;
    }
    return definition;
  }

  #typeOf(type: string, at: string, group: string, version: string): TypeText {
    const list = /^Array<(.*)>$/.exec(type);
    if (list) return `[]${this.#typeOf(list[1]!, at, group, version)}`;
    const map = /^\{ \[name: string\]: (.*); \}$/.exec(type);
    if (map) return `{}${this.#typeOf(map[1]!, at, group, version)}`;
    if (type === 'string' || type === 'boolean') return type;
    if (type === 'number | string') return 'intOrString';
    if (type === 'number' && numbers[at]) return numbers[at];
    if (this.#typing(group, version, type)) return `#${this.add(group, version, type)}`;
    const meta = `io.k8s.apimachinery.pkg.apis.meta.v1.${type}`;
    if (this.#types[meta]) return `#${meta}`;
    const core = `io.k8s.api.core.v1.${type}`;
    if (this.#types[core]) return `#${core}`;
    // What never changed has no typings of its own.
    const present = (successors[group] ?? []).map((each) => `${each}.${type}`).find((each) => this.#types[each]);
    if (present) return `#${present}`;
    if (/^"/.test(type)) return 'string';
    throw new Error(`nothing says what the ${type} of ${at} is`);
  }

  #typing(group: string, version: string, name: string): Typing | undefined {
    for (const each of packages) {
      const path = join(this.#modules, each, group, `${version}.d.ts`);
      let file = this.#files.get(path);
      if (!file) {
        file = existsSync(path) ? parseTypings(readFileSync(path, 'utf8')) : new Map<string, Typing>();
        this.#files.set(path, file);
      }
      const typing = file.get(name);
      if (typing) return typing;
    }
    return undefined;
  }
}

const comment = String.raw`/\*\*\n((?:(?!\*/)[\s\S])*?)\*/\n`;

function parseTypings(text: string): Map<string, Typing> {
  const found = new Map<string, Typing>();
  const interfaces = new RegExp(String.raw`(?:${comment})?export interface (\w+) \{\n([\s\S]*?)\n\}`, 'g');
  for (const [, description = '', name = '', body = ''] of text.matchAll(interfaces)) {
    const field = new RegExp(
      String.raw`(?: {4}${comment})? {4}"?([\w$-]+)"?(\??): ((?:\{[\s\S]*?\n {4}\})|[^\n]*?);\n`,
      'g',
    );
    const fields = [...`${body}\n`.matchAll(field)].map(([, words = '', of = '', optional, type = '']) => ({
      name: of,
      type: type.replace(/\s+/g, ' ').trim(),
      optional: optional === '?',
      description: cleanComment(words),
    }));
    found.set(name, { description: cleanComment(description), fields });
  }
  return found;
}

function cleanComment(text: string): string {
  return text.replace(/^\s*\* ?/gm, '').trim();
}
