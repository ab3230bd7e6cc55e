import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { it, type TestContext } from 'node:test';
import type { Target } from './balancer.ts';
import { freePort, partsOf, targetAt, udpEndpoint } from './test-servers.ts';
import { askUdp } from './test-udp.ts';
import { UdpRelay } from './udp-relay.ts';

async function relayTo(t: TestContext, targets: readonly Target[], more: Parameters<typeof partsOf>[1] = {}) {
  const relay = new UdpRelay(...partsOf(targets, { udpIdleTimeout: 60_000, ...more }));
  const port = await freePort();
  await relay.listen('127.0.0.1', port);
  t.after(() => {
    relay.destroy();
  });
  return { relay, port };
}

async function endpoint(t: TestContext, name: string): Promise<Target> {
  const { target, socket } = await udpEndpoint(name);
  t.after(() => socket.close());
  return target;
}

async function client(t: TestContext): Promise<Socket> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

it('every client has its own way, and keeps it', async (t) => {
  const { port, relay } = await relayTo(t, [await endpoint(t, 'a'), await endpoint(t, 'b')]);
  const [one, two] = [await client(t), await client(t)];
  assert.equal(await askUdp(port, '1', one), 'a:1');
  assert.equal(await askUdp(port, '2', two), 'b:2');
  assert.equal(await askUdp(port, '3', one), 'a:3');
  assert.equal(relay.size, 2);
});

it('datagrams sent at once, before the way is made, all arrive', async (t) => {
  const { port } = await relayTo(t, [await endpoint(t, 'a')]);
  const socket = await client(t);
  const got: string[] = [];
  const all = new Promise<void>((resolve) => {
    socket.on('message', (message) => {
      if (got.push(message.toString()) === 20) resolve();
    });
  });
  for (let at = 0; at < 20; at++) socket.send(String(at), port, '127.0.0.1');
  await all;
  assert.deepEqual(
    got,
    Array.from({ length: 20 }, (_, at) => `a:${String(at)}`),
  );
});

it('a datagram far beyond any packet comes through whole', async (t) => {
  const { port } = await relayTo(t, [await endpoint(t, 'a')]);
  const big = 'x'.repeat(60_000);
  assert.equal(await askUdp(port, big), `a:${big}`);
});

it('a client that was silent is forgotten, and may be given another endpoint', async (t) => {
  const { port, relay } = await relayTo(t, [await endpoint(t, 'a'), await endpoint(t, 'b')], { udpIdleTimeout: 20 });
  const socket = await client(t);
  assert.equal(await askUdp(port, '1', socket), 'a:1');
  while (relay.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await askUdp(port, '2', socket), 'b:2');
});

it('an answer that takes longer than the idle time still arrives', async (t) => {
  const { target, socket } = await udpEndpoint('late', 100);
  t.after(() => socket.close());
  const { port } = await relayTo(t, [target], { udpIdleTimeout: 10 });
  assert.equal(await askUdp(port, '1'), 'late:1');
});

it('a client that keeps speaking is moved when its endpoint no longer serves', async (t) => {
  const [a, b] = [await endpoint(t, 'a'), await endpoint(t, 'b')];
  const { port, relay } = await relayTo(t, [a, b]);
  const socket = await client(t);
  assert.equal(await askUdp(port, '1', socket), 'a:1');
  relay.balancer.set([b]);
  relay.keepOnly([b.address]);
  assert.equal(await askUdp(port, '2', socket), 'b:2');
});

it('what was asked of an endpoint before it went is answered, and what is asked then goes to another', async (t) => {
  const { target: late, socket: server } = await udpEndpoint('late', 100);
  t.after(() => server.close());
  const b = await endpoint(t, 'b');
  const { port, relay } = await relayTo(t, [late]);
  const socket = await client(t);
  const first = askUdp(port, '1', socket);
  while (relay.size === 0) await new Promise((resolve) => setImmediate(resolve));
  relay.balancer.set([b]);
  relay.keepOnly([b.address]);
  assert.equal(relay.size, 0);
  assert.equal(await first, 'late:1');
  assert.equal(await askUdp(port, '2', socket), 'b:2');
});

it('an endpoint that refuses loses its client to the next', async (t) => {
  const { port, relay } = await relayTo(t, [targetAt(await freePort()), await endpoint(t, 'b')]);
  const socket = await client(t);
  socket.send('lost', port, '127.0.0.1');
  while (relay.parts.counters.broken === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await askUdp(port, 'found', socket), 'b:found');
});

it('with affinity all sockets of a client have one endpoint', async (t) => {
  const { port } = await relayTo(t, [await endpoint(t, 'a'), await endpoint(t, 'b')], { affinitySeconds: 60 });
  assert.equal(await askUdp(port, '1', await client(t)), 'a:1');
  assert.equal(await askUdp(port, '2', await client(t)), 'a:2');
});

it('without endpoints nothing is kept for a client', async (t) => {
  const { port, relay } = await relayTo(t, []);
  const socket = await client(t);
  socket.send('?', port, '127.0.0.1');
  while (relay.parts.counters.refused === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(relay.size, 0);
});

it('handed over, it goes on until who asked is answered, and then the port is free', async (t) => {
  const { target: late, socket: server } = await udpEndpoint('late', 100);
  t.after(() => server.close());
  const { port, relay } = await relayTo(t, [late]);
  const [one, two] = [await client(t), await client(t)];
  const first = askUdp(port, '1', one);
  while (relay.size === 0) await new Promise((resolve) => setImmediate(resolve));
  await relay.handOver();
  assert.equal(await askUdp(port, '2', two), 'late:2', 'what comes meanwhile is served too');
  assert.equal(await first, 'late:1');
  while (relay.size > 0) await new Promise((resolve) => setImmediate(resolve));
  const next = createSocket('udp4');
  t.after(() => next.close());
  next.bind(port, '127.0.0.1');
  await once(next, 'listening');
});
