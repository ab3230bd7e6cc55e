import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { exec } from '../exec.ts';
import { NfGeneration } from './nf-generation.ts';
import { createNfTables, type NfChange, type NfTables, type SetChange, type SetElement } from './nf-tables.ts';

import { eventLoopHeld } from './testing.ts';

requireOuterNamespace();

const nft = async (...lines: readonly string[]) => (await exec('nft', ['-f', '-'], { input: lines.join('\n') })).stdout;
const bytes = (...values: readonly number[]) => Uint8Array.from(values);

/** One set, an element as nft is told it, and the same as the kernel stores it. */
interface Shape {
  readonly name: string;
  readonly family?: 'ip' | 'ip6';
  readonly declaration: string;
  readonly element: string;
  readonly is: SetElement;
}

const v6 = bytes(0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);

const shapes: readonly Shape[] = [
  {
    name: 'an address',
    declaration: 'type ipv4_addr',
    element: '10.0.0.1',
    is: { key: bytes(10, 0, 0, 1) },
  },
  {
    name: 'a port alone, which is two bytes',
    declaration: 'type inet_service',
    element: '8080',
    is: { key: bytes(0x1f, 0x90) },
  },
  {
    name: 'a mark alone, in host order',
    declaration: 'type mark',
    element: '0x00004000',
    is: { key: bytes(0, 0x40, 0, 0) },
  },
  {
    name: 'address . protocol . port to a verdict',
    declaration: 'type ipv4_addr . inet_proto . inet_service : verdict',
    element: '10.0.0.1 . tcp . 80 comment "default/web" : goto pick-3',
    is: {
      key: bytes(10, 0, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0),
      verdict: { code: 'goto', chain: 'pick-3' },
      comment: 'default/web',
    },
  },
  {
    name: 'drop as a verdict',
    declaration: 'type inet_proto . inet_service : verdict',
    element: 'udp . 53 : drop',
    is: { key: bytes(17, 0, 0, 0, 0, 53, 0, 0), verdict: { code: 'drop' } },
  },
  {
    name: 'a random number within the key, in host order, to address . port',
    declaration: 'typeof ip daddr . meta l4proto . th dport . numgen random mod 65536 : ip daddr . th dport',
    element: '10.0.0.1 . tcp . 80 . 258 : 10.1.0.1 . 8080',
    is: {
      key: bytes(10, 0, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0, 2, 1, 0, 0),
      data: bytes(10, 1, 0, 1, 0x1f, 0x90, 0, 0),
    },
  },
  {
    name: 'concatenated intervals',
    declaration: 'type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval',
    element: '10.0.0.1 . tcp . 80 . 192.168.0.0/16',
    is: {
      key: bytes(10, 0, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0, 192, 168, 0, 0),
      keyEnd: bytes(10, 0, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0, 192, 168, 255, 255),
    },
  },
  {
    name: 'an IPv6 address . protocol . port to address . port',
    family: 'ip6',
    declaration: 'typeof ip6 daddr . meta l4proto . th dport : ip6 daddr . th dport',
    element: 'fd00:1::2 . tcp . 80 : fd00:1::2 . 81',
    is: { key: bytes(...v6, 6, 0, 0, 0, 0, 80, 0, 0), data: bytes(...v6, 0, 81, 0, 0) },
  },
];

let tables: NfTables;
before(() => {
  tables = createNfTables();
});
beforeEach(async () => {
  await nft(
    'flush ruleset',
    ...['ip', 'ip6'].map(
      (family) => `table ${family} t {
      chain pick-3 { }
      set a { type ipv4_addr; }
      map m { type ipv4_addr : inet_service; }
      set lives { type ipv4_addr; flags timeout; }
      map big { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
    }`,
    ),
  );
});
after(async () => {
  await nft('flush ruleset');
  tables.close();
});

for (const { name, family = 'ip', declaration, element, is } of shapes) {
  test(`${name}: what nft wrote is read, and what is written nft lists`, async () => {
    const kind = declaration.includes(' : ') ? 'map' : 'set';
    await nft(`add ${kind} ${family} t x { ${declaration}; }`, `add element ${family} t x { ${element} }`);
    assert.deepEqual(plain(await tables.dump(family, 't', 'x')), [is]);
    const listed = await exec('nft', ['list', kind, family, 't', 'x']);
    await tables.commit(family, 't', [{ op: 'delete', set: 'x', elements: [is] }]);
    assert.deepEqual(await tables.dump(family, 't', 'x'), []);
    await tables.commit(family, 't', [{ op: 'add', set: 'x', elements: [is] }]);
    assert.equal((await exec('nft', ['list', kind, family, 't', 'x'])).stdout, listed.stdout);
  });
}

test('a timeout and what is left of it are kept in milliseconds', async () => {
  const key = bytes(10, 0, 0, 1);
  await tables.commit('ip', 't', [
    { op: 'add', set: 'lives', elements: [{ key, timeout: 3_600_000, expires: 60_000 }] },
  ]);
  const [element] = await tables.dump('ip', 't', 'lives');
  assert.equal(element?.timeout, 3_600_000);
  assert.ok(element.expires !== undefined && element.expires > 50_000 && element.expires <= 60_000);
  assert.match(
    (await exec('nft', ['list', 'set', 'ip', 't', 'lives'])).stdout,
    /10\.0\.0\.1 timeout 1h expires (5\ds|1m)/,
  );
});

test('an interval of a single field is two elements, of which the second is the open end', async () => {
  await nft('add set ip t x { type ipv4_addr; flags interval; }');
  const elements = [{ key: bytes(10, 0, 0, 0) }, { key: bytes(11, 0, 0, 0), intervalEnd: true }];
  await tables.commit('ip', 't', [{ op: 'add', set: 'x', elements }]);
  assert.match((await exec('nft', ['list', 'set', 'ip', 't', 'x'])).stdout, /10\.0\.0\.0\/8/);
});

const refusals: readonly { name: string; change: SetChange; code: string; says: RegExp }[] = [
  {
    name: 'deleting an element that is not there',
    change: { op: 'delete', set: 'a', elements: [{ key: bytes(10, 0, 0, 9) }] },
    code: 'ENOENT',
    says: /delete a: ENOENT: key 0a000009/,
  },
  {
    name: 'adding an element that is there with another value',
    change: { op: 'add', set: 'm', elements: [{ key: bytes(10, 0, 0, 1), data: bytes(0, 81) }] },
    code: 'EEXIST',
    says: /add m: EEXIST/,
  },
  {
    name: 'a set that is not there',
    change: { op: 'add', set: 'nowhere', elements: [{ key: bytes(10, 0, 0, 1) }] },
    code: 'ENOENT',
    says: /add nowhere: ENOENT/,
  },
  {
    name: 'a key of the wrong length',
    change: { op: 'add', set: 'a', elements: [{ key: bytes(10, 0) }] },
    code: 'EINVAL',
    says: /add a: EINVAL/,
  },
];

for (const { name, change, code, says } of refusals) {
  test(`${name} is ${code}, and nothing else of the commit happens`, async () => {
    await tables.commit('ip', 't', [
      { op: 'add', set: 'm', elements: [{ key: bytes(10, 0, 0, 1), data: bytes(0, 80) }] },
    ]);
    const good = { op: 'add', set: 'a', elements: [{ key: bytes(10, 0, 0, 1) }, { key: bytes(10, 0, 0, 2) }] } as const;
    await assert.rejects(tables.commit('ip', 't', [good, change, good]), { code, message: says });
    assert.deepEqual(await tables.dump('ip', 't', 'a'), []);
    // and the socket is none the worse
    await tables.commit('ip', 't', [good]);
    assert.equal((await tables.dump('ip', 't', 'a')).length, 2);
  });
}

test('an element that is there with the same value can be added again', async () => {
  const change = { op: 'add', set: 'm', elements: [{ key: bytes(10, 0, 0, 1), data: bytes(0, 80) }] } as const;
  await tables.commit('ip', 't', [change]);
  await tables.commit('ip', 't', [change]);
});

test('an element gets another value by going first in the same commit', async () => {
  const element = (port: number) => ({ key: bytes(10, 0, 0, 1), data: bytes(0, port) });
  await tables.commit('ip', 't', [{ op: 'add', set: 'm', elements: [element(80)] }]);
  await tables.commit('ip', 't', [
    { op: 'delete', set: 'm', elements: [element(80)] },
    { op: 'add', set: 'm', elements: [element(81)] },
  ]);
  assert.deepEqual(plain(await tables.dump('ip', 't', 'm')), [element(81)]);
});

test('names of tables, sets and chains are told; anonymous sets are not', async () => {
  await nft('add rule ip t pick-3 tcp dport { 80, 81 } accept');
  assert.deepEqual([...(await tables.sets('ip', 't'))].sort(), ['a', 'big', 'lives', 'm']);
  assert.deepEqual(await tables.chains('ip', 't'), ['pick-3']);
  assert.deepEqual(await tables.sets('ip', 'nowhere'), []);
  assert.equal(await tables.hasTable('ip', 't'), true);
  assert.equal(await tables.hasTable('ip', 'nowhere'), false);
  await assert.rejects(tables.dump('ip', 't', 'nowhere'), { code: 'ENOENT' });
});

const many = Array.from({ length: 50_000 }, (_, i) => ({
  key: bytes(10, i >> 16, (i >> 8) & 255, i & 255, 6, 0, 0, 0, 0, 80, 0, 0),
  data: bytes(10, 1, (i >> 8) & 255, i & 255, 0x1f, 0x90, 0, 0),
}));

test('50,000 elements come and go in one commit each', async () => {
  await tables.commit('ip', 't', [{ op: 'add', set: 'big', elements: many }]);
  const hex = (elements: readonly SetElement[]) =>
    elements
      .map(({ key, data }) => `${Buffer.from(key).toString('hex')}:${Buffer.from(data ?? []).toString('hex')}`)
      .sort();
  assert.deepEqual(hex(await tables.dump('ip', 't', 'big')), hex(many));
  assert.match(
    (await exec('nft', ['get', 'element', 'ip', 't', 'big', '{ 10.0.195.79 . tcp . 80 }'])).stdout,
    /10\.0\.195\.79 \. tcp \. 80 : 10\.1\.195\.79 \. 8080/,
  );
  await tables.commit('ip', 't', [{ op: 'delete', set: 'big', elements: many }]);
  assert.deepEqual(await tables.dump('ip', 't', 'big'), []);
});

test('a commit of 50,000 elements does not hold the event loop up for 30 ms', async () => {
  const change = { set: 'big', elements: many };
  const held = await eventLoopHeld(async () => {
    await tables.commit('ip', 't', [{ op: 'add', ...change }]);
    await tables.commit('ip', 't', [{ op: 'delete', ...change }]);
  });
  assert.ok(held < 30, `${String(held)} ms`);
});

test('commits called at the same time are made in order, the long one first', async () => {
  const [first] = many;
  assert.ok(first);
  await Promise.all([
    tables.commit('ip', 't', [{ op: 'add', set: 'big', elements: many }]),
    tables.commit('ip', 't', [{ op: 'delete', set: 'big', elements: [first] }]),
    tables.commit('ip', 't', [
      { op: 'add', set: 'big', elements: [{ ...first, data: bytes(9, 9, 9, 9, 0, 9, 0, 0) }] },
    ]),
  ]);
  assert.equal((await tables.dump('ip', 't', 'big')).length, many.length);
});

test('a commit does not wait for a dump, and the dump is whole all the same', async () => {
  await tables.commit('ip', 't', [{ op: 'add', set: 'big', elements: many }]);
  let dumped = false;
  const dump = tables.dump('ip', 't', 'big').then((elements) => {
    dumped = true;
    return elements;
  });
  await tables.commit('ip', 't', [{ op: 'add', set: 'a', elements: [{ key: bytes(10, 0, 0, 1) }] }]);
  assert.equal(dumped, false);
  assert.equal((await dump).length, many.length);
});

test('a dump ends even when we commit all the time', async () => {
  await tables.commit('ip', 't', [{ op: 'add', set: 'big', elements: many.slice(0, 20_000) }]);
  const change = { set: 'a', elements: [{ key: bytes(10, 0, 0, 1) }] };
  let dumped = false;
  const dump = tables.dump('ip', 't', 'big').finally(() => (dumped = true));
  while (!dumped) {
    await tables.commit('ip', 't', [{ op: 'add', ...change }]);
    await tables.commit('ip', 't', [{ op: 'delete', ...change }]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await dump).length, 20_000);
});

/** Everything heard until a change for which `last` is true. */
async function heardUntil(
  last: (change: NfChange) => boolean,
  act: () => Promise<unknown>,
): Promise<readonly NfChange[]> {
  const heard: NfChange[] = [];
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = tables.monitor((change) => {
    heard.push(change);
    if (last(change)) resolve(undefined);
  });
  // the watch on the socket alone would let the process end
  const alive = setInterval(() => undefined, 1000);
  try {
    await act();
    await promise;
  } finally {
    clearInterval(alive);
    stop();
  }
  return heard;
}

test('a monitor hears a foreign flush, with who did it, and none of our own commits, small or large', async () => {
  const heard = await heardUntil(
    ({ kind, family }) => kind === 'table-deleted' && family === 'ip6',
    async () => {
      await tables.commit('ip', 't', [{ op: 'add', set: 'a', elements: [{ key: bytes(10, 0, 0, 1) }] }]);
      await tables.commit('ip', 't', [{ op: 'add', set: 'big', elements: many }]);
      await assert.rejects(tables.commit('ip', 't', [{ op: 'delete', set: 'big', elements: [...many, ...many] }]));
      await nft('flush ruleset');
    },
  );
  assert.deepEqual(new Set(heard.map(({ program }) => program)), new Set(['nft']));
  assert.ok(
    heard.every(({ kind }) => kind.endsWith('-deleted')),
    JSON.stringify(heard),
  );
  assert.ok(heard.some(({ kind, family, table }) => kind === 'table-deleted' && family === 'ip' && table === 't'));
});

test('a monitor hears of a foreign element once, however many there were', async () => {
  const heard = await heardUntil(
    ({ kind }) => kind === 'set-element-deleted',
    async () => {
      await nft('add element ip t a { 10.0.0.1, 10.0.0.2, 10.0.0.3 }');
      await nft('delete element ip t a { 10.0.0.1, 10.0.0.2 }');
    },
  );
  assert.deepEqual(
    heard.map(({ kind, family, table, set }) => ({ kind, family, table, set })),
    [
      { kind: 'set-element-added', family: 'ip', table: 't', set: 'a' },
      { kind: 'set-element-deleted', family: 'ip', table: 't', set: 'a' },
    ],
  );
});

test('another socket of the same process is somebody else', async () => {
  const other = createNfTables();
  const change = { op: 'add', set: 'a', elements: [{ key: bytes(10, 0, 0, 1) }] } as const;
  const heard = await heardUntil(
    () => true,
    () => other.commit('ip', 't', [change]),
  );
  other.close();
  assert.deepEqual([heard[0]?.kind, heard[0]?.set], ['set-element-added', 'a']);
});

test('a commit of somebody else during a large one of ours, while monitors cannot listen, is told as lost or by name', async () => {
  const other = createNfTables();
  const heard = await heardUntil(
    ({ kind }) => kind === 'lost' || kind === 'set-element-added',
    () =>
      Promise.all([
        tables.commit('ip', 't', [{ op: 'add', set: 'big', elements: many }]),
        other.commit('ip', 't', [{ op: 'add', set: 'a', elements: [{ key: bytes(10, 0, 0, 1) }] }]),
      ]),
  );
  other.close();
  assert.ok(heard.length > 0);
});

test('a monitor that is flooded says that it lost some', async () => {
  const other = createNfTables();
  const some = many.slice(0, 400);
  const heard = await heardUntil(
    ({ kind }) => kind === 'lost',
    async () => {
      // small enough to be done on this thread: the monitor is given no time to read
      for (let round = 0; round < 150; round++) {
        await other.commit('ip', 't', [{ op: 'add', set: 'big', elements: some }]);
        await other.commit('ip', 't', [{ op: 'delete', set: 'big', elements: some }]);
      }
    },
  );
  other.close();
  assert.ok(heard.some(({ kind }) => kind === 'lost'));
});

test('the generation moves with every transaction of anybody, by one, and with no refused one', async () => {
  const generation = new NfGeneration();
  const start = generation.read();
  await tables.commit('ip', 't', [{ op: 'add', set: 'a', elements: [{ key: bytes(10, 0, 0, 1) }] }]);
  assert.equal(generation.read(), start + 1);
  await assert.rejects(tables.commit('ip', 't', [{ op: 'delete', set: 'a', elements: [{ key: bytes(10, 0, 0, 2) }] }]));
  assert.equal(generation.read(), start + 1);
  await nft('add element ip t a { 10.0.0.3 }');
  assert.equal(generation.read(), start + 2);
  generation.close();
});

test('after close every call is refused', async () => {
  const closed = createNfTables();
  closed.close();
  closed.close();
  await assert.rejects(closed.hasTable('ip', 't'), { code: 'EBADF' });
  await assert.rejects(closed.commit('ip', 't', [{ op: 'add', set: 'a', elements: [{ key: bytes(1, 2, 3, 4) }] }]), {
    code: 'EBADF',
  });
});

/** Views of larger buffers compare unequal to arrays of their own. */
function plain(elements: readonly SetElement[]): readonly SetElement[] {
  return elements.map((element) => ({
    ...element,
    key: Uint8Array.from(element.key),
    ...(element.keyEnd && { keyEnd: Uint8Array.from(element.keyEnd) }),
    ...(element.data && { data: Uint8Array.from(element.data) }),
  }));
}

test('promises go on at once in what a change calls back, though nothing else happens', async () => {
  const script = fileURLToPath(new URL('testing-quiet.ts', import.meta.url));
  const { stdout } = await exec(process.execPath, [script]);
  assert.ok(stdout !== '' && Number(stdout) < 500, `${stdout} ms`);
});
