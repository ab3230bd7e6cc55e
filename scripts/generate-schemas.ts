/**
 * Writes `.toolchain/schemas.json` and `.toolchain/descriptions.json`: the fields, types and documentation of every served kind,
 * read from the published Kubernetes client package. `make setup` runs it after `npm ci`; it takes about a second.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiVersionOf, KINDS } from '../src/api/kinds.ts';
import { OlderVersions } from './older-versions.ts';
import type { SchemaFile, StructType, TypeText } from '../src/api/schema/types.ts';

const root = join(import.meta.dirname, '..');
const models = join(root, 'node_modules/@kubernetes/client-node/dist/gen/models');
const typings = join(root, 'node_modules/kubernetes-types');
const output = join(root, '.toolchain');

/** Kinds that are sent or answered but not stored. */
const requestKinds: [apiVersion: string, kind: string][] = [
  ['v1', 'Binding'],
  ['v1', 'DeleteOptions'],
  ['v1', 'Status'],
  ['autoscaling/v1', 'Scale'],
  ['policy/v1', 'Eviction'],
  ['authentication.k8s.io/v1', 'TokenRequest'],
  ['authentication.k8s.io/v1', 'TokenReview'],
  ['authentication.k8s.io/v1', 'SelfSubjectReview'],
  ['authorization.k8s.io/v1', 'SelfSubjectAccessReview'],
  ['authorization.k8s.io/v1', 'SelfSubjectRulesReview'],
  ['authorization.k8s.io/v1', 'SubjectAccessReview'],
  ['authorization.k8s.io/v1', 'LocalSubjectAccessReview'],
];

interface Attribute {
  baseName: string;
  type: string;
  format: string;
}

const modelNames = new Set(
  readdirSync(models)
    .filter((name) => name.endsWith('.d.ts'))
    .map((name) => name.slice(0, -'.d.ts'.length)),
);

/** The older package says what the models do not: which group a type belongs to, and which strings are quantities. */
const typingFiles = readTypings();
const groupOrder = [
  'core',
  'apps',
  'batch',
  'discovery',
  'networking',
  'coordination',
  'rbac',
  'policy',
  'events',
  'scheduling',
  'admissionregistration',
  'apiextensions',
  'autoscaling',
  'certificates',
  'node',
  'storage',
  'meta',
];

const types: Record<string, StructType> = {};
const descriptions: Record<string, Record<string, string>> = {};
const kinds: Record<string, string> = {};
const definitionNames = new Map<string, string>();

function readTypings(): Map<string, { text: string; names: Set<string> }> {
  const files = new Map<string, { text: string; names: Set<string> }>();
  for (const folder of readdirSync(typings, { withFileTypes: true })) {
    if (!folder.isDirectory() || folder.name === 'api') continue;
    for (const file of readdirSync(join(typings, folder.name))) {
      const version = /^(v[12])\.d\.ts$/.exec(file)?.[1];
      if (!version) continue;
      const text = readFileSync(join(typings, folder.name, file), 'utf8');
      files.set(version === 'v1' ? folder.name : `${folder.name}.${version}`, {
        text,
        names: new Set([...text.matchAll(/^export interface (\w+)/gm)].map((match) => match[1]!)),
      });
    }
  }
  return files;
}

/** `V1ServicePort` -> v1 ServicePort; `CoreV1Event` -> v1 Event with the group it names. */
function splitModelName(model: string): { group?: string; version: string; name: string } {
  const match = /^([A-Z][a-z]+?)?V([12])([A-Z].*)$/.exec(model);
  if (!match) throw new Error(`unexpected model name ${model}`);
  return { ...(match[1] && { group: match[1].toLowerCase() }), version: `v${match[2]!}`, name: match[3]! };
}

/** Where definition names begin otherwise than `io.k8s.api.<group>`. */
const packages: Record<string, string> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
};

function definitionNameOf(model: string, referrerGroup: string): string {
  const known = definitionNames.get(model);
  if (known) return known;
  const { group: named, version, name } = splitModelName(model);
  const holders = version === 'v1' ? groupOrder.filter((group) => typingFiles.get(group)?.names.has(name)) : [];
  // A type the older package does not know belongs where it is first used; one that several groups have, too, unless the name says.
  const group = named ?? (holders.includes(referrerGroup) || holders.length === 0 ? referrerGroup : holders[0]!);
  const definition = `${packages[group] ?? `io.k8s.api.${group}`}.${version}.${name}`;
  definitionNames.set(model, definition);
  addStruct(model, definition, group);
  return definition;
}

function addStruct(model: string, definition: string, group: string): void {
  const { version, name } = splitModelName(model);
  const source = readFileSync(join(models, `${model}.js`), 'utf8');
  const map =
    /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(source)?.[1] ?? /attributeTypeMap = (\[\]);/.exec(source)?.[1];
  if (!map) throw new Error(`no attribute map in ${model}`);
  const attributes = JSON.parse(map) as Attribute[];
  const fields: Record<string, TypeText> = {};
  const struct: StructType = { fields, required: [] };
  types[definition] = struct;
  const documented = readDeclaration(model);
  descriptions[definition] = documented.descriptions;
  const quantities = quantityFields(version === 'v1' ? group : `${group}.${version}`, name);
  for (const { baseName, type, format } of attributes) {
    const text = typeText(type, format, group);
    fields[baseName] = quantities.has(baseName) ? text.replace('string', 'quantity') : text;
    if (name === 'CustomResourceSubresources' && baseName === 'status') fields[baseName] = `#${statusSubresource}`;
    if (name === 'JSONSchemaProps') fields[baseName] = schemaOr[baseName] ?? text.replace(/any$/, 'json');
  }
  types[definition] = { fields, required: documented.required };
}

const ownDefinition = '?#io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
/** Nothing is in it: that it is there says all. The models know it only as an object. */
const statusSubresource = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus';
types[statusSubresource] = { fields: {}, required: [] };
descriptions[statusSubresource] = { '': 'Being there, it keeps status apart: the subresource alone writes it.' };
/** What a schema says in one of two types, and the models leave open. */
const schemaOr: Record<string, TypeText> = {
  items: ownDefinition,
  additionalItems: ownDefinition,
  additionalProperties: ownDefinition,
};
/** Quantities that are newer than the typings. */
const newQuantities: Readonly<Record<string, readonly string[]>> = { HPAScalingRules: ['tolerance'] };

function quantityFields(group: string, name: string): Set<string> {
  if (newQuantities[name]) return new Set(newQuantities[name]);
  const text = typingFiles.get(group)?.text ?? '';
  const start = text.search(new RegExp(`^export interface ${name} \\{`, 'm'));
  if (start < 0) return new Set();
  const body = text.slice(start, text.indexOf('\n}', start));
  return new Set([
    ...[...body.matchAll(/^ {4}"?(\w+)"?\??: Quantity;/gm)].map((match) => match[1]!),
    ...[...body.matchAll(/^ {4}"?(\w+)"?\??: \{\s*\[name: string\]: Quantity;/gm)].map((match) => match[1]!),
  ]);
}

const plainTypes: Record<string, TypeText> = {
  string: 'string',
  boolean: 'boolean',
  Date: 'time',
  V1MicroTime: 'microtime',
  IntOrString: 'intOrString',
  any: 'any',
  object: 'any',
};

function typeText(type: string, format: string, group: string): TypeText {
  const list = /^Array<(.*)>$/.exec(type);
  if (list) return `[]${typeText(list[1]!, format, group)}`;
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (map) return `{}${typeText(map[1]!, format, group)}`;
  if (type === 'string' && format === 'byte') return 'byte';
  if (type === 'number') return format || 'double';
  const plain = plainTypes[type];
  if (plain) return plain;
  if (!modelNames.has(type)) throw new Error(`unknown type ${type}`);
  return `#${definitionNameOf(type, group)}`;
}

function readDeclaration(model: string): { descriptions: Record<string, string>; required: string[] } {
  const text = readFileSync(join(models, `${model}.d.ts`), 'utf8');
  const found: Record<string, string> = {};
  const required: string[] = [];
  const ofType = /\/\*\*\n\* ([\s\S]*?)\n\*\/\nexport declare class/.exec(text);
  if (ofType) found[''] = cleanText(ofType[1]!);
  for (const match of text.matchAll(
    /(?: {4}\/\*\*\n {4}\* ((?:(?!\*\/)[\s\S])*?)\n {4}\*\/\n)? {4}'([^']+)'(\??): /g,
  )) {
    if (match[1]) found[match[2]!] = cleanText(match[1]);
    if (match[3] === '') required.push(match[2]!);
  }
  return { descriptions: found, required };
}

const cleanText = (text: string): string =>
  text
    .replace(/\n\s*\* ?/g, '\n')
    .replace(/\\(['"`])/g, '$1')
    .replace(/\\\\/g, '\\')
    .trim();

/** The folder name of a group in the typings, which is also its package in definition names. */
const packageOf = (group: string): string => (group === '' ? 'core' : group.split('.')[0]!);

function addKind(apiVersion: string, kind: string): void {
  const slash = apiVersion.indexOf('/');
  const group = packageOf(slash < 0 ? '' : apiVersion.slice(0, slash));
  const version = apiVersion.slice(slash + 1).toUpperCase();
  const capital = group[0]!.toUpperCase() + group.slice(1);
  const model = [`${capital}${version}${kind}`, `${version}${kind}`].find((name) => modelNames.has(name));
  if (!model) throw new Error(`the models know no ${kind} of ${apiVersion}`);
  kinds[`${apiVersion}/${kind}`] = definitionNameOf(
    model,
    kind === 'DeleteOptions' || kind === 'Status' ? 'meta' : group,
  );
}

const isPresent = (version: string): boolean => /^v\d+$/.test(version);
for (const kind of KINDS) {
  if (!isPresent(kind.version)) continue;
  addKind(apiVersionOf(kind), kind.kind);
  addKind(apiVersionOf(kind), `${kind.kind}List`);
}
for (const [apiVersion, kind] of requestKinds) addKind(apiVersion, kind);

const older = new OlderVersions(join(root, 'node_modules'), types, descriptions);
for (const kind of KINDS) {
  if (isPresent(kind.version)) continue;
  for (const name of [kind.kind, `${kind.kind}List`]) {
    kinds[`${apiVersionOf(kind)}/${name}`] = older.add(packageOf(kind.group), kind.version, name);
  }
}

// Posted to pods/eviction, which takes both.
kinds['policy/v1beta1/Eviction'] = older.add('policy', 'v1beta1', 'Eviction');

const release = /OpenAPI spec version: (\S+)/.exec(readFileSync(join(models, 'V1Pod.js'), 'utf8'))?.[1] ?? 'unknown';
const schemas: SchemaFile = { source: release, types, kinds };

mkdirSync(output, { recursive: true });
for (const [name, content] of [
  ['schemas.json', schemas],
  ['descriptions.json', descriptions],
] as const) {
  // Written whole and then renamed: a server that starts meanwhile reads the old file or the new one.
  const path = join(output, name);
  writeFileSync(`${path}.new`, JSON.stringify(content));
  renameSync(`${path}.new`, path);
}
console.log(`${Object.keys(types).length} types of ${Object.keys(kinds).length} kinds from ${release}`);
