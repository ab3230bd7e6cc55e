import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { it } from 'node:test';
import { FakeClock } from '../../lib/clock.ts';
import type { Family } from '../../lib/ip.ts';
import { silentLog } from '../../lib/log.ts';
import type { FamilyHealth } from './health.ts';
import { serve } from './http-server.ts';
import { answerHealth, answerMetrics, ProxyServers, type ProxyFigures, type ProxyHealth } from './serve.ts';

const now = 100_000;
const well: FamilyHealth = { lastUpdated: 90_000, healthy: true };
const ill: FamilyHealth = { lastUpdated: 20_000, healthy: false };
const healthOf = (families: [Family, FamilyHealth][], nodeEligible = true): ProxyHealth => {
  return { now, families: new Map(families), nodeEligible };
};

const cases: [what: string, health: ProxyHealth, healthz: number, livez: number][] = [
  ['all is well', healthOf([['IPv4', well]]), 200, 200],
  ['a change of one family waits too long', healthOf([['IPv4', well], ['IPv6', ill]]), 503, 503], // prettier-ignore
  ['the node is going away', healthOf([['IPv4', well]], false), 503, 200],
];
for (const [what, health, healthz, livez] of cases) {
  it(`health is ${String(healthz)} and ${String(livez)} when ${what}`, () => {
    assert.equal(answerHealth('/healthz', health).status, healthz);
    assert.equal(answerHealth('/livez', health).status, livez);
  });
}

it('health tells since when, for each family, in the words probes read', () => {
  const health = healthOf([['IPv4', well], ['IPv6', ill]]); // prettier-ignore
  assert.deepEqual(JSON.parse(answerHealth('/healthz', health).body), {
    lastUpdated: '1970-01-01T00:00:20.000Z',
    currentTime: '1970-01-01T00:01:40.000Z',
    nodeEligible: true,
    healthy: false,
    status: {
      IPv4: { lastUpdated: '1970-01-01T00:01:40.000Z', healthy: true },
      IPv6: { lastUpdated: '1970-01-01T00:00:20.000Z', healthy: false },
    },
  });
  const livez = JSON.parse(answerHealth('/livez', healthOf([['IPv4', well]])).body) as Record<string, unknown>;
  assert.equal(livez['lastUpdated'], '1970-01-01T00:01:40.000Z');
  assert.ok(!('nodeEligible' in livez));
  assert.equal(answerHealth('/other', health).status, 404);
});

const figures: ProxyFigures = { mode: 'iptables', metrics: () => 'a 1\n', isHealthy: () => false };
const answers: [path: string, status: number, type: RegExp, body: RegExp][] = [
  ['/metrics', 200, /version=0\.0\.4/, /^a 1$/m],
  ['/metrics/slis', 200, /version=0\.0\.4/, /^kubernetes_healthcheck\{name="proxy",type="livez"\} 0$/m],
  ['/healthz', 200, /text\/plain/, /^ok$/],
  ['/proxyMode', 200, /text\/plain/, /^iptables$/],
  ['/configz', 200, /application\/json/, /^\{"kubeproxy\.config\.k8s\.io":\{\}\}$/],
  ['/debug/pprof', 404, /text\/plain/, /not found/],
];
for (const [path, status, type, body] of answers) {
  it(`the metrics port answers ${path} with ${String(status)}`, async () => {
    const answer = await answerMetrics(path, figures);
    assert.equal(answer.status, status);
    assert.match(answer.type, type);
    assert.match(answer.body, body);
  });
}

it('answers over a socket, and only reads', async () => {
  const server = await serve('127.0.0.1:0', (path) => answerMetrics(path, figures));
  const url = `http://127.0.0.1:${String(server.port)}/proxyMode?x=1`;
  const got = await fetch(url);
  assert.equal(await got.text(), 'iptables');
  assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
  assert.equal((await fetch(url, { method: 'HEAD' })).status, 200);
  assert.equal((await fetch(url, { method: 'POST' })).status, 405);
  await assert.rejects(
    serve(`127.0.0.1:${String(server.port)}`, (path) => answerMetrics(path, figures)),
    /EADDRINUSE/,
  );
  server.close();
});

it(
  'hangs up on clients that do not ask, so that they take no sockets from those who do',
  { timeout: 20_000 },
  async () => {
    const server = await serve('127.0.0.1:0', (path) => answerMetrics(path, figures), { patience: 100 });
    for (const text of [
      '',
      'GET /healthz HT',
      'GET /healthz HTTP/1.1\r\nHost: x\r\n',
      `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n`,
    ]) {
      const socket = connect(server.port, '127.0.0.1');
      const closed = once(socket.on('error', () => undefined).resume(), 'close');
      socket.write(text);
      await closed;
    }
    assert.equal((await fetch(`http://127.0.0.1:${String(server.port)}/healthz`)).status, 200);
    server.close();
  },
);

it('tries a port that is taken again, unless it is told to fail', async () => {
  const taken = await serve('127.0.0.1:0', (path) => answerMetrics(path, figures));
  const address = `127.0.0.1:${String(taken.port)}`;
  const failed = await new Promise<Error>((resolve) => {
    new ProxyServers(silentLog, new FakeClock(), resolve).listen(address, (path) => answerMetrics(path, figures));
  });
  assert.match(failed.message, /cannot listen on 127\.0\.0\.1:\d+, and --bind-address-hard-fail says to end/);

  const clock = new FakeClock();
  const warned = Promise.withResolvers<undefined>();
  const log = { ...silentLog, warn: () => { warned.resolve(undefined); }, child: () => silentLog } as typeof silentLog; // prettier-ignore
  const servers = new ProxyServers(log, clock);
  const isAsked = Promise.withResolvers<string>();
  servers.listen(address, (path) => {
    isAsked.resolve(path);
    return answerMetrics(path, figures);
  });
  await warned.promise;
  taken.close();
  clock.advance(5000);
  const path = await Promise.race([isAsked.promise, untilAnswered(address)]);
  assert.equal(path, '/healthz');
  servers.stop();
});

/** Asks until somebody listens; the first answer ends it. */
async function untilAnswered(address: string): Promise<string> {
  for (;;) {
    const answer = await fetch(`http://${address}/healthz`).catch(() => undefined);
    if (answer?.ok) return '/healthz';
    await new Promise(setImmediate);
  }
}
