/** For tests: a log whose lines can be read. */
import { silentLog, type Log } from '../lib/log.ts';

/** Lines are `LEVEL TEXT`. */
export function recordingLog(): { lines: string[]; log: Log } {
  const lines: string[] = [];
  const record = (level: string) => (_: unknown, text?: string) => void lines.push(`${level} ${text ?? ''}`);
  const log = {
    ...silentLog,
    child: () => log,
    info: record('info'),
    error: record('error'),
    warn: record('warn'),
  } as unknown as Log;
  return { lines, log };
}
