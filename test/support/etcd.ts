/** etcd of the distribution, one member or a cluster, on loopback, for one test file. Its data lies in memory: nobody waits for a disk. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

const PROGRAM = '/usr/bin/etcd';
const SHARED_MEMORY = '/dev/shm';

/** Members elect a new leader in a fraction of a second: on loopback a heartbeat takes no time. */
const HEARTBEAT = 50;
const ELECTION = 500;

export interface EtcdClusterOptions {
  /** How many; one by default. */
  readonly size?: number;
  readonly args?: readonly string[];
  /** Where the members keep their data; a folder in memory by default. */
  readonly folder?: string;
  /** PEM files: clients must show a certificate of this CA. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** A skip would hide that nothing was proved. */
function requireEtcd(): void {
  if (!existsSync(PROGRAM)) throw new Error('etcd is missing: apt-get install etcd-server (scripts/setup --test)');
}

class Member {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #args: readonly string[] = [];
  #removed = false;

  constructor(folder: string, index: number, ports: { client: number; peer: number }, scheme: string) {
    this.name = `m${String(index)}`;
    this.#folder = folder;
    this.clientUrl = `${scheme}://127.0.0.1:${String(ports.client)}`;
    this.peerUrl = `http://127.0.0.1:${String(ports.peer)}`;
  }

  get logFile(): string {
    return join(this.#folder, `${this.name}.log`);
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Does nothing once removed: a killer that is still at work must leave nothing behind. */
  start(args: readonly string[] = this.#args): void {
    if (this.#removed) return;
    this.#args = args;
    const log = openSync(this.logFile, 'a');
    this.#child = spawn(
      PROGRAM,
      [
        `--name=${this.name}`,
        `--data-dir=${join(this.#folder, this.name)}`,
        `--listen-client-urls=${this.clientUrl}`,
        `--advertise-client-urls=${this.clientUrl}`,
        `--listen-peer-urls=${this.peerUrl}`,
        `--initial-advertise-peer-urls=${this.peerUrl}`,
        `--heartbeat-interval=${String(HEARTBEAT)}`,
        `--election-timeout=${String(ELECTION)}`,
        '--logger=zap',
        '--log-level=warn',
        ...args,
      ],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
  }

  /** Resolves once the process that runs now is gone, whatever ended it. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (!child || !this.running) return;
    await new Promise((resolve) => child.once('exit', resolve));
  }

  /** Resolves once the process is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const ended = this.ended();
    if (this.running) this.#child?.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    this.#removed = true;
    this.thaw();
    await this.kill();
  }

  /** Stops it as it is, connections and all: what a hanging machine looks like. Resolves once none of its threads runs any more. */
  async freeze(): Promise<void> {
    const child = this.#child;
    if (!child || !this.running) return;
    child.kill('SIGSTOP');
    const tasks = `/proc/${String(child.pid)}/task`;
    await eventually(
      () => {
        for (const task of readdirSync(tasks)) {
          const state = /^State:\s+(\S)/m.exec(readFileSync(join(tasks, task, 'status'), 'utf8'))?.[1];
          if (state !== 'T') throw new Error(`${this.name} still runs`);
        }
      },
      5000,
      1,
    );
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }
}

export type EtcdMember = Member;

export class EtcdCluster {
  readonly members: readonly Member[];
  readonly folder: string;
  readonly #options: EtcdClusterOptions;

  private constructor(options: EtcdClusterOptions, folder: string, members: readonly Member[]) {
    this.#options = options;
    this.folder = folder;
    this.members = members;
  }

  /** Starts all members and waits until they serve. */
  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    requireEtcd();
    const { size = 1, tls, args = [] } = options;
    const folder =
      options.folder ?? mkdtempSync(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), 'fairway-etcd-'));
    const ports = await freePorts(2 * size);
    const members = Array.from(
      { length: size },
      (_, at) =>
        new Member(folder, at, { client: ports[2 * at] ?? 0, peer: ports[2 * at + 1] ?? 0 }, tls ? 'https' : 'http'),
    );
    const cluster = new EtcdCluster(options, folder, members);
    const initial = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
    const secure = tls
      ? [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`, `--trusted-ca-file=${tls.ca}`, '--client-cert-auth']
      : [];
    for (const member of members)
      member.start([`--initial-cluster=${initial}`, '--initial-cluster-state=new', ...secure, ...args]);
    try {
      await cluster.ready();
    } catch (error) {
      const logs = members.map(({ logFile }) => readFileSync(logFile, 'utf8').slice(-1000)).join('\n');
      await cluster.remove();
      throw new Error(`etcd did not start: ${logs}`, { cause: error });
    }
    return cluster;
  }

  /** As `--datastore` takes it. */
  get endpoints(): string {
    return this.members.map(({ clientUrl }) => clientUrl).join(',');
  }

  /** Every running member has logged that it serves, or answers on its port. */
  async ready(): Promise<void> {
    const { connect } = await import('node:net');
    await eventually(
      async () => {
        for (const { clientUrl, running, name } of this.members) {
          if (!running) throw new Error(`${name} has ended`);
          await new Promise<void>((resolve, reject) => {
            const socket = connect(Number(new URL(clientUrl).port), '127.0.0.1', () => {
              socket.destroy();
              resolve();
            });
            socket.on('error', reject);
          });
        }
      },
      20_000,
      10,
    );
  }

  async remove(): Promise<void> {
    await Promise.all(this.members.map((member) => member.remove()));
    if (this.#options.folder === undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Held open together, so that none is given twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
