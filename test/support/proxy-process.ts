/** `fairway proxy` as a process of its own, for tests in an outer namespace. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { ENDPOINT_SLICES, SERVICES } from '../../src/api/kinds.ts';
import type { Service } from '../../src/api/types.ts';
import type { Client } from '../../src/client/client.ts';
import { FAIRWAY } from './cluster.ts';

/** Not in one breath with us: the API server it asks is in this process. */
export async function run(
  file: string,
  ...args: string[]
): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}

/** A Service `default/web` on port 80 with one endpoint, 8080 of node01 at `nodeIP`. Returns it as the API keeps it. */
export async function createWeb(client: Client, nodeIP: string, spec: Partial<Service['spec']> = {}): Promise<Service> {
  const metadata = { name: 'web', namespace: 'default' };
  const ports = [{ port: 80, protocol: 'TCP' as const, targetPort: 8080 }];
  const created = await client.create(SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { ports, ...spec },
  });
  await client.create(ENDPOINT_SLICES, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: [nodeIP], nodeName: 'node01', conditions: { ready: true } }],
  });
  return created;
}

/** A proxy process and what it logs. */
export class ProxyProcess {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  #waiting: { pattern: RegExp; resolve: () => void }[] = [];

  constructor(kubeconfig: string, ...args: string[]) {
    const all = ['proxy', '--kubeconfig', kubeconfig, '-v', '4', ...args];
    this.child = spawn(FAIRWAY, all, { stdio: ['ignore', 'inherit', 'pipe'] });
    createInterface({ input: this.child.stderr! }).on('line', (line) => {
      this.lines.push(line);
      for (const { pattern, resolve } of this.#waiting) if (pattern.test(line)) resolve();
    });
  }

  async says(pattern: RegExp): Promise<void> {
    if (this.lines.some((line) => pattern.test(line))) return;
    const ended = once(this.child, 'exit').then(() => {
      throw new Error(`ended before it said ${String(pattern)}:\n${this.lines.join('\n')}`);
    });
    const said = new Promise<void>((resolve) => this.#waiting.push({ pattern, resolve }));
    await Promise.race([said, ended]);
    ended.catch(() => undefined);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const exit = once(this.child, 'exit') as Promise<[number | null]>;
    this.child.kill(signal);
    return (await exit)[0];
  }
}
