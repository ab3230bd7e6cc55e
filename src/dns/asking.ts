/** Asks a DNS server over real sockets of this machine's loopback. For tests. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message, type Question, type Record } from './wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from './wire/message-codec.ts';

const EDNS = { size: 4096, version: 0, dnssecOk: false };
const PATIENCE_MS = 20_000;

/** All answers, in the order of the questions. @throws Error where one does not come */
export function askUdp(port: number, questions: readonly Question[]): Promise<Message[]> {
  const socket = createSocket('udp4');
  return collect(
    questions,
    (take, fail) => {
      socket.on('message', take).on('error', fail);
      // Not all at once: the receive buffer of a socket is small.
      let next = 0;
      const sendMore = () => {
        for (const end = Math.min(next + 16, questions.length); next < end; next++) {
          socket.send(queryBytes(next, questions[next]), port, '127.0.0.1');
        }
      };
      socket.on('message', sendMore);
      sendMore();
    },
    () => {
      socket.close();
    },
  );
}

/** All over one connection. @throws Error where an answer does not come */
export function askTcp(port: number, questions: readonly Question[]): Promise<Message[]> {
  const socket = connect(port, '127.0.0.1');
  return collect(
    questions,
    (take, fail) => {
      let buffered: Buffer = Buffer.alloc(0);
      socket.on('error', fail).on('data', (bytes: Buffer) => {
        buffered = Buffer.concat([buffered, bytes]);
        for (;;) {
          const length = buffered.length < 2 ? Infinity : buffered.readUInt16BE(0) + 2;
          if (buffered.length < length) break;
          take(buffered.subarray(2, length));
          buffered = buffered.subarray(length);
        }
      });
      for (const [id, question] of questions.entries()) {
        const bytes = queryBytes(id, question);
        socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]));
      }
    },
    () => {
      socket.destroy();
    },
  );
}

const queryBytes = (id: number, question: Question = { name: '.', type: 1, class: CLASS_IN }): Buffer =>
  encodeMessage(queryFor(id, question, EDNS), MAX_MESSAGE);

async function collect(
  questions: readonly Question[],
  begin: (take: (bytes: Buffer) => void, fail: (error: Error) => void) => void,
  end: () => void,
): Promise<Message[]> {
  const answers = new Map<number, Message>();
  const done = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    const missing = questions.find((_, id) => !answers.has(id));
    done.reject(new Error(`no answer for ${missing?.name ?? ''}`));
  }, PATIENCE_MS);
  try {
    begin((bytes) => {
      const message = decodeMessage(bytes);
      answers.set(message.id, message);
      if (answers.size === questions.length) done.resolve(undefined);
    }, done.reject);
    await done.promise;
    return questions.flatMap((_, id) => answers.get(id) ?? []);
  } finally {
    clearTimeout(timer);
    end();
  }
}

/** With it a denial may be kept. */
const SOA: Record = {
  ...{ name: '.', ttl: 600, type: TYPE.SOA, mname: 'ns.example.', rname: 'hostmaster.example.', serial: 1 },
  ...{ refresh: 7200, retry: 1800, expire: 86_400, minimum: 600 },
};

/** What a server says that knows these records and that there are no others. */
export function knowing(records: readonly Record[], query: Message): Message {
  const [question] = query.questions;
  const named = records.filter(({ name }) => name === question?.name.toLowerCase());
  const answers = named.filter(({ type }) => type === question?.type);
  const reply = replyTo(query, named.length > 0 ? RCODE.NOERROR : RCODE.NXDOMAIN);
  return { ...reply, answers, authorities: answers.length > 0 ? [] : [SOA] };
}
