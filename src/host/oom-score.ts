/** How readily the kernel ends this process when memory is short. */
import { readFile, writeFile } from 'node:fs/promises';

const FILE = '/proc/self/oom_score_adj';

/** -1000 (never) to 1000. False where it may not be set: lowering it takes a right that containers often lack. */
export async function setOomScore(score: number): Promise<boolean> {
  try {
    if ((await readFile(FILE, 'utf8')).trim() !== String(score)) await writeFile(FILE, String(score));
    return true;
  } catch {
    return false;
  }
}
