/** Another proxy mode takes over while clients connect all the time (3-073, trap T13). Run by scripts/in-outer-namespace. */
import assert from 'node:assert/strict';
import { connect, createServer, type Server } from 'node:net';
import { after, before, it } from 'node:test';
import { startTlsApi, type TlsApi } from '../../test/support/api.ts';
import { FAIRWAY } from '../../test/support/cluster.ts';
import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
import { createWeb, ProxyProcess, run } from '../../test/support/proxy-process.ts';
import { NODES } from '../api/kinds.ts';
import type { Node } from '../api/types.ts';
import type { ProxyMode } from './backend.ts';

const NODE = '172.30.0.11';
let api: TlsApi;
let backend: Server;
let clusterIP = '';

before(async () => {
  requireOuterNamespace();
  await run('ip', 'address', 'add', `${NODE}/32`, 'dev', 'lo');
  await run('ip', 'route', 'add', '10.96.0.0/16', 'dev', 'lo');
  backend = createServer((socket) => socket.on('error', () => undefined).end('hello'));
  await new Promise<void>((resolve) => backend.listen(8080, NODE, resolve));
  api = await startTlsApi();
  const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node01' } };
  await api.client.create(NODES, node);
  const status = { addresses: [{ type: 'InternalIP', address: NODE }] };
  await api.client.patch(NODES, 'node01', undefined, 'merge', { status }, { subresource: 'status' });
  clusterIP = (await createWeb(api.client, NODE)).spec?.clusterIP ?? '';
});

after(async () => {
  backend.close();
  await api.stop();
});

/** Which modes have rules in the kernel. */
async function modesInForce(): Promise<string[]> {
  const [tables, legacy, nft] = await Promise.all([
    run('nft', 'list', 'tables'),
    run('iptables-legacy-save', '-t', 'nat'),
    run('iptables-nft-save', '-t', 'nat'),
  ]);
  const iptables = legacy.stdout + nft.stdout;
  return [
    ...(/table ip kube-proxy$/m.test(tables.stdout) ? ['nftables'] : []),
    ...(/^:KUBE-SERVICES /m.test(iptables) ? ['iptables'] : []),
    ...(/^:KUBE-PORTALS-HOST /m.test(iptables) ? ['userspace'] : []),
  ];
}

function connectOnce(): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ host: clusterIP, port: 80, timeout: 3000 });
    socket.setEncoding('utf8').on('data', (text: string) => (said += text));
    socket.on('timeout', () => socket.destroy(new Error('timeout')));
    socket.on('error', (error) => {
      resolve(error.message);
    });
    socket.on('close', () => {
      resolve(said);
    });
  });
}

/** Connects again and again until told to stop; what did not say hello is a failure. */
function connectAllTheTime() {
  let isOver = false;
  let count = 0;
  const failures: string[] = [];
  const work = (async () => {
    while (!isOver) {
      const said = await connectOnce();
      count++;
      if (said !== 'hello') failures.push(said);
      await new Promise(setImmediate);
    }
  })();
  return async () => {
    isOver = true;
    await work;
    return { count, failures };
  };
}

const flagsOf = (mode: ProxyMode) => [
  '--proxy-mode',
  mode,
  '--hostname-override',
  'node01',
  '--cluster-cidr',
  '10.244.0.0/16',
];
const CHANGES: [from: ProxyMode, to: ProxyMode][] = [
  ['iptables', 'nftables'],
  ['nftables', 'iptables'],
  ['iptables', 'userspace'],
];

for (const [from, to] of CHANGES) {
  it(`from ${from} to ${to}: no connection fails, and what ${from} left is gone`, async (t) => {
    const first = new ProxyProcess(api.kubeconfig, ...flagsOf(from));
    await first.says(/rules written/);
    const stop = connectAllTheTime();
    assert.equal(await first.end('SIGTERM'), 0);
    const second = new ProxyProcess(api.kubeconfig, ...flagsOf(to));
    await second.says(/took away what another mode had left/);
    const { count, failures } = await stop();
    const inForce = await modesInForce();
    await second.end('SIGTERM');
    assert.equal((await run(FAIRWAY, 'proxy', '--cleanup')).status, 0);
    assert.deepEqual(await modesInForce(), []);
    t.diagnostic(`${String(count)} connections`);
    assert.deepEqual(inForce, [to]);
    assert.deepEqual(failures, []);
    assert.ok(count > 20, String(count));
  });
}
