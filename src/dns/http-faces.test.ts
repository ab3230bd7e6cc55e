import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import test from 'node:test';
import { FakeClock, realClock } from '../lib/clock.ts';
import { HttpFaces, parseFaceAddress } from './http-faces.ts';
import { recordingLog } from './recording-log.ts';

const says = (body: string) => () => ({ status: 200, body });
const text = async (origin: string | undefined, path: string) => (await fetch(`${origin ?? ''}${path}`)).text();

test('one port answers several paths, the newest claim of a path answers, and the last that leaves closes it', async () => {
  const faces = new HttpFaces({ log: recordingLog().log, clock: realClock });
  const old = faces.claim('127.0.0.1:0', '/ready', says('old'));
  const other = faces.claim('127.0.0.1:0', '/health', says('well'));
  const origin = await old.reachable;
  assert.equal(origin, await other.reachable);
  const young = faces.claim('127.0.0.1:0', '/ready', says('young'));
  assert.equal(await text(origin, '/ready?verbose'), 'young');
  await old.release();
  await old.release();
  assert.equal(await text(origin, '/ready'), 'young');
  assert.equal(await text(origin, '/health'), 'well');
  await young.release();
  assert.equal(await text(origin, '/ready'), '404 page not found\n');
  await other.release();
  await assert.rejects(text(origin, '/health'), { message: 'fetch failed' });
});

test('a port that is taken is told once, tried again, and had as soon as it is free', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const { lines, log } = recordingLog();
  const clock = new FakeClock();
  const tried = { count: 0, wake: (): void => undefined };
  const waits = async (count: number) => {
    while (tried.count < count) await new Promise<void>((resolve) => (tried.wake = resolve));
  };
  // Each try that failed asks the clock for the next.
  const counting = {
    now: () => clock.now(),
    after: (ms: number, callback: () => void) => {
      tried.count++;
      tried.wake();
      return clock.after(ms, callback);
    },
  };
  const face = new HttpFaces({ log, clock: counting }).claim(`127.0.0.1:${String(port)}`, '/health', says('well'));
  await waits(1);
  clock.advance(1000);
  await waits(2);
  taken.close();
  await once(taken, 'close');
  clock.advance(1000);
  assert.equal(await face.listening, port);
  assert.equal(await text(await face.reachable, '/health'), 'well');
  assert.deepEqual(lines, ['error cannot listen for HTTP, trying again until it works']);
  await face.release();
});

test('who gives up on a port that was never had is told so', async () => {
  const faces = new HttpFaces({ log: recordingLog().log, clock: new FakeClock() });
  const face = faces.claim('192.0.2.1:1', '/health', says('well'));
  await face.release();
  assert.deepEqual([await face.listening, await face.reachable], [undefined, undefined]);
});

for (const [address, expected] of [
  [':8080', { host: '', port: 8080 }],
  ['localhost:9153', { host: 'localhost', port: 9153 }],
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['[::1]:8181', { host: '::1', port: 8181 }],
  ['8080', undefined],
  ['::1:8181', undefined],
  [':70000', undefined],
  ['a:b', undefined],
] as const) {
  test(`${address} is ${expected ? 'an address' : 'none'}`, () => {
    assert.deepEqual(parseFaceAddress(address), expected);
  });
}
