/** Background processes, told apart by pid *and* start time, so that a pid used again is never mistaken for ours. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';

export interface ProcessId {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  readonly startTime: string;
}

/** undefined when there is no such process (or only its zombie). */
export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[19];
    return fields[0] === 'Z' || startTime === undefined ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, startTime }: ProcessId): boolean {
  return identify(pid)?.startTime === startTime;
}

/** How many files, sockets and pipes this process may have open at once. Node raises it to the hard limit as it starts. Infinity: as many as it likes. */
export function openFilesLimit(): number {
  const [, text = ''] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return text === 'unlimited' ? Infinity : Number(text);
}

/** Starts a program in a session of its own that outlives us; its output is appended to `logFile`. */
export function startDetached(
  file: string,
  args: readonly string[],
  logFile: string,
  env: Record<string, string> = {},
): ProcessId {
  const log = openSync(logFile, 'a', 0o640);
  try {
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: { ...process.env, ...env },
    });
    child.on('error', () => undefined); // reported below: no pid
    const id = child.pid === undefined ? undefined : identify(child.pid);
    if (!id) throw new Error(`${file} could not be started`);
    child.unref();
    return id;
  } finally {
    closeSync(log);
  }
}

export function signal(id: ProcessId, name: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, name);
  } catch {
    // it ended between the look and the signal
  }
}

/** Resolves true once the process is gone, false after `ms`. */
export async function waitGone(id: ProcessId, ms: number): Promise<boolean> {
  const end = Date.now() + ms;
  while (isAlive(id)) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}

/**
 * TERM to the process; KILL to it after `grace` milliseconds, and to whoever of its group is then still there: what `startDetached` starts
 * leads a group of its own, and must not leave behind what it supervised or what that had called. Resolves when all are gone.
 */
export async function stopProcess(id: ProcessId, grace = 10_000): Promise<void> {
  const before = groupOf(id);
  signal(id, 'SIGTERM');
  await waitGone(id, grace);
  const left = [...before, ...groupOf(id)].filter(isAlive);
  for (const member of left) signal(member, 'SIGKILL');
  await Promise.all(left.map((member) => waitGone(member, 2_000)));
}

/** The process and, where it leads a group, everybody in it. */
function groupOf(id: ProcessId): ProcessId[] {
  if (!isAlive(id)) return [];
  const members = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && groupIdOf(Number(entry)) === id.pid);
  return [id, ...members.flatMap((entry) => identify(Number(entry)) ?? [])];
}

/** The process group: field 5 of /proc/PID/stat. undefined when there is no such process. */
export function groupIdOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return undefined;
  }
}

/** Every process whose command line satisfies `test`. */
export function findProcesses(test: (argv: readonly string[], pid: number) => boolean): ProcessId[] {
  const found: ProcessId[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const argv = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').slice(0, -1);
      const id = argv.length > 0 && test(argv, Number(entry)) ? identify(Number(entry)) : undefined;
      if (id) found.push(id);
    } catch {
      // gone meanwhile
    }
  }
  return found;
}
