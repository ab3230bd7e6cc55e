/**
 * The table of what forgers try. The upstream is real sockets on the loopback link; the forger sends what he likes, from the upstream's own port as one does who can
 * forge a sender, before the true answer comes. Each row: what the asker is told, over what it was fetched in the end, and what is kept. What is kept is seen by asking
 * again when the upstream says something else.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'node:test';
import { RCODE, replyTo, TYPE, type Message, type Question } from '../../wire/message.ts';
import { encodeMessage, MAX_MESSAGE } from '../../wire/message-codec.ts';
import { fakeUpstream, recordOf, recordsOf, type Answering, type Asked } from './fake-upstream.ts';
import { forwarding } from './forwarding.ts';

const NAME = 'www.bank.example.';
const EVIL = '203.0.113.66';
const TRUE = '192.0.2.1';
/** What the upstream says when asked again. */
const LATER = '192.0.2.2';

const nameOf = ({ questions }: Message): string => questions[0]?.name ?? '';
const saying = (query: Message, address: string, change: Partial<Message> = {}): Message => ({
  ...replyTo(query, RCODE.NOERROR),
  answers: [recordOf(`${nameOf(query)} 60 A ${address}`)],
  ...change,
});
const bytes = (message: Message): Buffer => encodeMessage(message, MAX_MESSAGE);
const asking = (query: Message, change: Partial<Question>): Message => ({
  ...query,
  questions: query.questions.map((each) => ({ ...each, ...change })),
});

/** Sends from a socket of the forger's own. */
async function sendFrom(address: string, port: number, to: number, forged: Buffer): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  await new Promise((resolve) => socket.send(forged, to, '127.0.0.1', resolve));
  socket.close();
}

interface Row {
  readonly attack: string;
  /** Before the true answer. */
  readonly forge: (asked: Asked, upstreamPort: number) => Promise<void> | undefined;
  /** Over what the true answer came in the end. */
  readonly over: 'udp' | 'tcp';
}

/** The same forgery so often. */
const times = (count: number, asked: Asked, make: (at: number) => Message) => {
  for (let at = 0; at < count; at++) asked.send(bytes(make(at)));
  return undefined;
};
const otherId = (query: Message, at: number): Message => ({ ...query, id: (query.id + 1 + at) & 0xffff });

/** The forger is not believed: the asker is told the truth, and the truth is kept. */
const unbelieved: readonly Row[] = [
  {
    attack: 'guesses a few ids',
    over: 'udp',
    forge: (asked) => times(5, asked, (at) => saying(otherId(asked.query, at), EVIL)),
  },
  {
    attack: 'guesses many ids: then it is asked over TCP',
    over: 'tcp',
    forge: (asked) => times(50, asked, (at) => saying(otherId(asked.query, at), EVIL)),
  },
  {
    attack: 'knows the id and the letters, and sends from another port',
    over: 'udp',
    forge: ({ query, port }) => sendFrom('127.0.0.1', 0, port, bytes(saying(query, EVIL))),
  },
  {
    attack: 'the same from another address and the right port',
    over: 'udp',
    forge: ({ query, port }, upstreamPort) => sendFrom('127.0.0.66', upstreamPort, port, bytes(saying(query, EVIL))),
  },
  {
    attack: 'knows the id, and not the case of the letters: then it is asked over TCP',
    over: 'tcp',
    forge: (asked) =>
      times(1, asked, () => saying(asking(asked.query, { name: nameOf(asked.query).toLowerCase() }), EVIL)),
  },
  {
    attack: 'knows the id, and answers about another name',
    over: 'udp',
    forge: (asked) => times(1, asked, () => saying(asking(asked.query, { name: 'x.example.' }), EVIL)),
  },
  {
    attack: 'about another type',
    over: 'udp',
    forge: (asked) => times(1, asked, () => saying(asking(asked.query, { type: TYPE.TXT }), EVIL)),
  },
  {
    attack: 'about another class',
    over: 'udp',
    forge: (asked) => times(1, asked, () => saying(asking(asked.query, { class: 3 }), EVIL)),
  },
  {
    attack: 'about two things at once',
    over: 'udp',
    forge: (asked) =>
      times(1, asked, () => ({
        ...saying(asked.query, EVIL),
        questions: [...asked.query.questions, ...asked.query.questions],
      })),
  },
  {
    attack: 'about nothing',
    over: 'udp',
    forge: (asked) => times(1, asked, () => ({ ...saying(asked.query, EVIL), questions: [] })),
  },
  {
    attack: 'sends a question',
    over: 'udp',
    forge: (asked) => times(1, asked, () => ({ ...saying(asked.query, EVIL), isResponse: false })),
  },
  {
    attack: 'sends another kind of answer',
    over: 'udp',
    forge: (asked) => times(1, asked, () => ({ ...saying(asked.query, EVIL), opcode: 5 })),
  },
  {
    attack: 'sends more than was said that we take: then it is asked over TCP',
    over: 'tcp',
    forge: (asked) =>
      times(1, asked, () => ({
        ...saying(asked.query, EVIL),
        answers: Array.from({ length: 90 }, (_, at) => recordOf(`${nameOf(asked.query)} 60 A 203.0.113.${String(at)}`)),
      })),
  },
  {
    attack: 'says that the answer is cut off: then it is asked over TCP',
    over: 'tcp',
    forge: (asked) => times(1, asked, () => saying(asked.query, EVIL, { truncated: true })),
  },
  {
    attack: 'sends a message that ends in the middle',
    over: 'udp',
    forge: (asked) => {
      const whole = bytes(saying(asked.query, EVIL));
      asked.send(whole.subarray(0, whole.length - 20));
      return undefined;
    },
  },
  {
    attack: 'says that EDNS is not known: it is asked without',
    over: 'udp',
    forge: (asked) =>
      asked.query.edns ? times(1, asked, () => ({ ...replyTo(asked.query, RCODE.FORMERR), questions: [] })) : undefined,
  },
];

/** An upstream, a server before it with a cache, and what came of it. */
async function play(answer: (asked: Asked, port: number) => ReturnType<Answering>) {
  let port = 0;
  const upstream = await fakeUpstream((asked) => answer(asked, port));
  ({ port } = upstream);
  const server = await forwarding(`cache\nforward . ${upstream.to}`);
  return { upstream, server, stop: async () => (await server.stop(), upstream.close()) };
}

for (const { attack, forge, over } of unbelieved) {
  test(`${attack}: the asker is told the truth, and that is kept`, async () => {
    const { upstream, server, stop } = await play(async (asked, port) => {
      if (asked.over === 'udp') await forge(asked, port);
      return saying(asked.query, TRUE);
    });
    try {
      assert.equal(await server.short(NAME), `NOERROR ${NAME} 60 IN A ${TRUE}`);
      assert.equal(upstream.questions.at(-1)?.over, over);
      upstream.answer = ({ query }) => saying(query, LATER);
      const again = await server.ask(NAME);
      assert.deepEqual([again.from, again.message.answers.length], ['cache', 1]);
      assert.match(JSON.stringify(again.message.answers), new RegExp(`"${TRUE}"`));
      assert.match(await server.short('x.example.'), new RegExp(LATER), 'something was planted');
    } finally {
      await stop();
    }
  });
}

test('an answer that comes after the true one is for nobody', async () => {
  const { upstream, server, stop } = await play((asked) => {
    asked.send(bytes(saying(asked.query, TRUE)));
    asked.send(bytes(saying(asked.query, EVIL)));
    return undefined;
  });
  try {
    for (const from of ['forward', 'cache']) {
      const reply = await server.ask(NAME);
      assert.equal(reply.from, from);
      assert.match(JSON.stringify(reply.message.answers), new RegExp(`"${TRUE}"`));
    }
    assert.equal(upstream.questions.length, 1);
  } finally {
    await stop();
  }
});

const SOA = 'SOA ns.evil.example. x.evil.example. 1 2 3 4 3600';

/** Here the upstream itself is told lies, or lies: what it says beside the answer to the question. `others` are asked afterwards and were not planted. */
const beside: readonly {
  readonly lie: string;
  readonly sections: (name: string) => Partial<Record<'answers' | 'authorities' | 'additionals', string>>;
  readonly rcode?: number;
  readonly told: string;
  /** Whether the answer to the question itself is kept. */
  readonly isKept: boolean;
  readonly others: readonly string[];
}[] = [
  {
    lie: 'addresses of others in the additional section',
    sections: (name) => ({
      answers: `${name} 60 A ${TRUE}`,
      additionals: `mail.bank.test. 60 A ${EVIL}\nbank.test. 60 A ${EVIL}`,
    }),
    told: `NOERROR ${NAME} 60 IN A ${TRUE}`,
    isKept: true,
    others: ['mail.bank.test.', 'bank.test.'],
  },
  {
    lie: 'name servers of others with their addresses',
    sections: (name) => ({
      answers: `${name} 60 A ${TRUE}`,
      authorities: 'test. 60 NS ns.evil.test.\nbank.test. 60 NS ns.evil.test.',
      additionals: `ns.evil.test. 60 A ${EVIL}`,
    }),
    told: `NOERROR ${NAME} 60 IN A ${TRUE}`,
    isKept: true,
    others: ['ns.evil.test.', 'bank.test.'],
  },
  {
    lie: 'addresses of others in the answer section',
    sections: (name) => ({ answers: `bank.test. 60 A ${EVIL}\n${name} 60 A ${TRUE}` }),
    told: `NOERROR ${NAME} 60 IN A ${TRUE}`,
    isKept: true,
    others: ['bank.test.'],
  },
  {
    lie: 'an alias to a name of others, with its address: true of this name, for its owner may point it anywhere, and of this name only',
    sections: (name) => ({ answers: `${name} 60 CNAME bank.test.\nbank.test. 60 A ${EVIL}` }),
    told: `NOERROR ${NAME} 60 IN CNAME bank.test. bank.test. 60 IN A ${EVIL}`,
    isKept: true,
    others: ['bank.test.'],
  },
  {
    lie: 'an address that no alias leads to',
    sections: (name) => ({ answers: `${name} 60 CNAME a.test.\nbank.test. 60 A ${EVIL}` }),
    told: `NOERROR ${NAME} 60 IN CNAME a.test.`,
    // Nothing says for how long there is nothing behind the alias; the alias itself has a TTL.
    isKept: true,
    others: ['bank.test.', 'a.test.'],
  },
  {
    lie: 'a denial by the SOA of others',
    sections: () => ({ authorities: `bank.test. 3600 ${SOA}` }),
    rcode: RCODE.NXDOMAIN,
    told: 'NXDOMAIN',
    isKept: false,
    others: ['bank.test.'],
  },
  {
    lie: 'an alias above the name',
    sections: (name) => ({ answers: `bank.example. 60 CNAME evil.test.\n${name} 60 A ${TRUE}` }),
    told: `NOERROR ${NAME} 60 IN A ${TRUE}`,
    isKept: true,
    others: ['bank.example.'],
  },
  {
    lie: 'a TTL of 68 years',
    sections: (name) => ({ answers: `${name} 2147483647 A ${TRUE}` }),
    told: `NOERROR ${NAME} 3600 IN A ${TRUE}`,
    isKept: true,
    others: [],
  },
];

for (const { lie, sections, rcode = RCODE.NOERROR, told, isKept, others } of beside) {
  test(`${lie}: is not told to anybody who did not ask for it, and not kept`, async () => {
    const { upstream, server, stop } = await play(({ query }) => {
      const { answers = '', authorities = '', additionals = '' } = sections(nameOf(query));
      return {
        ...replyTo(query, rcode),
        answers: recordsOf(answers),
        authorities: recordsOf(authorities),
        additionals: recordsOf(additionals),
      };
    });
    try {
      const first = await server.ask(NAME);
      assert.deepEqual([first.message.authorities, first.message.additionals], [[], []]);
      upstream.answer = ({ query }) => saying(query, LATER);
      for (const name of others) assert.equal(await server.short(name), `NOERROR ${name} 60 IN A ${LATER}`);
      const asked = upstream.questions.length;
      assert.equal(await server.short(NAME), isKept ? told : `NOERROR ${NAME} 60 IN A ${LATER}`);
      assert.equal(upstream.questions.length > asked, !isKept);
    } finally {
      await stop();
    }
  });
}

test('a forger has one chance, however many ask: the same question is asked once at a time', async () => {
  const { upstream, server, stop } = await play(({ query }) => saying(query, TRUE));
  try {
    await Promise.all(Array.from({ length: 100 }, () => server.ask(NAME)));
    assert.equal(upstream.questions.length, 1);
  } finally {
    await stop();
  }
});

test('ports, ids and letters are spread as they must be to be hard to guess', async () => {
  const { upstream, server, stop } = await play(({ query }) => saying(query, TRUE));
  try {
    for (let at = 0; at < 200; at++) await server.ask(`n${String(at)}.abcdefgh.example.`);
    const { questions } = upstream;
    assert.ok(new Set(questions.map(({ query }) => query.id)).size > 190, 'ids repeat');
    assert.ok(new Set(questions.map(({ port }) => port)).size > 150, 'ports repeat');
    const ids = questions.map(({ query }) => query.id);
    const steps = ids.slice(1).map((id, at) => id - (ids[at] ?? 0));
    assert.ok(new Set(steps).size > 150, 'ids go in steps');
    // Of 16 letters half are large: 200 names make a mean that is far from neither.
    const large = questions.reduce((sum, { query }) => sum + nameOf(query).replaceAll(/[^A-Z]/g, '').length, 0);
    assert.ok(large > 1400 && large < 1800, `${String(large)} large letters`);
  } finally {
    await stop();
  }
});
