/**
 * A real cluster for a test: started by the command a user would type, driven by a stock kubectl, inside the namespace that plays the
 * host. Everything it made is taken down again, and `stop` fails when something stayed.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layoutOf } from '../../src/cluster/layout.ts';
import { requireOuterNamespace } from './outer-namespace.ts';

requireOuterNamespace();

const ROOT = join(import.meta.dirname, '..', '..');
export const FAIRWAY = join(ROOT, 'bin', 'fairway');
export const WALKTHROUGHS = join(ROOT, 'examples', 'walkthroughs');

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(
  file: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string>; timeout?: number } = {},
): Result {
  const { status, stdout, stderr, error, signal } = spawnSync(file, args, {
    encoding: 'utf8',
    input: options.input ?? '',
    env: { ...process.env, ...options.env },
    timeout: options.timeout ?? 120_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error && signal === null) throw error;
  return { code: status ?? 128, stdout, stderr: signal === null ? stderr : `${stderr}\nended by ${signal}` };
}

/** Fails with everything the program said unless it ended well. */
export function must(result: Result): string {
  assert.equal(result.code, 0, `exit code ${String(result.code)}\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

/** The machine's kubectl, and the distribution's (the oldest one served). */
export function kubectls(): string[] {
  const own = run('sh', ['-c', 'command -v kubectl']).stdout.trim();
  const distribution = join(ROOT, '.toolchain', 'kubernetes-client', 'usr', 'bin', 'kubectl');
  return [own, distribution].filter((file) => file !== '' && existsSync(file));
}

export { eventually } from './eventually.ts';

/** Folders of clusters that were refused or taken down go with the process; one that may still run is left to be looked at. */
const made: Cluster[] = [];
process.once('exit', () => {
  for (const { dir, dataDir } of made)
    if (!existsSync(join(dir, 'state.json'))) rmSync(dataDir, { recursive: true, force: true });
});

export class Cluster {
  readonly name: string;
  readonly dataDir: string;
  readonly #home: string;
  constructor(name: string, dataDir = mkdtempSync(join(tmpdir(), 'fw-'))) {
    this.name = name;
    this.dataDir = dataDir;
    made.push(this);
    this.#home = join(dataDir, 'home'); // kubectl keeps its discovery cache there
  }
  get dir(): string {
    return join(this.dataDir, this.name);
  }
  get flags(): string[] {
    return ['--name', this.name, '--data-dir', this.dataDir];
  }
  /** `fairway COMMAND… --name --data-dir ARGS…` */
  fairway(command: string, ...args: string[]): Result {
    return run(FAIRWAY, [...command.split(' '), ...this.flags, ...args]);
  }
  up(...args: string[]): Result {
    return this.fairway('up', ...args);
  }
  get env(): Record<string, string> {
    return { KUBECONFIG: join(this.dir, 'kubeconfig'), HOME: this.#home };
  }
  kubectl(...args: string[]): Result {
    return run(this.kubectlFile, args, { env: this.env });
  }
  kubectlFile = kubectls()[0] ?? 'kubectl';
  /** stdout of a kubectl that must succeed. */
  get(...args: string[]): string {
    return must(this.kubectl(...args));
  }
  apply(yaml: string): string {
    return must(run(this.kubectlFile, ['apply', '-f', '-'], { env: this.env, input: yaml }));
  }
  applyFile(name: string): string {
    return this.get('apply', '-f', join(WALKTHROUGHS, name));
  }
  jsonpath(path: string, ...args: string[]): string {
    return this.get('get', ...args, '-o', `jsonpath=${path}`);
  }
  onNode(node: string, ...command: string[]): Result {
    return this.fairway('node exec', node, '--', ...command);
  }
  outside(...command: string[]): Result {
    return this.fairway('lan exec', '--', ...command);
  }
  /** A program of the test's own on a node: `nsenter` becomes it, so a signal reaches it. */
  spawnOnNode(node: string, ...command: string[]): ChildProcess {
    return spawn('nsenter', [`--net=/run/netns/fairway-${this.name}-${node}`, ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }
  /** The state file: which processes are whose. */
  state(): { processes: Record<string, { pid: number }> } {
    return JSON.parse(readFileSync(join(this.dir, 'state.json'), 'utf8')) as {
      processes: Record<string, { pid: number }>;
    };
  }
  waitRollout(name: string, namespace = 'default'): void {
    this.get('rollout', 'status', `deployment/${name}`, '-n', namespace, '--timeout=60s');
  }
  /** On failure: what the parts said, so that a red test explains itself. */
  logs(): string {
    return this.fairway('logs', '--tail', '40').stdout;
  }
  stop(): void {
    must(this.fairway('down', '--purge'));
    assert.deepEqual(this.remains(), [], 'down leaves nothing');
    rmSync(this.dataDir, { recursive: true, force: true });
  }
  /** Processes, mounts, links, namespaces, control groups and rules of this cluster that are still there. */
  remains(): string[] {
    const lines = (text: string, what: string, pattern: string) =>
      text
        .split('\n')
        .filter((line) => line.includes(pattern))
        .map((line) => `${what}: ${line}`);
    const { cgroup } = layoutOf(this.name, this.dataDir, 0);
    const processes = run('ps', ['-eo', 'pid,args']).stdout;
    return [
      ...lines(processes, 'process', `${this.dir}/`),
      ...lines(readFileSync('/proc/mounts', 'utf8'), 'mount', this.dir),
      ...lines(run('ip', ['-o', 'link']).stdout, 'link', 'fairway'),
      ...lines(run('ip', ['netns']).stdout, 'namespace', `fairway-${this.name}-`),
      ...lines(run('find', ['/sys/fs/cgroup', '-maxdepth', '3', '-name', cgroup]).stdout, 'cgroup', cgroup),
      ...lines(run('nft', ['list', 'tables']).stdout, 'rule', 'fairway'),
      ...lines(run('iptables-legacy-save', []).stdout + run('iptables-save', []).stdout, 'rule', 'KUBE-'),
    ];
  }
}
