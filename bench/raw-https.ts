/**
 * One kept-alive HTTPS connection that sends a request as few bytes and looks for little in the answer, so that on a small machine the
 * server is what is measured and not its client.
 */
import { connect, type TLSSocket } from 'node:tls';

export interface Address {
  readonly port: number;
  /** PEM texts of an administrator. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface RawAnswer {
  readonly status: number;
  readonly body: Buffer;
}

const END_OF_HEADERS = '\r\n\r\n';

export class RawConnection {
  readonly #socket: TLSSocket;
  #received: Buffer[] = [];
  #size = 0;
  /** Size of the whole answer; 0 while the headers are not there. */
  #wanted = 0;
  #settle: { resolve: (answer: RawAnswer) => void; reject: (error: Error) => void } | undefined;
  #stream: ((chunk: Buffer) => void) | undefined;

  static open({ port, ca, cert, key }: Address): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca, cert, key }, () => {
        socket.off('error', reject);
        resolve(new RawConnection(socket));
      });
      socket.once('error', reject);
    });
  }

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      if (this.#stream) this.#stream(chunk);
      else this.#take(chunk);
    });
    const fail = (error?: Error) => this.#settle?.reject(error ?? new Error('the server closed the connection'));
    socket.on('error', fail);
    socket.on('close', () => {
      fail();
    });
  }

  /** One at a time. Only for answers with a Content-Length. */
  request(method: string, path: string, body = '', headers = ''): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      const length =
        body === '' ? '' : `content-type: application/json\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\n`;
      this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}${length}\r\n${body}`);
    });
  }

  /** From here on everything that comes goes to `onChunk`, headers and chunk sizes included. */
  stream(path: string, onChunk: (chunk: Buffer) => void): void {
    this.#stream = onChunk;
    this.#socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#size += chunk.length;
    if (this.#wanted === 0) {
      const text = Buffer.concat(this.#received).toString('latin1');
      const end = text.indexOf(END_OF_HEADERS);
      if (end < 0) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1];
      this.#wanted = end + END_OF_HEADERS.length + Number(length ?? 0);
    }
    if (this.#size < this.#wanted) return;
    const whole = Buffer.concat(this.#received);
    const answer = {
      status: Number(whole.toString('latin1', 9, 12)),
      body: whole.subarray(whole.indexOf(END_OF_HEADERS) + END_OF_HEADERS.length),
    };
    this.#received = [];
    this.#size = this.#wanted = 0;
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve(answer);
  }
}
