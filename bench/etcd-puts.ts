/** The floor of a durable write: etcd's own, asked over gRPC with nothing of ours in between, on the same disk. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { connect, type ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { eventually } from '../test/support/cluster.ts';

export class Etcd {
  readonly #child: ChildProcess;
  readonly #session: ClientHttp2Session;
  #next = 0;

  /** Data goes below `folder`. */
  static async start(folder: string, port: number): Promise<Etcd> {
    const data = join(folder, 'etcd');
    mkdirSync(data);
    const url = `http://127.0.0.1:${String(port)}`;
    const peer = `http://127.0.0.1:${String(port + 1)}`;
    const flags = [`--data-dir=${data}`, `--listen-client-urls=${url}`, `--advertise-client-urls=${url}`];
    const peers = [
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ];
    const child = spawn('etcd', [...flags, ...peers, '--logger=zap', '--log-level=error'], { stdio: 'ignore' });
    await eventually(async () => {
      const answer = await fetch(`${url}/health`);
      if (!answer.ok) throw new Error('etcd is not there yet');
    }, 10_000);
    return new Etcd(child, connect(url));
  }

  private constructor(child: ChildProcess, session: ClientHttp2Session) {
    this.#child = child;
    this.#session = session;
  }

  /** Milliseconds of each put of a value as long as a stored Service, and of all of them. */
  async puts(clients: number, count: number): Promise<{ times: number[]; total: number }> {
    const times: number[] = [];
    const last = this.#next + count;
    const begin = performance.now();
    const client = async () => {
      while (this.#next < last) {
        const start = performance.now();
        await this.#put(`/registry/services/specs/default/bench-${String(this.#next++)}`);
        times.push(performance.now() - start);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    return { times, total: performance.now() - begin };
  }

  async stop(): Promise<void> {
    this.#session.destroy();
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** etcdserverpb.KV/Put: key = 1, value = 2. */
  #put(key: string): Promise<void> {
    const value = Buffer.alloc(900, 'x');
    const message = Buffer.concat([
      Buffer.from([0x0a, key.length]),
      Buffer.from(key),
      Buffer.from([0x12, 0x84, 0x07]),
      value,
    ]);
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(message.length, 1);
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': '/etcdserverpb.KV/Put',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let status = '';
      stream.on('trailers', (trailers) => (status = String(trailers['grpc-status'])));
      stream.on('error', reject);
      stream.on('end', () => {
        if (status === '0') resolve();
        else reject(new Error(`etcd answered gRPC status ${status}`));
      });
      stream.resume();
      stream.end(Buffer.concat([frame, message]));
    });
  }
}
