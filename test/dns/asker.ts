/** Questions over UDP, many at once, as dnsperf asks them; each answer as one word to compare. */
import { createSocket, type Socket } from 'node:dgram';
import { queryFor, RCODE, TYPE, type Message } from '../../src/dns/wire/message.ts';
import { decodeMessage, encodeMessage } from '../../src/dns/wire/message-codec.ts';
import { rcodeName } from '../../src/dns/wire/record-text.ts';
import type { Value } from './truth.ts';

/** ms until a question counts as lost. */
const PATIENCE = 5000;

export class Asker {
  readonly #socket: Socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  readonly #port: number;
  readonly #waiting = new Map<number, (value: Value | undefined) => void>();
  #id = 0;

  constructor(port: number) {
    this.#port = port;
    this.#socket.on('message', (bytes) => {
      const reply = decodeMessage(bytes);
      this.#waiting.get(reply.id)?.(valueOf(reply));
    });
  }

  /** Undefined: no answer came. */
  ask(name: string, type: keyof typeof TYPE): Promise<Value | undefined> {
    this.#id = (this.#id + 1) & 0xffff;
    const id = this.#id;
    const query = encodeMessage(queryFor(id, { name, type: TYPE[type], class: 1 }), 512);
    return new Promise((resolve) => {
      const finish = (value: Value | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(value);
      };
      const timer = setTimeout(finish, PATIENCE, undefined);
      this.#waiting.set(id, finish);
      this.#socket.send(query, this.#port, '127.0.0.1');
    });
  }

  close(): void {
    this.#socket.close();
  }
}

function valueOf({ rcode, answers }: Message): Value {
  if (rcode !== RCODE.NOERROR) return rcodeName(rcode);
  if (answers.length === 0) return 'NODATA';
  return answers
    .map((record) => ('address' in record ? record.address : 'target' in record ? `CNAME ${record.target}` : '?'))
    .sort()
    .join(' ');
}
