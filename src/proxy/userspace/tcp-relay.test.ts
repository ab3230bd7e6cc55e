import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Target } from './balancer.ts';
import { TcpRelay } from './tcp-relay.ts';
import { askTcp, freePort, partsOf, targetAt, tcpEndpoint } from './test-servers.ts';

async function relayTo(t: TestContext, targets: readonly Target[], affinitySeconds?: number) {
  const relay = new TcpRelay(...partsOf(targets, { affinitySeconds }));
  const port = await freePort();
  await relay.listen('127.0.0.1', port);
  t.after(() => {
    relay.destroy();
  });
  return { relay, port };
}

async function endpoint(t: TestContext, name: string, how?: (socket: Socket) => void) {
  const one = await tcpEndpoint(name, how);
  t.after(() => {
    one.server.close();
    one.server.unref();
  });
  return one.target;
}

it('endpoints take turns', async (t) => {
  const { port } = await relayTo(t, [await endpoint(t, 'a'), await endpoint(t, 'b'), await endpoint(t, 'c')]);
  const got: string[] = [];
  for (let at = 0; at < 6; at++) got.push(await askTcp(port));
  assert.deepEqual(got, ['a', 'b', 'c', 'a', 'b', 'c']);
});

it('a client with affinity stays, and is given another when its endpoint does not answer', async (t) => {
  const [a, b] = [await tcpEndpoint('a'), await endpoint(t, 'b')];
  const { port, relay } = await relayTo(t, [a.target, b], 60);
  assert.deepEqual([await askTcp(port), await askTcp(port)], ['a', 'a']);
  a.server.close();
  await once(a.server, 'close');
  assert.deepEqual([await askTcp(port), await askTcp(port)], ['b', 'b']);
  assert.equal(relay.parts.counters.dialFailures, 1, 'the second time it is known where to go');
});

it('refused by every endpoint, a client is refused after four tries', async (t) => {
  const { port, relay } = await relayTo(t, [targetAt(await freePort()), targetAt(await freePort())]);
  assert.equal(await askTcp(port), 'ECONNRESET');
  assert.deepEqual(
    { ...relay.parts.counters },
    { connections: 1, datagrams: 0, dialFailures: 4, refused: 1, broken: 0 },
  );
});

it('without endpoints a client is refused at once', async (t) => {
  const { port } = await relayTo(t, []);
  assert.equal(await askTcp(port), 'ECONNRESET');
});

it('a client may end its half and still be answered', async (t) => {
  const target = await endpoint(t, '', (socket) => {
    let size = 0;
    socket.on('data', (chunk: Buffer) => (size += chunk.length));
    socket.on('end', () => socket.end(`got ${String(size)}`));
  });
  const { port } = await relayTo(t, [target]);
  assert.equal(await askTcp(port, Buffer.alloc(5_000_000)), 'got 5000000');
});

it('an endpoint may end its half and still be told all', async (t) => {
  let told: (size: number) => void = () => undefined;
  const heard = new Promise<number>((resolve) => (told = resolve));
  const target = await endpoint(t, '', (socket) => {
    let size = 0;
    socket.end('bye');
    socket.on('data', (chunk: Buffer) => (size += chunk.length));
    socket.on('end', () => {
      told(size);
    });
  });
  const { port, relay } = await relayTo(t, [target]);
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  client.resume();
  await once(client, 'end');
  client.end(Buffer.alloc(3_000_000));
  assert.equal(await heard, 3_000_000);
  if (!client.closed) await once(client, 'close');
  assert.equal(relay.parts.counters.broken, 0);
});

it('a reset of one side is a reset for the other', async (t) => {
  let arrived: (socket: Socket) => void = () => undefined;
  const target = await endpoint(t, '', (socket) => {
    socket.resume();
    arrived(socket);
  });
  const { port, relay } = await relayTo(t, [target]);
  for (const who of ['endpoint', 'client'] as const) {
    const there = new Promise<Socket>((resolve) => (arrived = resolve));
    const client = connect({ port, host: '127.0.0.1' });
    const server = await there;
    // a reset before that would be an endpoint that does not answer
    server.write('hello');
    await once(client, 'data');
    const [first, second] = who === 'client' ? [client, server] : [server, client];
    first.on('error', () => undefined);
    const failed = once(second, 'error') as Promise<[NodeJS.ErrnoException]>;
    second.resume();
    first.resetAndDestroy();
    assert.equal((await failed)[0].code, 'ECONNRESET', who);
  }
  assert.equal(relay.parts.counters.broken, 2);
});

it('what a slow client does not read is not read from the endpoint either', async (t) => {
  let server: Socket | undefined;
  const chunk = Buffer.alloc(1 << 20);
  const total = 200;
  const target = await endpoint(t, '', (socket) => {
    server = socket;
    for (let at = 0; at < total; at++) socket.write(chunk);
    socket.end();
  });
  const { port } = await relayTo(t, [target]);
  const client = connect({ port, host: '127.0.0.1' });
  client.pause();
  await once(client, 'connect');
  // still: nothing went on between two looks
  for (let last = -1; ;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const sent = server ? server.bytesWritten - server.writableLength : -1;
    if (sent > 0 && sent === last) break;
    last = sent;
  }
  const sent = (server?.bytesWritten ?? 0) - (server?.writableLength ?? 0);
  assert.ok(sent < 40 * chunk.length, `${String(sent)} bytes are on their way to somebody who does not read`);
  let got = 0;
  client.on('data', (part: Buffer) => (got += part.length));
  client.resume();
  await once(client, 'end');
  assert.equal(got, total * chunk.length);
});

it('a closed relay takes nothing new and lets what it has go on, also to an endpoint that is gone', async (t) => {
  const target = await endpoint(t, '', (socket) => socket.pipe(socket));
  const { port, relay } = await relayTo(t, [target]);
  const client = connect({ port, host: '127.0.0.1' });
  client.write('one');
  assert.equal(String((await once(client, 'data'))[0]), 'one');
  relay.balancer.set([]);
  await relay.close();
  assert.equal(await askTcp(port), 'ECONNREFUSED');
  client.write('two');
  assert.equal(String((await once(client, 'data'))[0]), 'two');
  client.end();
  await once(client, 'close');
});

it('a client that goes while its endpoint is dialled leaves nothing behind', async (t) => {
  const { port, relay } = await relayTo(t, [await endpoint(t, 'a')]);
  const closed = [];
  for (let at = 0; at < 50; at++) {
    const client = connect({ port, host: '127.0.0.1' });
    client.on('error', () => undefined);
    client.on('connect', () => client.resetAndDestroy());
    closed.push(once(client, 'close'));
  }
  await Promise.all(closed);
  assert.equal(await askTcp(port), 'a');
  while (relay.size > 0) await new Promise((resolve) => setImmediate(resolve));
});

it('a thousand connections at a time are all served', async (t) => {
  const { port, relay } = await relayTo(t, [await endpoint(t, 'a'), await endpoint(t, 'a')]);
  const answers = await Promise.all(Array.from({ length: 1000 }, () => askTcp(port)));
  assert.deepEqual(new Set(answers), new Set(['a']));
  assert.equal(relay.parts.counters.connections, 1000);
});

it('a process out of file descriptors refuses, lives on, and serves again', async (t) => {
  const target = await endpoint(t, '', (socket) => socket.pipe(socket));
  const port = await freePort();
  const file = fileURLToPath(new URL('test-relay.ts', import.meta.url));
  const args = ['--nofile=64:64', process.execPath, file, String(port), target.address];
  const child = spawn('prlimit', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.stdin.end());
  await once(child.stdout, 'data');
  const clients = Array.from({ length: 100 }, () => connect({ port, host: '127.0.0.1' }));
  const ends = clients.map(
    (client) =>
      new Promise<string>((resolve) => {
        client.on('error', (error: NodeJS.ErrnoException) => {
          resolve(error.code ?? 'error');
        });
        client.on('close', () => {
          resolve('closed');
        });
        client.on('data', () => {
          resolve('answered');
        });
        client.write('hello');
      }),
  );
  const got = await Promise.all(ends);
  assert.ok(got.includes('answered'), got.join(' '));
  assert.ok(
    got.some((one) => one !== 'answered'),
    'the limit was never met',
  );
  for (const client of clients) if (!client.closed) await once(client.destroy(), 'close');
  assert.equal(child.exitCode, null);
  for (let tries = 0; ; tries++) {
    const answer = await askTcp(port, 'again');
    if (answer === 'again') break;
    assert.ok(tries < 50, answer);
  }
});
