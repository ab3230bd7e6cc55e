/** Mount points below a folder, and their removal: what containers and volumes leave when a node is taken down. */
import { readFileSync } from 'node:fs';
import { exec, type Exec } from './exec.ts';

/** /proc/self/mountinfo writes blanks and backslashes in octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Deepest first, so they can be unmounted in this order. */
export function parseMountsBelow(mountinfo: string, folder: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => unescape(line.split(' ')[4] ?? ''))
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .reverse();
}

export function mountsBelow(folder: string): string[] {
  return parseMountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), folder);
}

export async function unmountBelow(folder: string, run: Exec = exec): Promise<void> {
  // A mount may be stacked on another at the same place: look again until nothing is left.
  for (let round = 0; round < 5; round++) {
    const paths = mountsBelow(folder);
    if (paths.length === 0) return;
    for (let i = 0; i < paths.length; i += 50)
      await run('umount', ['--lazy', ...paths.slice(i, i + 50)]).catch(() => undefined);
  }
}
