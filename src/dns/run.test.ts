/** A server on loopback, driven by Corefiles. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'node:test';
import { FakeClient } from '../client/fake-client.ts';
import { inWords } from './corefile-asker.ts';
import { recordingLog } from './recording-log.ts';
import { silentLog } from '../lib/log.ts';
import { runDns, type DnsOptions, type RunningDns } from './run.ts';
import { CLASS_IN, queryFor, TYPE } from './wire/message.ts';
import { decodeMessage, encodeMessage } from './wire/message-codec.ts';

const start = (text: string, change: Partial<DnsOptions> = {}): RunningDns =>
  runDns({
    corefile: { file: 'Corefile', text },
    listen: { addresses: ['127.0.0.1'], port: 0 },
    log: silentLog,
    ...change,
  });

/** One address for every name of a zone. */
const zone = (address: string, key = '.', more = '') =>
  `${key} {\n${more}\ntemplate IN A {\n answer "{{ .Name }} 60 IN A ${address}"\n}\n}\n`;

async function ask(port: number, name: string, address = '127.0.0.1'): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.send(encodeMessage(queryFor(9, { name, type: TYPE.A, class: CLASS_IN }), 512), port, address);
    const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    return (
      inWords(decodeMessage(bytes)).split('\n').slice(2).join(' ') || inWords(decodeMessage(bytes)).split('\n')[0] || ''
    );
  } finally {
    socket.close();
  }
}

const portOf = async (dns: RunningDns, named = 53) => (await dns.listening).get(named) ?? 0;

test('names go to the block with the longest zone, and to nobody where there is none', async () => {
  const dns = start(zone('192.0.2.1', 'example.org') + zone('192.0.2.2', 'a.example.org net.'));
  try {
    const port = await portOf(dns);
    assert.equal(await ask(port, 'www.example.org.'), 'www.example.org. 60 IN A 192.0.2.1');
    assert.equal(await ask(port, 'www.A.example.org.'), 'www.a.example.org. 60 IN A 192.0.2.2');
    assert.equal(await ask(port, 'x.net.'), 'x.net. 60 IN A 192.0.2.2');
    assert.equal(await ask(port, 'x.com.'), 'REFUSED');
  } finally {
    await dns.stop();
  }
});

test('bind has a block listen elsewhere, and blocks on other addresses may have the same zone', async () => {
  const dns = start(zone('192.0.2.1') + zone('192.0.2.2', '.:0', 'bind 127.0.0.9'));
  try {
    const [port, other] = [await portOf(dns), await portOf(dns, 0)];
    assert.equal(await ask(port, 'x.test.'), 'x.test. 60 IN A 192.0.2.1');
    assert.equal(await ask(other, 'x.test.', '127.0.0.9'), 'x.test. 60 IN A 192.0.2.2');
  } finally {
    await dns.stop();
  }
});

test('another Corefile takes over on the socket that is there, while questions keep coming', async () => {
  const dns = start(zone('192.0.2.1'));
  try {
    const port = await portOf(dns);
    let isOver = false;
    const asking = (async () => {
      const answers = new Set<string>();
      while (!isOver) answers.add(await ask(port, 'x.test.'));
      return answers;
    })();
    for (let turn = 1; turn <= 20; turn++) await dns.load(zone(`192.0.2.${String(turn)}`));
    isOver = true;
    for (const answer of await asking) assert.match(answer, /^x\.test\. 60 IN A 192\.0\.2\.\d+$/);
    assert.equal(await ask(port, 'x.test.'), 'x.test. 60 IN A 192.0.2.20');
    assert.equal(await portOf(dns), port);
  } finally {
    await dns.stop();
  }
});

test('a Corefile that is wrong, or whose socket cannot be had, leaves the old one, and is counted', async () => {
  const taken = createSocket('udp4');
  taken.bind(0, '127.0.0.1');
  await once(taken, 'listening');
  const dns = start(zone('192.0.2.1', '.', 'prometheus 127.0.0.1:0'));
  try {
    const port = await portOf(dns);
    await assert.rejects(dns.load('. {\nforwrd . 1.1.1.1\n}'), {
      message: /^Corefile:2: unknown plugin "forwrd", did you mean forward\? There are /,
    });
    await assert.rejects(dns.load('. {\ntls\n}'), { message: /^Corefile:2: plugin tls is not served by Fairway/ });
    await assert.rejects(dns.load(''), { message: 'Corefile:1: expected a server block such as ".:53 {"' });
    await assert.rejects(dns.load('a.test b.test {\n}\nb.test {\n}'), {
      message: 'Corefile:3: dns://b.test.:53 is served by the block at Corefile:1 already',
    });
    await assert.rejects(dns.load(zone('192.0.2.2', `.:${String(taken.address().port)}`)), { code: 'EADDRINUSE' });
    assert.equal(await ask(port, 'x.test.'), 'x.test. 60 IN A 192.0.2.1');
    assert.match(dns.runtime.metrics.render(), /\ncoredns_reload_failed_total 5\n/);
  } finally {
    taken.close();
    await dns.stop();
  }
});

test('a first Corefile that is wrong is told to whoever waits', async () => {
  const dns = start('. {\n');
  const refusal = { name: 'CorefileError', message: 'Corefile:1: a "{" is opened here and never closed' };
  await assert.rejects(dns.listening, refusal);
  await assert.rejects(dns.ready, refusal);
  await dns.stop();
});

test('health, ready and prometheus answer, and go on over a reload', async () => {
  const faces = 'health 127.0.0.1:0\nready 127.0.0.2:0\nprometheus 127.0.0.3:0\nerrors';
  const client = new FakeClient([]);
  const dns = start(zone('192.0.2.1', '.:53 test.:53', `${faces}\nkubernetes cluster.local`), { client });
  const face = async (address: string, path: string) => {
    // The claim of the test is the second on that port, and answers another path.
    const claim = dns.runtime.faces.claim(address, '/none', () => ({ status: 200, body: '' }));
    const response = await fetch(`${(await claim.reachable) ?? ''}${path}`);
    const text = await response.text();
    await claim.release();
    return [response.status, text] as const;
  };
  try {
    await dns.ready;
    assert.deepEqual(await face('127.0.0.1:0', '/health'), [200, 'OK']);
    assert.deepEqual(await face('127.0.0.2:0', '/ready'), [200, 'OK']);
    assert.equal((await face('127.0.0.2:0', '/else'))[0], 404);
    await ask(await portOf(dns), 'x.test.');
    await dns.load(zone('192.0.2.2', 'test.:53', faces));
    await ask(await portOf(dns), 'x.test.');
    assert.equal(await ask(await portOf(dns), 'x.other.'), 'REFUSED');
    assert.deepEqual(await face('127.0.0.1:0', '/health'), [200, 'OK']);
    const [, text] = await face('127.0.0.3:0', '/metrics');
    for (const line of [
      'coredns_dns_requests_total{server="dns://:53",zone="test.",view="",proto="udp",family="1",type="A"} 2',
      'coredns_dns_responses_total{server="dns://:53",zone="test.",view="",rcode="NOERROR",plugin="template"} 2',
      'coredns_dns_request_size_bytes_sum{server="dns://:53",zone="test.",view="",proto="udp"} 48',
      'coredns_dns_response_size_bytes_count{server="dns://:53",zone="test.",view="",proto="udp"} 2',
      'coredns_dns_request_duration_seconds_count{server="dns://:53",zone="test.",view=""} 2',
      'coredns_plugin_enabled{server="dns://:53",zone="test.",view="",name="template"} 1',
      'coredns_dns_requests_total{server="dns://:53",zone="dropped",view="",proto="udp",family="1",type="A"} 1',
      'coredns_dns_responses_total{server="dns://:53",zone="dropped",view="",rcode="REFUSED",plugin=""} 1',
      'coredns_panics_total 0',
    ]) {
      assert.ok(text.includes(`\n${line}\n`), `${line} is not in\n${text}`);
    }
    assert.match(text, /\ncoredns_build_info\{version="fairway-[^"]+",revision="",goversion="node-v\d+/);
    assert.match(text, /\ncoredns_reload_version_info\{hash="sha512",value="[0-9a-f]{128}"\} 1\n/);
    assert.match(text, /\nprocess_resident_memory_bytes \d+\n/);
    assert.doesNotMatch(text, /coredns_plugin_enabled\{[^}]*name="kubernetes"/, 'told of the Corefile before');
  } finally {
    await dns.stop();
  }
});

test('before the first sync ready says who is waited for', async () => {
  const client = new FakeClient([]);
  client.list = () => new Promise<never>(() => undefined);
  const dns = start('.:53 {\nready 127.0.0.1:0\nkubernetes cluster.local {\nstartup_timeout 1ms\n}\n}', { client });
  try {
    await dns.listening;
    const claim = dns.runtime.faces.claim('127.0.0.1:0', '/none', () => ({ status: 200, body: '' }));
    const response = await fetch(`${(await claim.reachable) ?? ''}/ready`);
    assert.deepEqual([response.status, await response.text()], [503, 'kubernetes']);
    await claim.release();
  } finally {
    await dns.stop();
  }
});

test('lameduck answers on until its time is over, unless it is to end at once', async () => {
  const text = zone('192.0.2.1', '.', 'health 127.0.0.1:0 {\n lameduck 1h\n}');
  const { lines, log } = recordingLog();
  let end = (): void => undefined;
  const clock = {
    now: () => 0,
    after: (ms: number, callback: () => void) => {
      if (ms === 3_600_000) end = callback;
      return () => undefined;
    },
  };
  const dns = start(text, { log, clock });
  const port = await portOf(dns);
  const stopped = dns.stop();
  assert.equal(await ask(port, 'x.test.'), 'x.test. 60 IN A 192.0.2.1');
  assert.ok(lines.includes('info going on to answer before the end'));
  end();
  await stopped;
  const other = start(text);
  await other.listening;
  await other.stop({ atOnce: true });
});

test('what no plugin answers is SERVFAIL', async () => {
  const client = new FakeClient([]);
  const dns = start('.:53 {\nkubernetes cluster.local\n}', { client });
  try {
    await dns.ready;
    assert.equal(await ask(await portOf(dns), 'outside.test.'), 'SERVFAIL');
  } finally {
    await dns.stop();
  }
});

test('a server that has begun to answer before the cluster was listed is not ready, however often it was asked before', async () => {
  const client = new FakeClient();
  const listed = Promise.withResolvers<undefined>();
  const list = client.list.bind(client);
  client.list = async (kind, options) => {
    if (kind.plural === 'services') await listed.promise;
    return list(kind, options);
  };
  const dns = start('.:53 {\n ready 127.0.0.1:0\n kubernetes cluster.local {\n startup_timeout 1ms\n}\n}\n', {
    client,
  });
  try {
    assert.deepEqual(dns.runtime.unready(), ['kubernetes', 'sockets']);
    await dns.listening;
    assert.deepEqual(dns.runtime.unready(), ['kubernetes']);
    listed.resolve(undefined);
    await dns.ready;
    assert.deepEqual(dns.runtime.unready(), []);
  } finally {
    await dns.stop({ atOnce: true });
  }
});
