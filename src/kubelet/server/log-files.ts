/** `/logs/`: the log files of the node's pods, as a browsable tree (feature 7-065). Never leads out of its folder. */
import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Refusal } from './find.ts';

/** `path` is what follows `/logs/`, decoded. Throws Refusal 404, or 301 with the path where a folder's slash is missing. */
export async function sendLogFile(root: string, path: string, response: ServerResponse): Promise<void> {
  const file = await locate(root, path);
  const info = await stat(file);
  if (info.isDirectory()) {
    if (path !== '' && !path.endsWith('/')) {
      response.writeHead(301, { location: `${path.split('/').at(-1) ?? ''}/` }).end();
      return;
    }
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(listing(await readdir(file, { withFileTypes: true })));
    return;
  }
  if (!info.isFile()) throw notThere();
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  // What is written meanwhile is left out, so that the length is true.
  response.setHeader('Content-Length', info.size);
  if (info.size === 0) response.end();
  else await pipeline(createReadStream(file, { end: info.size - 1 }), response);
}

const notThere = () => new Refusal(404, '404 page not found');

/** Links are followed, as long as they stay inside. */
async function locate(root: string, path: string): Promise<string> {
  if (path.includes('\0')) throw notThere();
  const [top, found] = await Promise.all([realpath(root), realpath(join(root, path)).catch(() => undefined)]);
  if (found === undefined || (found !== top && !found.startsWith(`${top}/`))) throw notThere();
  return found;
}

function listing(entries: readonly { name: string; isDirectory(): boolean }[]): string {
  const names = entries.map((entry) => `${entry.name}${entry.isDirectory() ? '/' : ''}`).sort();
  const escape = (text: string) => text.replace(/[&<>"]/g, (char) => `&#${String(char.codePointAt(0))};`);
  return `<pre>\n${names.map((name) => `<a href="${encodeURI(name)}">${escape(name)}</a>\n`).join('')}</pre>\n`;
}
