import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ProxyMetrics } from './metrics.ts';
import { answerHealth, answerMetrics, serve, type ProxyHealth } from './serve.ts';

const well: ProxyHealth = {
  now: 100_000,
  lastSyncAt: 90_000,
  waitingSince: undefined,
  nodeEligible: true,
  patience: 60_000,
};
const cases: [what: string, change: Partial<ProxyHealth>, healthz: number, livez: number][] = [
  ['all is well', {}, 200, 200],
  ['nothing was ever written', { lastSyncAt: 0 }, 503, 503],
  ['a change waits a little', { waitingSince: 90_000 }, 200, 200],
  ['a change waits too long', { waitingSince: 30_000 }, 503, 503],
  ['the node is going away', { nodeEligible: false }, 503, 200],
];
for (const [what, change, healthz, livez] of cases) {
  it(`health is ${String(healthz)} and ${String(livez)} when ${what}`, () => {
    assert.equal(answerHealth('/healthz', { ...well, ...change }).status, healthz);
    assert.equal(answerHealth('/livez', { ...well, ...change }).status, livez);
  });
}

it('health tells since when in the words probes read', () => {
  assert.deepEqual(JSON.parse(answerHealth('/healthz', well).body), {
    lastUpdated: '1970-01-01T00:01:40.000Z',
    currentTime: '1970-01-01T00:01:40.000Z',
    nodeEligible: true,
    healthy: true,
    status: { IPv4: { lastUpdated: '1970-01-01T00:01:40.000Z', healthy: true } },
  });
  assert.equal(answerHealth('/other', well).status, 404);
});

it('metrics have the names dashboards know', () => {
  const metrics = new ProxyMetrics();
  metrics.sync.observe(0.004);
  const { body } = answerMetrics('/metrics', 'iptables', () => metrics.render());
  assert.match(body, /^kubeproxy_sync_proxy_rules_duration_seconds_bucket\{le="0.002"\} 0$/m);
  assert.match(body, /^kubeproxy_sync_proxy_rules_duration_seconds_bucket\{le="0.005"\} 1$/m);
  assert.match(body, /^kubeproxy_sync_proxy_rules_duration_seconds_count 1$/m);
  assert.match(body, /^kubeproxy_sync_proxy_rules_iptables_restore_failures_total 0$/m);
  for (const line of body.trimEnd().split('\n')) assert.match(line, /^(?:# TYPE \w+ \w+|\w+(?:\{[^}]*\})? [\d.e+-]+)$/);
  assert.equal(answerMetrics('/proxyMode', 'iptables', () => '').body, 'iptables');
});

it('answers over a socket, and only reads', async () => {
  const server = await serve('127.0.0.1:0', (path) => answerMetrics(path, 'iptables', () => ''));
  const address = server.address();
  assert.ok(typeof address === 'object' && address);
  const url = `http://127.0.0.1:${String(address.port)}/proxyMode?x=1`;
  const got = await fetch(url);
  assert.equal(await got.text(), 'iptables');
  assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
  assert.equal((await fetch(url, { method: 'POST' })).status, 405);
  await assert.rejects(
    serve(`127.0.0.1:${String(address.port)}`, () => answerHealth('/', well)),
    /EADDRINUSE/,
  );
  server.close();
  server.closeAllConnections();
});
