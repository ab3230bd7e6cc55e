/** The DNS of a node and the ConfigMap it lives by, asked by the real dig over both families, in a network namespace of the test's own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually } from '../../test/support/eventually.ts';
import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
import { CONFIG_MAPS, EVENTS, type Kind } from '../api/kinds.ts';
import type { ConfigMap, KubeObject, List, Namespace, Service } from '../api/types.ts';
import type { ListOptions } from '../client/client.ts';
import { FakeClient } from '../client/fake-client.ts';
import { CLASS_IN, queryFor, TYPE } from '../dns/wire/message.ts';
import { decodeMessage, encodeMessage } from '../dns/wire/message-codec.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { runNodeDns, type NodeDns, type NodeDnsOptions } from './node-dns.ts';

requireOuterNamespace();

const run = promisify(execFile);
const objects: (Namespace | Service)[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00:96::7'], ports: [{ name: 'http', port: 80 }] },
  },
];
const map = (data: Record<string, string>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'coredns', namespace: 'kube-system' },
  data,
});
const corefile = (ttl: number, more = '') => `.:53 {
    errors
    ready
    prometheus :9153
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        ttl ${String(ttl)}
    }
    ${more}
}
`;

/** Never says what ConfigMaps there are. */
class DumbClient extends FakeClient {
  override list<T extends KubeObject>(kind: Kind<T>, options?: ListOptions): Promise<List<T>> {
    return kind.plural === CONFIG_MAPS.plural ? new Promise(() => undefined) : super.list(kind, options);
  }
}

const directory = mkdtempSync(join(tmpdir(), 'fw-node-dns-'));
after(() => {
  rmSync(directory, { recursive: true });
});

let dns: NodeDns | undefined;
afterEach(() => dns?.stop());

async function start(client: FakeClient, more: Partial<NodeDnsOptions> = {}): Promise<NodeDns> {
  dns = runNodeDns({
    client,
    nodeName: 'node01',
    addresses: ['127.0.0.1', '::1'],
    clusterDomain: 'cluster.local',
    resolvConf: '/nonexistent',
    directory: join(directory, String(Math.random())),
    log: silentLog,
    ...more,
  });
  await (
    await dns.running
  ).ready;
  return dns;
}

async function dig(...args: string[]): Promise<string> {
  return (await run('dig', ['+noall', '+answer', '+time=5', '+tries=1', ...args])).stdout.replace(/\s+/g, ' ').trim();
}
const web = () => dig('@127.0.0.1', 'web.default.svc.cluster.local');
const withTtl = (ttl: number) => `web.default.svc.cluster.local. ${String(ttl)} IN A 10.96.0.7`;
const seesTtl = (ttl: number) =>
  eventually(async () => {
    assert.equal(await web(), withTtl(ttl));
  });
/** From the newest to the oldest. */
const said = (client: FakeClient) =>
  client.all(EVENTS).map(({ reason, message }) => `${reason ?? ''} ${message ?? ''}`);

test('both families and both transports are answered, and the HTTP ports are on the node’s address alone', async () => {
  await start(new FakeClient([...objects, map({ Corefile: corefile(11) })]));
  for (const server of ['@127.0.0.1', '@::1']) {
    for (const transport of ['+notcp', '+tcp']) {
      assert.equal(await dig(server, transport, 'web.default.svc.cluster.local'), withTtl(11));
      assert.match(await dig(server, transport, 'web.default.svc.cluster.local', 'AAAA'), / IN AAAA fd00:96::7$/);
      assert.match(await dig(server, transport, '-x', 'fd00:96::7'), / IN PTR web\.default\.svc\.cluster\.local\.$/);
    }
  }
  const ready = await fetch('http://127.0.0.1:8181/ready');
  assert.equal(ready.status, 200);
  assert.match(await (await fetch('http://127.0.0.1:9153/metrics')).text(), /^coredns_dns_requests_total\{/m);
  await assert.rejects(fetch('http://127.0.0.2:9153/metrics'));
});

test('a changed ConfigMap takes effect; one that is wrong changes nothing and says where; a deleted one is the default', async () => {
  const client = new FakeClient([...objects, map({ Corefile: corefile(11) })]);
  await start(client);
  assert.equal(await web(), withTtl(11));
  const write = (data: Record<string, string>) =>
    client.patch(CONFIG_MAPS, 'coredns', 'kube-system', 'merge', { data });
  await write({ Corefile: corefile(12) });
  await seesTtl(12);
  await write({ Corefile: corefile(13, 'frobnicate') });
  await eventually(() => {
    assert.match(
      said(client).join('\n'),
      /^InvalidCorefile not taken on node01, where the one before stays: Corefile:8: unknown plugin "frobnicate"/,
    );
  });
  assert.equal(client.all(EVENTS)[0]?.involvedObject.name, 'coredns');
  assert.equal(await web(), withTtl(12));
  await write({ Corefile: corefile(12) });
  await eventually(() => {
    assert.ok(said(client).includes('CorefileLoaded taken on node01'), said(client).join('\n'));
  });
  await client.delete(CONFIG_MAPS, 'coredns', 'kube-system');
  await seesTtl(30);
});

test('imports find the other keys of the ConfigMap and nothing of the machine', async () => {
  const secret = join(directory, 'secret');
  writeFileSync(secret, 'frobnicate\n');
  const client = new FakeClient([
    ...objects,
    map({
      Corefile: `import custom/*.server\n${corefile(11, `import ${secret}`)}`,
      'lab.server': 'lab.test {\n errors\n}\n',
    }),
  ]);
  await start(client);
  // What is wrong is the file that cannot be found, and the default has taken its place.
  await eventually(() => {
    assert.match(said(client)[0] ?? '', /^InvalidCorefile .*Corefile:9: .*secret/);
  });
  assert.equal(await web(), withTtl(30));
  await client.patch(CONFIG_MAPS, 'coredns', 'kube-system', 'merge', {
    data: { Corefile: `import custom/*.server\n${corefile(11)}` },
  });
  await seesTtl(11);
  const lab = await run('dig', ['@127.0.0.1', '+time=5', '+tries=1', 'x.lab.test']);
  assert.match(lab.stdout, /status: SERVFAIL/, 'a block of its own, with nobody who answers');
});

test('a file of the node that the ConfigMap names is not read', async () => {
  const secret = join(directory, 'hosts');
  writeFileSync(secret, '192.0.2.99 secret.test\n');
  const client = new FakeClient([...objects, map({ Corefile: corefile(11, `hosts ${secret} {\n fallthrough\n}`) })]);
  await start(client);
  await eventually(() => {
    assert.match(said(client)[0] ?? '', /^InvalidCorefile .*Corefile:8: hosts: files of the node are not read/);
  });
  assert.equal(await web(), withTtl(30));
});

test('one that is right and cannot be had here says so, and is tried again', async () => {
  const client = new FakeClient([...objects, map({ Corefile: corefile(11) })]);
  const clock = new FakeClock();
  await start(client, { clock });
  const taken = createSocket('udp4');
  await new Promise<void>((resolve) => taken.bind(1053, '127.0.0.1', resolve));
  await client.patch(CONFIG_MAPS, 'coredns', 'kube-system', 'merge', {
    data: { Corefile: `${corefile(12)}lab.test:1053 {\n    errors\n}\n` },
  });
  await eventually(() => {
    assert.match(said(client).join(), /^CorefileNotLoaded not taken on node01, .*EADDRINUSE/);
  });
  assert.equal(await web(), withTtl(11));
  await new Promise<void>((resolve) => taken.close(resolve));
  clock.advance(5000);
  await seesTtl(12);
});

test('without the API server’s word it starts with the Corefile that was good last', async () => {
  const memory = join(directory, 'memory');
  const client = new FakeClient([...objects, map({ Corefile: corefile(11) })]);
  await start(client, { directory: memory });
  await dns?.stop();
  assert.match(readFileSync(join(memory, 'corefile.json'), 'utf8'), /ttl 11/);
  const dumb = new DumbClient(objects);
  await start(dumb, { directory: memory });
  assert.equal(await web(), withTtl(11));
});

test('while Corefiles come and go no question is lost, and no name of the cluster fails', async () => {
  const client = new FakeClient([...objects, map({ Corefile: corefile(1) })]);
  await start(client);
  const socket = createSocket('udp4');
  const [wrong, ttls]: [string[], Set<number>] = [[], new Set()];
  let isOver = false;
  const ask = async (id: number) => {
    socket.send(
      encodeMessage(queryFor(id, { name: 'web.default.svc.cluster.local.', type: TYPE.A, class: CLASS_IN }), 512),
      53,
      '127.0.0.1',
    );
    const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
    const { answers, rcode } = decodeMessage(bytes);
    const [answer] = answers;
    if (answer?.type === TYPE.A) ttls.add(answer.ttl);
    else wrong.push(`question ${String(id)}: rcode ${String(rcode)}`);
  };
  const asking = (async () => {
    for (let id = 1; !isOver; id = (id % 65_535) + 1) await ask(id);
  })();
  const watches = client.openWatches;
  for (let ttl = 2; ttl <= 20; ttl++) {
    await client.patch(CONFIG_MAPS, 'coredns', 'kube-system', 'merge', { data: { Corefile: corefile(ttl) } });
    await eventually(
      () => {
        assert.ok(ttls.has(ttl), `an answer by Corefile ${String(ttl)}`);
      },
      10_000,
      1,
    );
  }
  isOver = true;
  await asking;
  socket.close();
  assert.deepEqual(wrong, []);
  await eventually(() => {
    assert.equal(client.openWatches, watches, 'what a Corefile watched ends with it');
  });
});
