/** What an ended container left in its terminationMessagePath, or the end of its log where its policy says so. */
import { open } from 'node:fs/promises';
import type { ContainerStatus } from '../host/cri/cri.ts';
import { ANNOTATIONS } from './runtime-view.ts';

/** Bytes kept of the file, and of the log. */
const MAX_FILE = 4096;
const MAX_LOG = 2048;
const MAX_LOG_LINES = 80;

/** The runtime's own message where the container left none. Never throws: a missing file is no message. */
export async function lastWords(ended: ContainerStatus): Promise<string> {
  const path = ended.annotations[ANNOTATIONS.terminationMessagePath];
  const mount = ended.mounts.find(({ containerPath }) => containerPath === path);
  const written = mount ? await head(mount.hostPath, MAX_FILE) : '';
  if (written !== '') return written;
  const fallback = ended.annotations[ANNOTATIONS.terminationMessagePolicy] === 'FallbackToLogsOnError';
  const logged = fallback && ended.exitCode !== 0 ? logTail(await tail(ended.logPath, 4 * MAX_LOG)) : '';
  return logged === '' ? ended.message : logged;
}

/** The text of the last lines of a log in CRI format (`<time> <stream> <tag> <text>`). Pure. */
export function logTail(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => /^\S+ (?:stdout|stderr) \S+ (.*)$/.exec(line)?.[1])
    .filter((text) => text !== undefined)
    .slice(-MAX_LOG_LINES);
  return lines.join('\n').slice(-MAX_LOG);
}

async function head(path: string, bytes: number): Promise<string> {
  return readPart(path, () => 0, bytes);
}

async function tail(path: string, bytes: number): Promise<string> {
  return readPart(path, (size) => Math.max(0, size - bytes), bytes);
}

async function readPart(path: string, from: (size: number) => number, bytes: number): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, from(size));
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return '';
  }
}
