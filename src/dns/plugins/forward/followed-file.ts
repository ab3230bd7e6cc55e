/** A file that may change, or be replaced by another of its name: looked at again and again, which works through links and mounts where watching does not. */
import { stat } from 'node:fs/promises';
import { loadSmallFile } from '../../../lib/small-file.ts';
import type { Clock } from '../../../lib/clock.ts';

export interface FollowedFile {
  stop(): void;
}

/** Between two looks. */
const LOOK_MS = 2000;

/** @param changed given the text after each change, or undefined where the file is no longer there */
export function followFile(file: string, clock: Clock, changed: (text: string | undefined) => void): FollowedFile {
  let stamp: string | undefined;
  let cancel: (() => void) | undefined;
  let isStopped = false;
  const look = async () => {
    const now = await stampOf(file);
    if (stamp !== undefined && now !== stamp && !isStopped) changed(await textOf(file));
    stamp = now;
    if (!isStopped) cancel = clock.after(LOOK_MS, () => void look(), true);
  };
  void look();
  return {
    stop() {
      isStopped = true;
      cancel?.();
    },
  };
}

export async function textOf(file: string): Promise<string | undefined> {
  try {
    return (await loadSmallFile(file)).toString();
  } catch {
    return undefined;
  }
}

async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true });
    return [mtimeNs, size, ino].join(' ');
  } catch {
    return '';
  }
}
