/**
 * Keeps the logs of a cluster's parts bounded. The parts and their supervisors hold the files open, so a long one is copied aside and cut:
 * they append, and go on at its new end. What is written between the two is lost, which at this size is a few lines of millions.
 */
import { copyFileSync, readdirSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../lib/log.ts';

/** Bytes of one log; as many again are kept of what was before (`PART.log.1`). */
const LONGEST = 16 * 1024 * 1024;
const PERIOD = 30_000;

export function rotateLogs(folder: string, longest = LONGEST): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (!name.endsWith('.log') || statSync(file).size <= longest) continue;
    copyFileSync(file, `${file}.next`);
    truncateSync(file);
    renameSync(`${file}.next`, `${file}.1`);
  }
}

/** Looks now and every half minute. A failure is logged and tried again. */
export function startLogRotation(folder: string, log: Log): { stop(): void } {
  const look = () => {
    try {
      rotateLogs(folder);
    } catch (error) {
      log.warn({ err: error, folder }, 'cannot keep the logs short');
    }
  };
  look();
  const timer = setInterval(look, PERIOD);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
    },
  };
}
