import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { it } from 'node:test';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import type { PlanUpdate, ServicePort } from '../plan/types.ts';
import type { Target } from './balancer.ts';
import { LoopbackRelays } from './loopback.ts';
import { askTcp, freePort, tcpEndpoint, udpEndpoint } from './test-servers.ts';
import { askUdp } from './test-udp.ts';

/** The fields that count. */
const service = (nodePort: number, endpoints: readonly Target[], more: Partial<ServicePort> = {}) =>
  ({
    name: 'default/web:',
    protocol: 'TCP',
    nodePort,
    clusterEndpoints: endpoints,
    servingAddresses: endpoints.map((one) => one.address),
    ...more,
  }) as unknown as ServicePort;
const all = (servicePorts: readonly ServicePort[], localhostNodePorts = 'relay') =>
  ({
    changed: undefined,
    plan: { servicePorts, localhostNodePorts, options: { family: 'IPv4' } },
    problems: [],
  }) as unknown as PlanUpdate;
const change = (before: readonly ServicePort[], after: readonly ServicePort[]): PlanUpdate => ({
  changed: new Map([['default/web', { before, after }]]),
  problems: [],
  get plan(): never {
    throw new Error('nobody may look at all Services');
  },
});

it('a node port answers on 127.0.0.1 while it has endpoints, follows them, and is closed with its Service', async (t) => {
  const [a, b] = [await tcpEndpoint('a'), await tcpEndpoint('b')];
  const relays = new LoopbackRelays({ log: silentLog });
  t.after(async () => {
    await relays.stop();
    a.server.close();
    b.server.close();
  });
  const port = await freePort();
  const [empty, first, second] = [service(port, []), service(port, [a.target]), service(port, [b.target])];
  relays.follow(all([empty]));
  await relays.settled();
  assert.equal(await askTcp(port), 'ECONNREFUSED', 'nothing listens where nobody would answer');
  relays.follow(change([empty], [first]));
  await relays.settled();
  assert.equal(await askTcp(port), 'a');
  relays.follow(change([first], [second]));
  assert.equal(await askTcp(port), 'b');
  relays.follow(change([second], []));
  assert.equal(await askTcp(port), 'ECONNREFUSED');
  assert.equal(relays.size, 0);
});

it('UDP node ports answer too', async (t) => {
  const a = await udpEndpoint('a');
  const relays = new LoopbackRelays({ log: silentLog });
  t.after(async () => {
    await relays.stop();
    a.socket.close();
  });
  const port = await freePort();
  relays.follow(all([service(port, [a.target], { protocol: 'UDP' })]));
  await relays.settled();
  assert.equal(await askUdp(port, 'hello'), 'a:hello');
});

it('nothing listens where rules serve loopback, and all is closed when that changes', async (t) => {
  const a = await tcpEndpoint('a');
  const relays = new LoopbackRelays({ log: silentLog });
  t.after(async () => {
    await relays.stop();
    a.server.close();
  });
  const one = service(await freePort(), [a.target]);
  relays.follow(all([one], 'rules'));
  relays.follow(change([one], [one]));
  await relays.settled();
  assert.equal(relays.size, 0);
  relays.follow(all([one]));
  await relays.settled();
  assert.equal(relays.size, 1);
  relays.follow(all([one], 'off'));
  assert.equal(relays.size, 0);
});

it('a port somebody else has is tried again until it is free', async (t) => {
  const a = await tcpEndpoint('a');
  const clock = new FakeClock();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: unknown, text: string) => warnings.push(text), debug: () => undefined };
  const relays = new LoopbackRelays({ log: log as unknown as typeof silentLog, clock });
  t.after(async () => {
    await relays.stop();
    a.server.close();
  });
  const port = await freePort();
  const other = createServer();
  await once(other.listen(port, '127.0.0.1'), 'listening');
  relays.follow(all([service(port, [a.target])]));
  await relays.settled();
  clock.advance(1000);
  await relays.settled();
  assert.equal(relays.size, 0);
  assert.deepEqual(warnings, [`node port cannot be served on 127.0.0.1:${String(port)}/TCP; will try again`]);
  other.close();
  await once(other, 'close');
  clock.advance(2000);
  await relays.settled();
  assert.equal(await askTcp(port), 'a');
});

it('of two Services with one node port the first by name has it, the other when that is gone', async (t) => {
  const [a, b] = [await tcpEndpoint('a'), await tcpEndpoint('b')];
  const relays = new LoopbackRelays({ log: silentLog });
  t.after(async () => {
    await relays.stop();
    a.server.close();
    b.server.close();
  });
  const port = await freePort();
  const first = service(port, [a.target], { name: 'default/a:' });
  const second = service(port, [b.target], { name: 'default/b:' });
  relays.follow(all([first, second]));
  await relays.settled();
  assert.equal(await askTcp(port), 'a');
  relays.follow(change([first], []));
  await relays.settled();
  assert.equal(await askTcp(port), 'b');
});
