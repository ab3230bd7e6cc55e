import assert from 'node:assert/strict';
import test from 'node:test';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message, type Record } from '../wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../wire/message-codec.ts';
import { PacketTable, type Making, type PacketTableOptions } from './packet-table.ts';
import { Versions } from './versions.ts';

const NAME = 'web.default.svc.cluster.local.';
const asked = (name: string, type: number = TYPE.A) => queryFor(0x1234, { name, type, class: CLASS_IN });
const bytesOf = (message: Message) => encodeMessage(message, MAX_MESSAGE);
const address = (name: string, text: string): Record => ({ name, ttl: 5, type: TYPE.A, address: text });
const answer = (query: Message, ...texts: string[]): Message => {
  const { name } = query.questions[0]!;
  return { ...replyTo(query, RCODE.NOERROR), authoritative: true, answers: texts.map((text) => address(name, text)) };
};

const table = (options: Partial<PacketTableOptions> = {}) => {
  let seed = 1;
  const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  return new PacketTable({ random, ...options });
};

function keep(packets: PacketTable, query: Message, reply: Message, making: Partial<Making> = {}, source = 0) {
  const whole = { madeAt: packets.now, holds: ['service/default/web'], isBalanced: false, ...making };
  packets.keep(bytesOf(query), source, bytesOf(reply), whole);
}

function find(packets: PacketTable, query: Message, source = 0, isStream = false): Message | undefined {
  const length = packets.find(bytesOf(query), source, isStream);
  return length === 0 ? undefined : decodeMessage(Buffer.from(packets.out.subarray(0, length)));
}

test('a packet is the answer of the chain to everyone who asks the same, with their own id and letters', () => {
  const packets = table();
  const query = asked(NAME);
  assert.equal(find(packets, query), undefined);
  keep(packets, query, answer(query, '10.96.0.7'));
  assert.deepEqual(find(packets, query), decodeMessage(bytesOf(answer(query, '10.96.0.7'))));
  const capitals = { ...asked('WeB.default.SVC.cluster.local.'), id: 99, authenticData: true };
  assert.deepEqual(find(packets, capitals), {
    ...decodeMessage(bytesOf(answer(capitals, '10.96.0.7'))),
    authenticData: false,
  });
});

test('other questions, other sorts of EDNS and other sockets have packets of their own', () => {
  const packets = table();
  const query = asked(NAME);
  keep(packets, query, answer(query, '10.96.0.7'));
  const edns = { size: 1232, version: 0, dnssecOk: false };
  const others = [asked(NAME, TYPE.AAAA), asked(`x.${NAME}`), { ...query, edns }, { ...query, checkingDisabled: true }];
  for (const other of others) assert.equal(find(packets, other), undefined);
  assert.equal(find(packets, query, 1), undefined);
  keep(packets, { ...query, edns }, { ...answer(query, '10.96.0.7'), edns });
  assert.deepEqual(find(packets, { ...query, edns })?.edns, edns);
  assert.equal(find(packets, query)?.edns, undefined);
});

test('a packet is forgotten with what it was made from, and with nothing else', () => {
  const packets = table();
  const query = asked(NAME);
  for (const change of ['service/default/web', 'zone', undefined]) {
    keep(packets, query, answer(query, '10.96.0.7'), { holds: ['service/default/web', 'zone'] });
    packets.change('service/default/other');
    assert.ok(find(packets, query));
    packets.change(change);
    assert.equal(find(packets, query), undefined);
  }
  keep(packets, query, answer(query, '10.96.0.8'));
  assert.deepEqual(find(packets, query)?.answers, [address(NAME, '10.96.0.8')]);
});

test('what changed while the answer was made is not kept', () => {
  const packets = table();
  const query = asked(NAME);
  for (const change of ['service/default/web', undefined]) {
    const madeAt = packets.now;
    packets.change(change);
    keep(packets, query, answer(query, '10.96.0.7'), { madeAt });
    assert.equal(find(packets, query), undefined);
  }
});

test('when changes can no longer be counted nothing is left, and what was being made is not kept', () => {
  const madeAt = 0xffff_ffef;
  const packets = table({ versions: new Versions(madeAt) });
  const query = asked(NAME);
  keep(packets, query, answer(query, '10.96.0.7'));
  assert.ok(find(packets, query));
  packets.change('service/default/other');
  assert.ok(packets.now < 100);
  assert.equal(find(packets, query), undefined);
  keep(packets, query, answer(query, '10.96.0.7'), { madeAt });
  assert.equal(find(packets, query), undefined);
});

test('an answer larger than the asker takes is left to the chain, over TCP it is not', () => {
  const packets = table();
  const query = asked(NAME);
  const many = answer(query, ...Array.from({ length: 60 }, (_, at) => `10.0.0.${String(at)}`));
  keep(packets, query, many);
  assert.equal(find(packets, query), undefined);
  assert.equal(find(packets, query, 0, true)?.answers.length, 60);
  const edns = { size: 1232, version: 0, dnssecOk: false };
  keep(packets, { ...query, edns }, { ...many, edns });
  assert.equal(find(packets, { ...query, edns })?.answers.length, 60);
});

for (const [why, query, reply, making] of [
  ['cut off', asked(NAME), { ...answer(asked(NAME), '10.96.0.7'), truncated: true }, {}],
  ['very long', asked(NAME), answer(asked(NAME), ...Array.from({ length: 600 }, () => '10.96.0.7')), {}],
  ['to another question', asked(NAME), answer(asked(`x.${NAME}`), '10.96.0.7'), {}],
  ['to a question in capitals', asked(NAME.toUpperCase()), answer(asked(NAME.toUpperCase()), '10.96.0.7'), {}],
  [
    'made from very much',
    asked(NAME),
    answer(asked(NAME), '1.2.3.4'),
    { holds: Array.from({ length: 20 }, (_, at) => `pod/${String(at)}`) },
  ],
  [
    'with addresses of several names that would have to change places',
    asked(NAME),
    { ...answer(asked(NAME), '1.2.3.4'), answers: [address(NAME, '1.2.3.4'), address('other.', '1.2.3.4')] },
    { isBalanced: true },
  ],
] as const) {
  test(`an answer ${why} is not kept`, () => {
    const packets = table();
    keep(packets, query, reply, making);
    assert.equal(find(packets, query, 0, true), undefined);
  });
}

test('addresses change places where loadbalance would have it: each is first as often, behind the aliases, and none is lost', () => {
  const packets = table();
  const query = asked(NAME);
  const texts = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'];
  const alias: Record = { name: NAME, ttl: 5, type: TYPE.CNAME, target: 'real.cluster.local.' };
  const answers = [alias, ...texts.map((text) => address('real.cluster.local.', text))];
  const run = [alias, ...texts.map((text) => address(NAME, text))];
  keep(packets, query, { ...answer(query), answers }, { isBalanced: true });
  assert.equal(find(packets, query)?.answers.length, 5);
  keep(packets, query, { ...answer(query), answers: run }, { isBalanced: true });
  const first = new Map<string, number>();
  const orders = new Set<string>();
  for (let count = 0; count < 4000; count++) {
    const found = find(packets, query)?.answers ?? [];
    assert.deepEqual(found[0], alias);
    const order = found.slice(1).map((record) => (record.type === TYPE.A ? record.address : ''));
    assert.deepEqual([...order].sort(), texts);
    first.set(order[0]!, (first.get(order[0]!) ?? 0) + 1);
    orders.add(order.join(' '));
  }
  for (const text of texts) assert.ok(Math.abs((first.get(text) ?? 0) - 1000) < 150, JSON.stringify([...first]));
  assert.equal(orders.size, 24);
});

test('without loadbalance the order stays', () => {
  const packets = table();
  const query = asked(NAME);
  const reply = answer(query, '10.0.0.1', '10.0.0.2', '10.0.0.3');
  keep(packets, query, reply);
  for (let count = 0; count < 20; count++) assert.deepEqual(find(packets, query)?.answers, reply.answers);
});

test('each packet is counted where its answer was', () => {
  const packets = table();
  const query = asked(NAME);
  const counted: number[][] = [];
  const counter = { count: (...sizes: number[]) => void counted.push(sizes) };
  keep(packets, query, answer(query, '10.96.0.7'), { counter });
  find(packets, query);
  find(packets, asked(`x.${NAME}`));
  assert.equal(counted.length, 1);
  assert.deepEqual(counted[0]?.slice(0, 2), [47, 63]);
  assert.ok((counted[0]?.[2] ?? -1) >= 0);
});

test('memory is bounded whatever is asked, and a flood of names drives out none that is in use', () => {
  const most = 1 << 18;
  const packets = table({ mostBytes: most });
  const used = asked(NAME);
  keep(packets, used, answer(used, '10.96.0.7'));
  let largest = 0;
  for (let count = 0; count < 20_000; count++) {
    const flood = asked(`flood-${String(count)}.default.svc.cluster.local.`);
    keep(packets, flood, answer(flood, '10.96.0.8'));
    largest = Math.max(largest, packets.size);
    if (count % 500 === 0) assert.ok(find(packets, used), String(count));
  }
  assert.ok(largest <= most * 2.5 && largest > most, String(largest));
  assert.ok(find(packets, asked('flood-19999.default.svc.cluster.local.')));
  assert.equal(find(packets, asked('flood-0.default.svc.cluster.local.')), undefined);
});

test('packets of 100,000 names are all found', () => {
  const packets = table();
  const names = Array.from({ length: 100_000 }, (_, at) => asked(`s${String(at)}.bench.svc.cluster.local.`));
  for (const [at, query] of names.entries())
    keep(packets, query, answer(query, `10.${String(at >> 16)}.${String((at >> 8) & 255)}.${String(at & 255)}`));
  const found = names.filter((query) => packets.find(bytesOf(query), 0, false) > 0);
  assert.equal(found.length, names.length);
  assert.ok(packets.size < 24e6, String(packets.size));
});
