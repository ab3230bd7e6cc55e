/** A server process of its own on loopback, started from the command line, for tests that kill it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpClient } from '../../src/client/http-client.ts';
import { ensureCertificates, pkiPaths } from '../../src/cluster/certificates.ts';
import { FAIRWAY } from './cluster.ts';

export class ServerProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'fw-server-'));
  readonly port: number;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #removed = false;

  /** @param args further flags, such as `--datastore` */
  constructor(port: number, args: readonly string[] = []) {
    this.port = port;
    this.#args = args;
  }

  /** @param like servers of one cluster have its certificates and keys in common */
  async prepare(like?: ServerProcess): Promise<void> {
    if (like) {
      cpSync(join(like.folder, 'pki'), join(this.folder, 'pki'), { recursive: true });
      return;
    }
    await ensureCertificates(join(this.folder, 'pki'), [
      { file: 'apiserver', commonName: 'kube-apiserver', use: 'server', ips: ['127.0.0.1'] },
      { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters', use: 'client' },
      {
        file: 'kubelet-client',
        commonName: 'kube-apiserver-kubelet-client',
        organization: 'system:masters',
        use: 'client',
      },
    ]);
  }

  get connection(): { server: string; ca: string; cert: string; key: string } {
    const pki = pkiPaths(join(this.folder, 'pki'));
    const read = (file: string) => readFileSync(file, 'utf8');
    return {
      server: `https://127.0.0.1:${String(this.port)}`,
      ca: read(pki.ca),
      cert: read(pki.cert('admin')),
      key: read(pki.key('admin')),
    };
  }

  client(): ReturnType<typeof createHttpClient> {
    return createHttpClient(this.connection);
  }

  /** Does nothing once removed: a killer that is still at work must leave nothing behind. */
  start(): void {
    if (this.#removed) return;
    const pki = pkiPaths(join(this.folder, 'pki'));
    const log = openSync(this.logFile, 'a');
    this.#child = spawn(
      FAIRWAY,
      [
        'server',
        `--data-dir=${this.folder}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=192.0.2.10',
        `--secure-port=${String(this.port)}`,
        `--client-ca-file=${pki.ca}`,
        `--tls-cert-file=${pki.cert('apiserver')}`,
        `--tls-private-key-file=${pki.key('apiserver')}`,
        `--kubelet-client-certificate=${pki.cert('kubelet-client')}`,
        `--kubelet-client-key=${pki.key('kubelet-client')}`,
        `--service-account-signing-key-file=${pki.serviceAccountKey}`,
        ...this.#args,
      ],
      { stdio: ['ignore', log, log] },
    );
  }

  get logFile(): string {
    return join(this.folder, 'server.log');
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves once the process is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    this.#removed = true;
    await this.kill('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
