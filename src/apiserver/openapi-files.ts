/**
 * The OpenAPI documents as files beside the other generated ones, in a folder named by the sources they were made from: made once
 * per version of the program, and never stale.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const INDEX = 'index.json';

export interface DocumentEntry {
  readonly file: string;
  readonly etag: string;
  /** The URL with its hash, of documents of one group and version. */
  readonly location?: string;
}

export interface DocumentIndex {
  /** `v2`, `v2.protobuf`, `v3` and `v3/<path>`. */
  readonly documents: Readonly<Record<string, DocumentEntry>>;
}

export interface OpenApiDocument extends DocumentEntry {
  readonly zipped: Uint8Array;
}

const api = join(import.meta.dirname, '../api');
const generated = join(import.meta.dirname, '../../.toolchain');
/** Milliseconds the generator may take. */
const TIMEOUT = 30_000;

/** Of everything the documents are made from. */
function fingerprint(): string {
  const hash = createHash('sha256');
  const openapi = readdirSync(join(api, 'openapi')).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  );
  const sources = [
    ...openapi.sort().map((name) => join('openapi', name)),
    'kind.ts',
    'kinds.ts',
    'merge-keys.ts',
    'review-kinds.ts',
  ];
  const files = [
    ...sources.map((name) => join(api, name)),
    join(generated, 'schemas.json'),
    join(generated, 'descriptions.json'),
    join(import.meta.dirname, 'openapi-generate.ts'),
  ];
  for (const file of files) hash.update(readFileSync(file)).update('\0');
  return hash.digest('hex').slice(0, 16);
}

/** Where the program's own folder cannot be written, a private one serves for this run. */
function parentFolder(): string {
  const folder = join(generated, 'openapi');
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return mkdtempSync(join(tmpdir(), 'fairway-openapi-'));
  }
}

interface Opened {
  readonly folder: string;
  readonly index: DocumentIndex;
}
let opened: Promise<Opened> | undefined;

async function open(): Promise<Opened> {
  const name = fingerprint();
  const present = join(generated, 'openapi', name);
  const index = await readIndex(present);
  if (index) return { folder: present, index };
  const folder = join(parentFolder(), name);
  const script = join(import.meta.dirname, 'openapi-generate.ts');
  await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', script, folder], {
    timeout: TIMEOUT,
  });
  const made = await readIndex(folder);
  if (!made) throw new Error(`${folder} was not written`);
  return { folder, index: made };
}

async function readIndex(folder: string): Promise<DocumentIndex | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, INDEX), 'utf8')) as DocumentIndex;
  } catch {
    // Not made yet.
    return undefined;
  }
}

/** Undefined: no such document. Throws an Error when they cannot be made. */
export async function openApiDocument(name: string): Promise<OpenApiDocument | undefined> {
  opened ??= open().catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  const { folder, index } = await opened;
  const entry = Object.hasOwn(index.documents, name) ? index.documents[name] : undefined;
  return entry && { ...entry, zipped: await readFile(join(folder, entry.file)) };
}
