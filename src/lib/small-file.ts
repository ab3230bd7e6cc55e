/**
 * Files that somebody else's configuration names. What is no file, or is too large, is refused before it is read: a device goes on for ever, and a
 * pipe holds whoever opens it.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** Bytes: a hosts file of 100,000 names has fewer. */
const MOST = 16 << 20;
/** Or opening a pipe would wait for its writer. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** @throws the system's error, or one that says why it is refused */
export function readSmallFile(path: string, most = MOST): Buffer {
  const file = openSync(path, FLAGS);
  try {
    expectSmall(path, fstatSync(file), most);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** The same without waiting for the disk. */
export async function loadSmallFile(path: string, most = MOST): Promise<Buffer> {
  const file = await open(path, FLAGS);
  try {
    expectSmall(path, await file.stat(), most);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function expectSmall(path: string, stat: Stats, most: number): void {
  if (!stat.isFile()) throw new Error(`${path} is not a file`);
  if (stat.size > most) throw new Error(`${path} has more than ${String(most)} bytes`);
}
