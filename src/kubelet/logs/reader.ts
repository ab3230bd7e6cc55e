/** Reads a container's log as bytes for people: from where it is asked, to its end, or on and on while the container runs. */
import { watch } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { LogFormatter } from './line.ts';
import type { LogOptions } from './options.ts';
import { tailOffset } from './tail.ts';

const BLOCK = 64 * 1024;
const NEWLINE = 0x0a;
/** How long a change may go unseen where the file system tells nothing, ms; the end of a container is seen as late as this. */
const LOOK_AGAIN = 250;
/** A line longer than this is passed on in pieces. The runtime cuts at 16 KiB. */
const LONGEST = 1024 * 1024;

/**
 * Yields pieces of text. With `follow` it goes on, through rotations, until `isRunning` says no and the rest was read, or `signal` ends it.
 * Throws the error of opening the file.
 */
export async function* readLog(
  path: string,
  options: LogOptions,
  isRunning: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  let left = options.limitBytes ?? Infinity;
  const formatter = new LogFormatter(options);
  for await (const line of rawLines(path, options, isRunning, signal)) {
    const out = formatLines(formatter, line);
    if (out.length === 0) continue;
    const piece = out.length > left ? out.subarray(0, left) : out;
    left -= piece.length;
    yield piece;
    if (left <= 0) return;
  }
}

function formatLines(formatter: LogFormatter, lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => formatter.take(line) ?? []));
}

/** Batches of whole raw lines. */
async function* rawLines(
  path: string,
  options: LogOptions,
  isRunning: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer[], void> {
  let file = await open(path, 'r');
  let next: FileHandle | undefined;
  try {
    const { size } = await file.stat();
    let offset = options.tailLines === undefined ? 0 : await tailOffset(file, size, options.tailLines);
    let rest: Buffer = Buffer.alloc(0);
    /** The container had ended before the last look at the file: what comes now is the last. */
    let ended = false;
    while (!signal.aborted) {
      const block = Buffer.alloc(BLOCK);
      const { bytesRead } = await file.read(block, 0, BLOCK, offset);
      if (bytesRead > 0) {
        offset += bytesRead;
        const { lines, tail } = splitLines(Buffer.concat([rest, block.subarray(0, bytesRead)]));
        rest = tail;
        yield lines;
        continue;
      }
      if (next) {
        await file.close();
        [file, next, offset, rest] = [next, undefined, 0, Buffer.alloc(0)];
        continue;
      }
      // Once the new file is there nothing more comes into the old one, but something may have come since the last look.
      next = options.follow ? await reopened(path, file) : undefined;
      if (next) continue;
      if (!options.follow || ended) return;
      ended = !isRunning();
      if (!ended) await changed(path, signal);
    }
  } finally {
    await file.close();
    await next?.close();
  }
}

function splitLines(data: Buffer): { lines: Buffer[]; tail: Buffer } {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
    lines.push(data.subarray(start, end));
    start = end + 1;
  }
  const tail = data.subarray(start);
  if (tail.length <= LONGEST) return { lines, tail };
  return { lines: [...lines, tail], tail: Buffer.alloc(0) };
}

/** The file that is at the path now, where it is no longer the one in hand: the log was rotated. */
async function reopened(path: string, current: FileHandle): Promise<FileHandle | undefined> {
  const [here, there] = await Promise.all([current.stat(), stat(path).catch(() => undefined)]);
  if (!there || (here.ino === there.ino && here.dev === there.dev)) return undefined;
  return open(path, 'r').catch(() => undefined);
}

/** Resolves when the file changes, at the latest after LOOK_AGAIN. */
function changed(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, LOOK_AGAIN);
    signal.addEventListener('abort', done);
    const watcher = watchFile(path, done);
  });
}

function watchFile(path: string, onChange: () => void) {
  try {
    return watch(path, onChange).on('error', onChange);
  } catch {
    return undefined; // it is just being rotated, or there are no watches left: the timer looks again
  }
}
