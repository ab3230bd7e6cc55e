/** Where the last lines of a log begin, found from its end: a big file costs no more than a small one. */
import type { FileHandle } from 'node:fs/promises';
import { parseLogLine } from './line.ts';

const BLOCK = 64 * 1024;
const NEWLINE = 0x0a;

/** The offset of the last `lines` whole lines (parts count with the line they belong to) of the first `size` bytes. */
export async function tailOffset(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines === 0) return size;
  let begin = size;
  /** The file from `begin` up to the start of the line that was looked at last. */
  let pending: Buffer = Buffer.alloc(0);
  let whole = 0;
  while (begin > 0) {
    const length = Math.min(BLOCK, begin);
    const block = Buffer.alloc(length);
    const { bytesRead } = await file.read(block, 0, length, begin - length);
    if (bytesRead < length) return 0; // the file got shorter: it is another one now
    begin -= length;
    pending = Buffer.concat([block, pending]);
    for (;;) {
      // The newline before the last line in hand; without one the line's start is in an earlier block.
      const from = pending.at(-1) === NEWLINE ? pending.length - 2 : pending.length - 1;
      const start = from < 0 ? -1 : pending.lastIndexOf(NEWLINE, from) + 1;
      if (start < 0 || (start === 0 && begin > 0)) break;
      const line = pending.subarray(start, from + 1);
      if (isWhole(line)) {
        if (whole === lines) return begin + pending.length;
        whole += 1;
      }
      pending = pending.subarray(0, start);
      if (start === 0) break;
    }
  }
  return 0;
}

/** What is no log line at all is skipped by the reader, too. */
function isWhole(line: Buffer): boolean {
  return parseLogLine(line)?.partial === false;
}
