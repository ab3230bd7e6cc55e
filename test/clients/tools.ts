/** The programs of others, and how a test runs them: several at once, so never `spawnSync`. */
import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { kubectls, type Result } from '../support/cluster.ts';

const CLIENTS = join(import.meta.dirname, '..', '..', '.toolchain', 'clients');

/** From the npm packages that carry them (scripts/setup). */
export const newestKubectl = join(CLIENTS, '1.35', 'kubectl', 'kubectl');
export const helms = {
  'Helm 3': join(CLIENTS, '1.31', 'helm', 'helm'),
  'Helm 4': join(CLIENTS, '1.35', 'helm', 'helm'),
};
/** The distribution's. */
export const oldestKubectl = kubectls().at(-1) ?? 'kubectl';
export const PYTHON = '/usr/bin/python3';

/** For `test`: those packages are for x86-64 alone; there a missing one is a failure. */
export const onlyOnX64 = process.arch === 'x64' ? {} : { skip: `no such package for ${process.arch}` };

/** Throws where setup has not fetched it. */
export function present(file: string): string {
  if (!existsSync(file)) throw new Error(`${file} is missing: scripts/setup --test fetches it`);
  return file;
}

export type Env = Readonly<Record<string, string>>;

export type Tool = ChildProcessByStdio<Writable, Readable, Readable> & { text(): string };

export function start(file: string, args: readonly string[], env: Env): Tool {
  // A group of its own: some start others, which would outlive them.
  const child = spawn(file, args, { env: { ...process.env, ...env }, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += String(chunk)));
  return Object.assign(child, { text: () => text });
}

/** Resolves once the program has said something that matches; rejects with all it said when it ends before. */
export async function said(child: Tool, pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = pattern.exec(child.text());
    if (found) return found;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended, having said: ${child.text()}`);
    const streams = [child.stdout, child.stderr];
    await Promise.race([...streams.map((stream) => once(stream, 'data')), once(child, 'close'), tooLate(child)]);
  }
}

/** Longer than anything here waits for a word. */
async function tooLate(child: Tool): Promise<never> {
  await delay(30_000, undefined, { ref: false });
  throw new Error(`it said nothing more for 30 s; before: ${child.text()}`);
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  process.kill(-(child.pid ?? 0), 'SIGTERM');
  await ended;
}

export async function runTool(file: string, args: readonly string[], env: Env, input = ''): Promise<Result> {
  const child = spawn(file, args, { env: { ...process.env, ...env }, timeout: 60_000 });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (stderr += String(chunk)));
  child.stdin.on('error', () => undefined); // it may not read all of it
  child.stdin.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code: code ?? 128, stdout, stderr: signal === null ? stderr : `${stderr}\nended by ${signal}` };
}

/** stdout of a program that must end well. */
export async function output(file: string, args: readonly string[], env: Env, input = ''): Promise<string> {
  const { code, stdout, stderr } = await runTool(file, args, env, input);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: exit code ${String(code)}\n${stdout}\n${stderr}`);
  return stdout;
}
