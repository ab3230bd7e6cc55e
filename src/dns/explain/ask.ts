/** Questions to one server as a stub resolver sends them: all types from one UDP socket, and again over TCP where the answer was cut off. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIP } from 'node:net';
import { queryFor, RCODE, TYPE, type Message } from '../wire/message.ts';
import { decodeMessage, encodeMessage } from '../wire/message-codec.ts';
import { recordText } from '../wire/record-text.ts';
import type { Heard } from './lookup.ts';
import type { Outcome } from './search-list.ts';

export interface AskOptions {
  /** ms */
  readonly timeout: number;
  readonly port?: number;
  /** `use-vc` of a resolv.conf: never over UDP. */
  readonly tcp?: boolean;
}

const DNS_PORT = 53;
/** What a resolver without EDNS takes over UDP. */
const SMALLEST = 512;

/** Never rejects: what goes wrong is what was heard. */
export async function askServer(
  name: string,
  types: readonly number[],
  server: string,
  options: AskOptions,
): Promise<Heard[]> {
  const questions = types.map((type) => ({ id: randomInt(1, 65_536), name, type, server }));
  if (isIP(server.replace(/%.*$/, '')) === 0) {
    const error = 'that is no address';
    return questions.map((asked) => ({
      ...asked,
      transport: 'udp',
      outcome: 'unreachable',
      answers: [],
      ms: 0,
      error,
    }));
  }
  const heard = options.tcp ? undefined : await overUdp(questions, options);
  return await Promise.all(
    questions.map(async (question, at) => {
      const first = heard?.[at];
      return first && !first.truncated ? first.heard : await overTcp(question, options);
    }),
  );
}

type Asked = Pick<Heard, 'id' | 'name' | 'type' | 'server'>;

interface UdpHeard {
  readonly heard: Heard;
  readonly truncated: boolean;
}

function overUdp(questions: readonly Asked[], { timeout, port = DNS_PORT }: AskOptions): Promise<UdpHeard[]> {
  const [first] = questions;
  if (!first) return Promise.resolve([]);
  const socket = createSocket(first.server.includes(':') ? 'udp6' : 'udp4');
  const results = new Map<number, UdpHeard>();
  return new Promise((resolve) => {
    let began = performance.now();
    let isOver = false;
    const finish = (outcome: Outcome, error: string) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.close();
      const ms = performance.now() - began;
      resolve(
        questions.map(
          (asked) =>
            results.get(asked.id) ?? {
              heard: { ...asked, transport: 'udp', outcome, answers: [], ms, error },
              truncated: false,
            },
        ),
      );
    };
    const timer = setTimeout(finish, timeout, 'silence', `no answer within ${String(timeout / 1000)} s`);
    socket.on('error', (error) => {
      finish('unreachable', wordsOf(error));
    });
    socket.on('message', (bytes) => {
      const message = decoded(bytes);
      const asked = questions.find((each) => message !== undefined && isReplyTo(message, each));
      if (!message || !asked) return;
      const heard = heardFrom(asked, message, 'udp', performance.now() - began);
      results.set(asked.id, { heard, truncated: message.truncated });
      if (results.size === questions.length) finish('silence', '');
    });
    // Connected, so that the kernel tells when nobody is there, and takes answers from nobody else.
    // The callback is told of a failure too, whatever its type says.
    socket.connect(port, first.server, (error?: unknown) => {
      if (error instanceof Error) {
        finish('unreachable', wordsOf(error));
        return;
      }
      began = performance.now();
      for (const asked of questions) {
        // What the network said to the first question is the error of sending the second.
        socket.send(queryBytes(asked), (failure) => {
          if (failure) finish('unreachable', wordsOf(failure));
        });
      }
    });
  });
}

function overTcp(asked: Asked, { timeout, port = DNS_PORT }: AskOptions): Promise<Heard> {
  const began = performance.now();
  const socket = connect({ host: asked.server, port });
  socket.setTimeout(timeout);
  return new Promise((resolve) => {
    const fail = (outcome: Outcome, error: string) => {
      socket.destroy();
      resolve({ ...asked, transport: 'tcp', outcome, answers: [], ms: performance.now() - began, error });
    };
    let held = Buffer.alloc(0);
    socket.on('connect', () => {
      const bytes = queryBytes(asked);
      socket.write(Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]));
    });
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return;
      const message = decoded(held.subarray(2, 2 + held.readUInt16BE(0)));
      if (!message || !isReplyTo(message, asked)) {
        fail('silence', 'an answer that cannot be read');
        return;
      }
      socket.destroy();
      resolve(heardFrom(asked, message, 'tcp', performance.now() - began));
    });
    socket.on('timeout', () => {
      fail('silence', `no answer within ${String(timeout / 1000)} s`);
    });
    socket.on('error', (error) => {
      fail('unreachable', wordsOf(error));
    });
    socket.on('end', () => {
      fail('silence', 'the server hung up');
    });
  });
}

/** What can be asked at all: labels of 1 to 63 printable characters, 253 in all. Whether it makes sense is for the server to say. */
export function isAskable(name: string): boolean {
  if (name === '.') return true;
  const bare = name.replace(/\.$/, '');
  const isLabel = (label: string) => label !== '' && label.length <= 63;
  return bare.length <= 253 && /^[!-[\]-~]+$/.test(bare) && bare.split('.').every(isLabel);
}

const queryBytes = ({ id, name, type }: Asked): Buffer =>
  encodeMessage(queryFor(id, { name, type, class: 1 }), SMALLEST);

function decoded(bytes: Buffer): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch {
    return undefined;
  }
}

const isReplyTo = ({ isResponse, id, questions: [question] }: Message, asked: Asked): boolean =>
  isResponse &&
  id === asked.id &&
  question?.type === asked.type &&
  question.name.toLowerCase() === asked.name.toLowerCase();

function heardFrom(asked: Asked, message: Message, transport: Heard['transport'], ms: number): Heard {
  const { rcode, authoritative } = message;
  const answers = message.answers.map(recordText);
  return { ...asked, transport, outcome: outcomeOfMessage(message, asked.type), rcode, authoritative, answers, ms };
}

/** An alias that leads to no record of the asked type is no find. */
export function outcomeOfMessage({ rcode, answers }: Message, type: number): Outcome {
  if (rcode === RCODE.NXDOMAIN) return 'nxdomain';
  if (rcode === RCODE.SERVFAIL) return 'servfail';
  if (rcode !== RCODE.NOERROR) return 'refused';
  const isWanted = (one: Message['answers'][number]) =>
    type === TYPE.ANY || (one.type === 'other' ? one.code : one.type) === type;
  return answers.some(isWanted) ? 'found' : 'nodata';
}

function wordsOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'nobody listens there (connection refused)';
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH') return 'there is no way there (network unreachable)';
  return code ?? error.message;
}
