/**
 * Writes all OpenAPI documents, compressed, into the folder it is given: `node openapi-generate.ts FOLDER`. A program of its own, because
 * making them takes memory that a server would never give back.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openApiV2, openApiV2Protobuf, openApiV3, openApiV3Index } from '../api/openapi/index.ts';
import { INDEX, type DocumentEntry, type DocumentIndex } from './openapi-files.ts';

/** All or nothing: the folder appears under its name when everything is in it. */
function generate(folder: string): void {
  const unfinished = `${folder}.${String(process.pid)}`;
  mkdirSync(unfinished, { recursive: true, mode: 0o755 });
  const index: Record<string, DocumentEntry> = {};
  const write = (name: string, bytes: Uint8Array, location?: string): void => {
    const file = `${String(Object.keys(index).length)}.gz`;
    const etag = `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"`;
    writeFileSync(join(unfinished, file), gzipSync(bytes));
    index[name] = { file, etag, ...(location !== undefined && { location }) };
  };
  const text = (value: object) => Buffer.from(JSON.stringify(value));
  write('v2', text(openApiV2()));
  write('v2.protobuf', openApiV2Protobuf());
  write('v3', text(openApiV3Index()));
  for (const [path, { serverRelativeURL }] of Object.entries(openApiV3Index().paths)) {
    const document = openApiV3(path);
    if (document) write(`v3/${path}`, text(document), serverRelativeURL);
  }
  writeFileSync(join(unfinished, INDEX), JSON.stringify({ documents: index } satisfies DocumentIndex));
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    // Another server was first: its documents are the same.
    rmSync(unfinished, { recursive: true });
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

generate(process.argv[2] ?? '');
