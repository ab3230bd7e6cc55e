import assert from 'node:assert/strict';
import test from 'node:test';
import { ENDPOINT_SLICES, NODES, PODS, SERVICES, type Kind } from '../../../api/kinds.ts';
import type { KubeObject } from '../../../api/types.ts';
import type { Client, ListOptions } from '../../../client/client.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { silentLog } from '../../../lib/log.ts';
import { runDns } from '../../run.ts';
import { CLASS_IN, queryFor, TYPE } from '../../wire/message.ts';
import { rcodeName, recordText } from '../../wire/record-text.ts';
import { SERVICE_IMPORTS } from './service-import.ts';

const namespaces = ['default', 'other'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
const web = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { clusterIP: '10.96.0.7', ports: [] },
};

/** Notes what is asked of the API server; lists of `held` kinds come when they are let go. */
function watchful(objects: readonly KubeObject[] = [...namespaces, web]) {
  const inner = new FakeClient(objects);
  const lists: string[] = [];
  const open = new Set<object>();
  const gates = new Map<string, PromiseWithResolvers<undefined>>();
  const client: Client = Object.assign(Object.create(inner) as FakeClient, {
    async list(kind: Kind, options: ListOptions = {}) {
      const { labelSelector, fieldSelector } = options;
      lists.push([kind.plural, labelSelector, fieldSelector].filter((each) => each !== undefined).join(' '));
      await gates.get(kind.plural)?.promise;
      return inner.list(kind, options);
    },
    async *watch(kind: Kind, options: object) {
      const own = { kind: kind.plural };
      open.add(own);
      try {
        yield* inner.watch(kind, options);
      } finally {
        open.delete(own);
      }
    },
  });
  return {
    client,
    inner,
    lists,
    watches: () => open.size,
    hold(kind: Kind) {
      gates.set(kind.plural, Promise.withResolvers());
    },
    letGo(kind: Kind) {
      gates.get(kind.plural)?.resolve(undefined);
    },
  };
}

const corefile = (options = '', zones = 'cluster.local in-addr.arpa') =>
  `.:53 {\nkubernetes ${zones} {\nstartup_timeout 0s\n${options}\n}\n}\n`;

function serve(client: Client, text = corefile()) {
  const dns = runDns({
    client,
    corefile: { file: 'Corefile', text },
    listen: { addresses: ['127.0.0.1'], port: 0 },
    nodeName: 'node01',
    log: silentLog,
  });
  const ask = async (name: string, type: number = TYPE.A): Promise<string> => {
    const query = queryFor(1, { name, type, class: CLASS_IN });
    const reply = await dns.ask(query, { address: '127.0.0.1', port: 1, transport: 'udp' });
    assert.ok(reply);
    const { rcode, answers } = reply.message;
    return [rcodeName(rcode), ...answers.map(recordText)].join(' | ');
  };
  return { dns, ask };
}

const WEB = 'web.default.svc.cluster.local.';

for (const [options, zones, expected] of [
  ['', 'cluster.local', ['endpointslices', 'namespaces', 'services']],
  ['noendpoints', 'cluster.local', ['namespaces', 'services']],
  [
    'pods verified',
    'cluster.local',
    ['endpointslices', 'namespaces', 'pods status.phase!=Succeeded,status.phase!=Failed', 'services'],
  ],
  [
    'labels app in (a, b)\nnamespace_labels !hidden',
    'cluster.local',
    ['endpointslices app in (a, b)', 'namespaces !hidden', 'services app in (a, b)'],
  ],
  ['prefer_zone', 'cluster.local', ['endpointslices', 'namespaces', 'nodes metadata.name=node01', 'services']],
  [
    'prefer_zone\npods verified',
    'cluster.local',
    ['endpointslices', 'namespaces', 'nodes', 'pods status.phase!=Succeeded,status.phase!=Failed', 'services'],
  ],
  ['multicluster set.local', 'cluster.local set.local', ['endpointslices', 'namespaces', 'serviceimports', 'services']],
] as const) {
  test(`4-019 only what the options need is watched: ${options.replaceAll('\n', ', ') || 'none'}`, async () => {
    const { client, lists } = watchful();
    const { dns } = serve(client, corefile(options, zones));
    await dns.ready;
    assert.deepEqual(lists.sort(), expected);
    await dns.stop();
  });
}

for (const kind of [SERVICES, ENDPOINT_SLICES, PODS] as const) {
  test(`4-023 until everything has been listed no name is denied: ${kind.plural} are missing`, async () => {
    const { client, hold, letGo } = watchful();
    hold(kind);
    const { dns, ask } = serve(client, corefile('pods verified\nfallthrough'));
    await dns.listening;
    for (const name of [
      WEB,
      'nope.default.svc.cluster.local.',
      'cluster.local.',
      '10-0-0-1.default.pod.cluster.local.',
    ]) {
      assert.equal(await ask(name), 'SERVFAIL', name);
    }
    assert.equal(await ask('7.0.96.10.in-addr.arpa.', TYPE.PTR), 'SERVFAIL');
    assert.deepEqual(dns.runtime.unready(), ['kubernetes']);
    letGo(kind);
    await dns.ready;
    assert.deepEqual(dns.runtime.unready(), []);
    assert.equal(await ask(WEB), `NOERROR | ${WEB} 5 IN A 10.96.0.7`);
    await dns.stop();
  });
}

test('4-023 the start waits for the first lists, and no longer than it may', async () => {
  const { client, lists, hold, letGo } = watchful();
  hold(SERVICES);
  const { dns, ask } = serve(client, corefile('startup_timeout 10m'));
  let isListening = false;
  void dns.listening.then(() => (isListening = true));
  while (lists.length < 3) await new Promise(setImmediate);
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  assert.equal(isListening, false);
  letGo(SERVICES);
  await dns.listening;
  assert.equal(await ask(WEB), `NOERROR | ${WEB} 5 IN A 10.96.0.7`);
  await dns.stop();
});

test('a clusterset that is not there takes nothing from the cluster', async () => {
  const { client, hold } = watchful();
  hold(SERVICE_IMPORTS);
  const { dns, ask } = serve(client, corefile('multicluster set.local', 'cluster.local set.local'));
  await dns.listening;
  while ((await ask(WEB)) === 'SERVFAIL') await new Promise(setImmediate);
  assert.equal(await ask(WEB), `NOERROR | ${WEB} 5 IN A 10.96.0.7`);
  assert.equal(await ask('shop.default.svc.set.local.'), 'SERVFAIL');
  assert.deepEqual(dns.runtime.unready(), ['kubernetes']);
  await dns.stop();
});

test('a new Corefile takes over the watches, and no name is unknown for a moment', async () => {
  const { client, lists, watches } = watchful();
  const { dns, ask } = serve(client);
  await dns.ready;
  let isOver = false;
  const seen = new Set<string>();
  const asking = (async () => {
    while (!isOver) {
      seen.add(await ask(WEB));
      await new Promise(setImmediate);
    }
  })();
  for (const options of ['ttl 5', 'pods insecure', 'zonal', 'fallthrough', 'ttl 5\nignore empty_service']) {
    await dns.load(corefile(`${options}\npods insecure`));
  }
  isOver = true;
  await asking;
  seen.delete('NXDOMAIN'); // ignore empty_service: it has no endpoints
  assert.deepEqual([...seen], [`NOERROR | ${WEB} 5 IN A 10.96.0.7`]);
  assert.deepEqual(lists.sort(), ['endpointslices', 'namespaces', 'services']);
  assert.equal(watches(), 3);
  await dns.load(corefile('labels app=web'));
  assert.equal(lists.length, 5, 'another selector is another watch');
  await dns.load('.:53 {\n}\n').catch(() => undefined);
  await dns.stop();
  await new Promise(setImmediate);
  assert.equal(watches(), 0, 'what nobody needs is closed');
});

test('blocks share watches, and a refused Corefile leaves them alone', async () => {
  const { client, lists, watches } = watchful();
  const { dns, ask } = serve(client, `${corefile()}example.org:53 {\nkubernetes example.org\n}\n`);
  await dns.ready;
  assert.equal(lists.length, 3);
  assert.equal(await ask('web.default.svc.example.org.'), 'NOERROR | web.default.svc.example.org. 5 IN A 10.96.0.7');
  await assert.rejects(dns.load(corefile('nonsense')), /Corefile:4: kubernetes: unknown option "nonsense"/);
  assert.equal(await ask(WEB), `NOERROR | ${WEB} 5 IN A 10.96.0.7`);
  assert.equal(watches(), 3);
  await dns.stop();
});

test('the zone of the Node chooses among endpoints, and a change of it is a change of answers', async () => {
  const { client, inner } = watchful([
    ...namespaces,
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'set', namespace: 'default' },
      spec: { clusterIP: 'None' },
    } as KubeObject,
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'set-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'set' } },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.244.0.1'], zone: 'zone-a' },
        { addresses: ['10.244.0.2'], zone: 'zone-b' },
      ],
    } as KubeObject,
    node('zone-a'),
  ]);
  const { dns, ask } = serve(client, corefile('prefer_zone'));
  await dns.ready;
  const set = 'set.default.svc.cluster.local.';
  const announced: (string | undefined)[] = [];
  assert.equal(await ask(set), `NOERROR | ${set} 5 IN A 10.244.0.1`);
  dns.runtime.changes.onChange((dependency) => announced.push(dependency));
  await inner.update(NODES, node('zone-b'));
  await new Promise(setImmediate);
  assert.equal(await ask(set), `NOERROR | ${set} 5 IN A 10.244.0.2`);
  assert.deepEqual(announced, [undefined]);
  await inner.update(NODES, node('zone-c'));
  await new Promise(setImmediate);
  assert.equal(await ask(set), `NOERROR | ${set} 5 IN A 10.244.0.1 | ${set} 5 IN A 10.244.0.2`);
  await dns.stop();
});

function node(zone: string) {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node01', labels: { 'topology.kubernetes.io/zone': zone } },
  };
}
