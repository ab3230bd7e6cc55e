/**
 * Runs one program with arguments, never through a shell. Every tool of `src/host` goes through this door,
 * so tests put a fake `Exec` in its place.
 */
import { spawn } from 'node:child_process';

export interface ExecOptions {
  /** Text for standard input. */
  input?: string;
  /** Milliseconds after which the program is killed and the call fails. Default 30 s. */
  timeout?: number;
  env?: Record<string, string>;
  cwd?: string;
  /** Bytes of stdout and stderr kept; more fails the call. Default 64 MiB. */
  maxOutput?: number;
  /** Takes stdout as it comes; then none of it is kept, and it may be of any size. */
  onOutput?: (chunk: Buffer) => void;
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves on exit code 0; rejects with HostError otherwise. */
export type Exec = (file: string, args: readonly string[], options?: ExecOptions) => Promise<ExecResult>;

/** The machine said no. `message` starts with what was tried; `stderr` is the tool's own words. */
export class HostError extends Error {
  override name = 'HostError';
  readonly command: readonly string[];
  readonly exitCode: number | undefined;
  readonly stderr: string;
  constructor(command: readonly string[], why: string, exitCode: number | undefined, stderr: string, cause?: unknown) {
    const words = stderr.trim();
    super(`${command.join(' ')}: ${why}${words ? `: ${words.slice(0, 2000)}` : ''}`, { cause });
    this.command = command;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

export const exec: Exec = (file, args, options = {}) =>
  new Promise((resolve, reject) => {
    const { input, timeout = 30_000, env, cwd, maxOutput = 64 * 1024 * 1024, onOutput } = options;
    const command = [file, ...args];
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(cwd !== undefined && { cwd }),
    });
    const timer = setTimeout(() => {
      stop(`still running after ${String(timeout)} ms`);
    }, timeout);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new HostError(command, 'could not be started', undefined, '', cause));
    });
    // where no file can be opened there are no pipes either, whatever the types say; the error above is still to come
    if ((child as Partial<typeof child>).stdout === undefined) return;
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    let stopped: string | undefined;
    const stop = (why: string) => {
      stopped ??= why;
      child.kill('SIGKILL');
      // What it started may live on and hold these; waiting for them to close would be waiting for it.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const keep = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxOutput) stop(`more than ${String(maxOutput)} bytes of output`);
      else into.push(chunk);
    };
    const passOn = (chunk: Buffer) => {
      try {
        onOutput?.(chunk);
      } catch (error) {
        stop(`its output was not understood: ${String(error)}`);
      }
    };
    child.stdout.on('data', onOutput ? passOn : keep(out));
    child.stderr.on('data', keep(err));
    child.stdin.on('error', () => undefined); // the program may end without reading its input; its exit code tells
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const stdout = Buffer.concat(out).toString();
      const stderr = Buffer.concat(err).toString();
      if (code === 0 && stopped === undefined) resolve({ stdout, stderr });
      else
        reject(
          new HostError(
            command,
            stopped ?? (signal ? `ended by ${signal}` : `exit code ${String(code)}`),
            code ?? undefined,
            stderr,
          ),
        );
    });
    child.stdin.end(input ?? '');
  });

/** `exec` inside the network namespace at `path` (for example /run/netns/X): only the network changes, cgroups and mounts stay visible. */
export function execInNamespace(path: string, run: Exec = exec): Exec {
  return (file, args, options) => run('nsenter', [`--net=${path}`, file, ...args], options);
}
