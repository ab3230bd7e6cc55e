/** The generated type graph, read once when first needed (about a millisecond); the documentation only when someone asks for it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DescriptionFile, SchemaFile, StructType } from './types.ts';

const folder = join(import.meta.dirname, '../../../.toolchain');

function read(name: string): unknown {
  try {
    return JSON.parse(readFileSync(join(folder, name), 'utf8'));
  } catch (cause) {
    throw new Error(`${name} is missing or broken: run "make setup" (node scripts/generate-schemas.ts)`, { cause });
  }
}

let schemas: SchemaFile | undefined;
let descriptions: DescriptionFile | undefined;

/** @throws Error that names the remedy when the file was never generated. */
export function loadSchemas(): SchemaFile {
  schemas ??= read('schemas.json') as SchemaFile;
  return schemas;
}

export function loadDescriptions(): DescriptionFile {
  descriptions ??= read('descriptions.json') as DescriptionFile;
  return descriptions;
}

/** The definition name of a kind, or undefined for a kind the models do not know. */
export function definitionOf(apiVersion: string, kind: string): string | undefined {
  const { kinds } = loadSchemas();
  const key = `${apiVersion}/${kind}`;
  return Object.hasOwn(kinds, key) ? kinds[key] : undefined;
}

export function structOf(definition: string): StructType {
  const type = loadSchemas().types[definition];
  if (!type) throw new Error(`the generated schemas have no ${definition}`);
  return type;
}
