/** What userspace mode does over time, with real packets: walkthrough W19, restarts, a foreign flush, silent endpoints, big datagrams. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { eventually } from '../../../test/support/eventually.ts';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { exec } from '../../host/exec.ts';
import { FakeSysctl } from '../../host/sysctl.ts';
import { createIptables } from '../../host/iptables.ts';
import { silentLog, type Log } from '../../lib/log.ts';
import { defaultIpvsSettings } from '../backend.ts';
import { runProxy, type RunningProxy } from '../run.ts';
import { loadScenario, scenarios, WORLD } from '../scenarios/index.ts';
import { ask, KernelWorld } from '../scenarios/kernel-world.ts';
import { cleanup, userspaceBackend } from './backend.ts';

requireOuterNamespace();

const iptables = createIptables('legacy');
const isPod = /^(?:own|far)-/;
let world: KernelWorld;
before(async () => {
  world = await KernelWorld.create();
});
after(async () => {
  await cleanup(iptables);
  await world.close();
});

function objectsOf(name: string) {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario);
  return loadScenario(scenario);
}

function start(client: FakeClient, log: Log = silentLog): RunningProxy {
  return runProxy({
    client,
    nodeName: WORLD.node.name,
    nodeIps: [WORLD.node.ip],
    mode: 'userspace',
    clusterCidr: WORLD.clusterCIDR,
    healthzBindAddress: '',
    metricsBindAddress: '',
    flushCheckPeriod: 50,
    log,
    host: { sysctl: new FakeSysctl() },
  });
}

function clientOf(name: string): FakeClient {
  const { services, slices } = objectsOf(name);
  return new FakeClient([...services, ...slices]);
}

const saved = async () => (await iptables.save()).split('\n').filter((line) => line.includes('hostnames'));

/** A client that opens connections until told to stop, and then tells how they went. */
function keepAsking(host: string, port: number, from: 'client' | 'outside' = 'client') {
  let isOver = false;
  const answers = (async () => {
    const got: string[] = [];
    while (!isOver) got.push(...(await world.ask(from, { ...ask('IPv4', host, port), timeout: 5000 })));
    return got;
  })();
  return {
    stop: () => {
      isOver = true;
      return answers;
    },
  };
}

it('W19: one port behind both portals, which answers by itself, and the endpoints in the log', async (t) => {
  const said: string[] = [];
  const listener = { ...silentLog, child: () => listener, info: (_: unknown, text: string) => said.push(text) };
  const log = listener as unknown as Log;
  const client = clientOf('cluster-ip');
  const proxy = start(client, log);
  t.after(() => proxy.stop());
  await proxy.synced;
  const rules = (await saved()).join('\n');
  const to = '-d 10\\.96\\.0\\.20/32 -p tcp -m comment --comment "default/hostnames:default" -m tcp --dport 80';
  const redirect = new RegExp(`^-A KUBE-PORTALS-CONTAINER ${to} -j REDIRECT --to-ports (\\d+)$`, 'm').exec(rules);
  const dnat = new RegExp(`^-A KUBE-PORTALS-HOST ${to} -j DNAT --to-destination 172\\.30\\.0\\.11:(\\d+)$`, 'm').exec(
    rules,
  );
  assert.ok(redirect && dnat, rules);
  assert.equal(redirect[1], dnat[1]);
  const port = Number(redirect[1]);
  const [answer = ''] = await world.ask('node', ask('IPv4', '127.0.0.1', port));
  assert.match(answer, isPod);
  const line = 'Setting endpoints for default/hostnames:default to [10.244.1.5:9376 10.244.1.6:9376 10.244.2.5:9376]';
  assert.ok(said.includes(line), said.join('\n'));
});

it('round robin: of nine connections each of three endpoints gets three', async (t) => {
  const proxy = start(clientOf('cluster-ip'));
  t.after(() => proxy.stop());
  await proxy.synced;
  const counts = new Map<string, number>();
  for (let at = 0; at < 9; at++) {
    const [answer = ''] = await world.ask('client', ask('IPv4', '10.96.0.20', 80));
    const [name = ''] = answer.split(':');
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(counts), { 'own-a': 3, 'own-b': 3, 'far-a': 3 });
});

it('no connection fails while one proxy takes over from another, and no rule is written for it', async (t) => {
  const client = clientOf('node-port');
  const first = start(client);
  await first.synced;
  const rules = async () => (await iptables.save()).split('\n').filter((line) => line.startsWith('-A KUBE-'));
  const before = await rules();
  const asking = [keepAsking('10.96.0.30', 80), keepAsking(WORLD.node.ip, 30380, 'outside')];
  const second = start(client);
  t.after(() => second.stop());
  await second.synced;
  await first.stop();
  for (let at = 0; at < 20; at++) {
    const [answer = ''] = await world.ask('node', ask('IPv4', '10.96.0.30', 80));
    assert.match(answer, isPod);
  }
  const answers = (await Promise.all(asking.map((one) => one.stop()))).flat();
  assert.ok(answers.length > 20);
  // a connection that the first had taken and not yet finished ends with it
  assert.ok(answers.filter((one) => !isPod.test(one)).length <= 2, answers.join('\n'));
  assert.deepEqual(await rules(), before);
});

it('of two proxies that began together one ends, and the other serves all that comes', async (t) => {
  const client = clientOf('cluster-ip');
  // neither finds sockets that the other has left: each listens with its own
  const [first, second] = [start(client), start(client)];
  t.after(() => second.stop());
  await Promise.all([first.synced, second.synced]);
  await first.stop();
  for (let at = 0; at < 20; at++) {
    const [answer = ''] = await world.ask('client', ask('IPv4', '10.96.0.20', 80));
    assert.match(answer, isPod);
  }
});

it('no connection fails while endpoints change a hundred times a second', async (t) => {
  const client = clientOf('cluster-ip');
  const proxy = start(client);
  t.after(() => proxy.stop());
  await proxy.synced;
  const [slice] = objectsOf('cluster-ip').slices;
  assert.ok(slice);
  const all = slice.endpoints ?? [];
  const asking = keepAsking('10.96.0.20', 80);
  for (let at = 0; at < 150; at++) {
    client.seed({ ...slice, endpoints: all.filter((_, index) => index !== at % all.length) });
    await setTimeout(10);
  }
  const answers = await asking.stop();
  assert.ok(answers.length > 30, `${String(answers.length)} connections say little`);
  assert.deepEqual(
    answers.filter((one) => !isPod.test(one)),
    [],
  );
});

it('what is asked while no proxy runs waits for the next one, which listens on the same port and is found by the old rules', async (t) => {
  const client = clientOf('cluster-ip');
  const first = start(client);
  await first.synced;
  const before = await saved();
  await first.stop();
  const waiting = Promise.all(
    [1, 2, 3].map(() => world.ask('client', { ...ask('IPv4', '10.96.0.20', 80), timeout: 30_000 })),
  );
  // they are in the queue of a socket that nobody reads
  await setTimeout(300);
  const second = start(client);
  t.after(() => second.stop());
  await second.synced;
  for (const [answer = ''] of await waiting) assert.match(answer, isPod);
  const [answer = ''] = await world.ask('client', ask('IPv4', '10.96.0.20', 80));
  assert.match(answer, isPod);
  assert.deepEqual(await saved(), before);
});

it('where a proxy ended for good and is cleaned up after, nobody waits', async () => {
  const client = clientOf('cluster-ip');
  const proxy = start(client);
  await proxy.synced;
  await proxy.stop();
  const waiting = world.ask('client', { ...ask('IPv4', '10.96.0.20', 80), timeout: 30_000 });
  // it stands in the queue of a socket that listens
  await eventually(async () => assert.match((await exec('ss', ['-Hltn'])).stdout, /^LISTEN +[1-9]/m));
  const context = { family: 'IPv4', log: silentLog, exec, sysctl: new FakeSysctl(), masqueradeBit: 14 } as const;
  const removed = await userspaceBackend.cleanup({ ...context, ipvs: defaultIpvsSettings });
  assert.match(removed.join(), /sockets kept for the next relays/);
  assert.deepEqual(await waiting, ['ECONNRESET']);
});

it('rules that another program flushed come back', async (t) => {
  const proxy = start(clientOf('cluster-ip'));
  t.after(() => proxy.stop());
  await proxy.synced;
  const before = await saved();
  for (const table of ['nat', 'filter']) {
    for (const command of ['-F', '-X']) await world.onNode('iptables-legacy', ['-w', '5', '-t', table, command]);
  }
  const end = Date.now() + 5000;
  while ((await saved()).length < before.length) assert.ok(Date.now() < end, 'not within 5 s');
  const [answer = ''] = await world.ask('client', ask('IPv4', '10.96.0.20', 80));
  assert.match(answer, isPod);
});

it('an endpoint that says nothing costs a quarter of a second, and the next one answers', async (t) => {
  const proxy = start(clientOf('cluster-ip'));
  const silent = ['-d', `${WORLD.pods['own-a'].ip}/32`, '-j', 'DROP'];
  await proxy.synced;
  await world.onNode('iptables-legacy', ['-w', '5', '-I', 'OUTPUT', ...silent]);
  t.after(async () => {
    await world.onNode('iptables-legacy', ['-w', '5', '-D', 'OUTPUT', ...silent]);
    await proxy.stop();
  });
  const took: number[] = [];
  for (let at = 0; at < 3; at++) {
    const start = performance.now();
    const [answer = ''] = await world.ask('client', ask('IPv4', '10.96.0.20', 80));
    took.push(performance.now() - start);
    assert.match(answer, /^(?:own-b|far-a):/);
  }
  // with two of three answering at once, one in three or four connections meets the silent one
  const slowest = Math.max(...took);
  assert.ok(slowest >= 250 && slowest < 1500, took.join(' '));
});

it('a datagram of many fragments reaches its endpoint', async (t) => {
  const proxy = start(clientOf('cluster-ip-two-ports'));
  t.after(() => proxy.stop());
  await proxy.synced;
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.connect(53, '10.96.0.22');
  await once(socket, 'connect');
  socket.send(Buffer.alloc(20_000));
  const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(3000) })) as [Buffer];
  assert.match(answer.toString(), isPod);
});

it('a node port is held: nobody else on the node can listen there', async (t) => {
  const proxy = start(clientOf('node-port'));
  t.after(() => proxy.stop());
  await proxy.synced;
  const { createServer } = await import('node:net');
  const [error] = (await once(createServer().listen(30380, '0.0.0.0'), 'error').catch((one: unknown) => [one])) as [
    NodeJS.ErrnoException,
  ];
  assert.equal(error.code, 'EADDRINUSE');
});
