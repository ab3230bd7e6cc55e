/**
 * The audit log's file: lines are appended in the order they come, and a full file is set aside with its time in its name. What waits to be
 * written is bounded: beyond that, requests wait for room, so that none goes by unseen. A disk that refuses costs lines, never answers.
 */
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

export interface LogFileOptions {
  /** `-` is the standard output. */
  readonly path: string;
  /** Megabytes of one file; 0: it grows for ever. */
  readonly maxSize: number;
  /** Files set aside that are kept; 0: all. */
  readonly maxBackup: number;
  /** Days they are kept; 0: for ever. */
  readonly maxAge: number;
  readonly clock: Clock;
  readonly log: Log;
}

const MEGABYTE = 1024 * 1024;
const DAY = 24 * 60 * 60 * 1000;
/** Characters that may wait to be written. */
const MOST_WAITING = 8 * MEGABYTE;
/** Milliseconds between two complaints. */
const COMPLAIN = 60_000;

export interface LogFile {
  readonly written: number;
  readonly lost: number;
  write(line: string): void;
  /** Undefined: there is room. */
  room(): Promise<void> | undefined;
  close(): Promise<void>;
}

/** Opens it at once, so that one that cannot be written is known before the first request. Throws what opening throws. */
export async function openLogFile(options: LogFileOptions): Promise<LogFile> {
  if (options.path === '-') return new Writer(options, undefined, 0);
  await mkdir(dirname(options.path), { recursive: true, mode: 0o700 });
  const file = await openForAppend(options.path);
  return new Writer(options, file, (await file.stat()).size);
}

async function openForAppend(path: string): Promise<FileHandle> {
  const file = await open(path, 'a', 0o600);
  if ((await file.stat()).isFile()) await file.chmod(0o600); // of one that was there before
  return file;
}

class Writer implements LogFile {
  written = 0;
  lost = 0;
  readonly #options: LogFileOptions;
  #file: FileHandle | undefined;
  /** Bytes of the present file. */
  #size: number;
  #waiting: string[] = [];
  #waitingSize = 0;
  #writing: Promise<void> | undefined;
  #complained = -Infinity;

  constructor(options: LogFileOptions, file: FileHandle | undefined, size: number) {
    this.#options = options;
    this.#file = file;
    this.#size = size;
  }

  write(line: string): void {
    this.#waiting.push(line);
    this.#waitingSize += line.length;
    this.#writing ??= this.#drain();
  }

  room(): Promise<void> | undefined {
    return this.#waitingSize < MOST_WAITING ? undefined : this.#writing;
  }

  async close(): Promise<void> {
    while (this.#writing) await this.#writing;
    await this.#file?.close();
  }

  async #drain(): Promise<void> {
    // Lines of one round of the event loop go in one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#waitingSize = 0;
      try {
        await this.#append(lines);
        this.written += lines.length;
      } catch (error) {
        this.lost += lines.length;
        this.#complain(error);
      }
    }
    this.#writing = undefined;
  }

  async #append(lines: readonly string[]): Promise<void> {
    const limit = this.#options.maxSize === 0 ? Infinity : this.#options.maxSize * MEGABYTE;
    let chunk: string[] = [];
    let bytes = 0;
    const flush = async () => {
      if (chunk.length === 0) return;
      const text = chunk.join('');
      if (this.#options.path === '-') process.stdout.write(text);
      else {
        this.#file ??= await openForAppend(this.#options.path);
        await this.#file.appendFile(text);
      }
      this.#size += bytes;
      [chunk, bytes] = [[], 0];
    };
    for (const line of lines) {
      const length = Buffer.byteLength(line);
      if (this.#size + bytes > 0 && this.#size + bytes + length > limit) {
        await flush();
        await this.#setAside();
      }
      chunk.push(line);
      bytes += length;
    }
    await flush();
  }

  /** `audit.log` becomes `audit-2026-11-28T10-00-00.000.log`. */
  async #setAside(): Promise<void> {
    const { path, clock } = this.#options;
    if (path === '-') return;
    await this.#file?.close();
    this.#file = undefined;
    const time = new Date(clock.now()).toISOString().replaceAll(':', '-').replace('Z', '');
    const [stem, end] = partsOf(path);
    let aside = join(dirname(path), `${stem}-${time}${end}`);
    for (let number = 1; await exists(aside); number++)
      aside = join(dirname(path), `${stem}-${time}.${String(number)}${end}`);
    await rename(path, aside);
    this.#size = 0;
    await this.#removeOld();
  }

  async #removeOld(): Promise<void> {
    const { path, maxBackup, maxAge, clock } = this.#options;
    const [stem, end] = partsOf(path);
    const names = (await readdir(dirname(path))).filter(
      (name) => name.startsWith(`${stem}-`) && name.endsWith(end) && /-\d{4}-\d\d-\d\dT/.test(name.slice(stem.length)),
    );
    // Their names sort by time.
    const newestFirst = names.sort().reverse();
    for (const [index, name] of newestFirst.entries()) {
      const aside = join(dirname(path), name);
      const old = maxAge > 0 && clock.now() - (await stat(aside)).mtimeMs > maxAge * DAY;
      if (old || (maxBackup > 0 && index >= maxBackup)) await rm(aside, { force: true });
    }
  }

  #complain(error: unknown): void {
    const { clock, log, path } = this.#options;
    if (clock.now() - this.#complained < COMPLAIN) return;
    this.#complained = clock.now();
    log.error({ err: error, path, lost: this.lost }, 'the audit log cannot be written, and lines of it are lost');
  }
}

function partsOf(path: string): [stem: string, end: string] {
  const end = extname(path);
  return [basename(path, end), end];
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
