/** What the API answers when etcd is full, gone, or was out of reach for too long; and the leases of Events. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { connect, createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { apiRequest, startTestApi, type TestApi } from '../../test/support/api.ts';
import { EtcdCluster, type EtcdClusterOptions } from '../../test/support/etcd.ts';
import { eventually } from '../../test/support/eventually.ts';
import { openEtcdStore } from '../store/etcd/etcd.ts';
import { isStream } from './request.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, value = '') => ({ metadata: { name }, data: { value } });
const timeouts = { read: 400, write: 1000, total: 1000 };

async function startEtcd(context: TestContext, options?: EtcdClusterOptions): Promise<EtcdCluster> {
  const etcd = await EtcdCluster.start(options);
  context.after(() => etcd.remove());
  return etcd;
}

async function startApi(context: TestContext, endpoints: string): Promise<TestApi> {
  const api = await startTestApi({ store: await openEtcdStore({ endpoints, timeouts }) });
  context.after(() => api.stop());
  return api;
}

async function etcdctl(etcd: EtcdCluster, ...args: string[]): Promise<string> {
  const env = { ...process.env, ETCDCTL_API: '3' };
  return (await promisify(execFile)('etcdctl', [`--endpoints=${etcd.endpoints}`, ...args], { env })).stdout;
}

test('a full etcd refuses writes and says what to do, still answers reads, and goes on after the alarm is disarmed', async (context) => {
  const etcd = await startEtcd(context, { args: ['--quota-backend-bytes=3000000'] });
  const api = await startApi(context, etcd.endpoints);
  const value = 'x'.repeat(200_000);
  const kept: string[] = [];
  let refused;
  let refusedName = '';
  for (let at = 0; !refused && at < 50; at += 1) {
    const name = `m${String(at)}`;
    const answer = await api.request('POST', MAPS, { body: configMap(name, value) });
    if (answer.status === 201) kept.push(name);
    else [refused, refusedName] = [answer, name];
  }
  assert.equal(refused?.status, 500);
  assert.equal(refused.json.reason, 'InternalError');
  assert.match(refused.json.message as string, /etcdserver: mvcc: database space exceeded: .*etcdctl alarm disarm/);
  assert.equal(refused.headers['retry-after'], undefined);
  const names = async () => {
    const { json } = await api.request('GET', MAPS);
    return (json.items as { metadata: { name: string } }[])
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith('m'));
  };
  // etcd asks for the quota twice: what the first look let pass and the second did not is stored, and refused all the same.
  if ((await names()).includes(refusedName)) kept.push(refusedName);
  assert.deepEqual((await names()).sort(), kept.sort());
  // Deleting is allowed, and needed to make space.
  for (const name of kept.splice(0, kept.length - 1)) {
    assert.equal((await api.request('DELETE', `${MAPS}/${name}`)).status, 200);
  }
  await api.store.compact(api.store.revision());
  await etcdctl(etcd, 'defrag');
  await etcdctl(etcd, 'alarm', 'disarm');
  assert.equal((await api.request('POST', MAPS, { body: configMap('m-after') })).status, 201);
  assert.deepEqual((await names()).sort(), [...kept, 'm-after'].sort());
});

test('without etcd: 503 with Retry-After where nothing was done, for reads too; with it again all goes on by itself', async (context) => {
  const etcd = await startEtcd(context);
  const api = await startApi(context, etcd.endpoints);
  await api.request('POST', MAPS, { body: configMap('before') });
  const [member] = etcd.members;
  await member?.kill();
  // Whoever still believes in the old connection cannot know; the first read finds out.
  const first = await api.request('GET', MAPS);
  const others = await Promise.all([
    api.request('GET', `${MAPS}/before`),
    api.request('POST', MAPS, { body: configMap('none') }),
    api.request('GET', '/readyz'),
  ]);
  const answers = [first, ...others];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [503, 503, 503, 500],
  );
  for (const { json, headers } of answers.slice(0, 3)) {
    assert.equal(json.reason, 'ServiceUnavailable');
    assert.match(json.message as string, /^the datastore at http:\S+ cannot be reached or has no leader/);
    assert.equal(headers['retry-after'], '1');
  }
  // Whoever says that any state will do is served from memory.
  assert.equal((await api.request('GET', `${MAPS}?resourceVersion=0`)).status, 200);
  member?.start();
  await eventually(async () => {
    assert.equal((await api.request('POST', MAPS, { body: configMap('after') })).status, 201);
  });
  const { json } = await api.request('GET', MAPS);
  const names = (json.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
  assert.deepEqual(
    names.filter((name) => name !== 'kube-root-ca.crt'),
    ['after', 'before'],
  );
});

test('a commit whose answer is lost is a 504 without Retry-After, because it may have happened', async (context) => {
  const etcd = await startEtcd(context);
  const api = await startApi(context, etcd.endpoints);
  const [member] = etcd.members;
  // Frozen, connections and all: the request lies in its socket.
  await member?.freeze();
  const { status, json, headers } = await api.request('POST', MAPS, { body: configMap('doubt') });
  assert.equal(status, 504);
  assert.equal(json.reason, 'Timeout');
  assert.match(json.message as string, /etcdserver: request timed out.*whether the write was carried out is not known/);
  assert.equal(headers['retry-after'], undefined);
  member?.thaw();
  await eventually(async () => {
    assert.equal((await api.request('GET', MAPS)).status, 200);
  });
});

test('an object beyond what etcd takes is a 413', async (context) => {
  const etcd = await startEtcd(context, { args: ['--max-request-bytes=100000'] });
  const api = await startApi(context, etcd.endpoints);
  const { status, json } = await api.request('POST', MAPS, { body: configMap('big', 'x'.repeat(200_000)) });
  assert.equal(status, 413);
  assert.match(json.message as string, /^etcdserver: request is too large/);
});

/** A wire that can be cut. */
async function openWire(context: TestContext, target: string) {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let cut = false;
  const server = createServer((socket) => {
    if (cut) {
      socket.destroy();
      return;
    }
    const other = connect(Number(port), hostname);
    for (const each of [socket, other]) {
      sockets.add(each);
      each.on('error', () => undefined);
      each.on('close', () => {
        sockets.delete(each);
        socket.destroy();
        other.destroy();
      });
    }
    socket.pipe(other).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    endpoint: `http://127.0.0.1:${String((server.address() as { port: number }).port)}`,
    set(isCut: boolean) {
      cut = isCut;
      if (isCut) for (const socket of sockets) socket.destroy();
    },
  };
}

test('a server cut off until its past was compacted ends its watches, reads everything again and misses nothing', async (context) => {
  const etcd = await startEtcd(context);
  const wire = await openWire(context, etcd.endpoints);
  const away = await startApi(context, wire.endpoint);
  const other = await startApi(context, etcd.endpoints);
  const port = (name: string, nodePort: number) => ({
    metadata: { name },
    spec: { type: 'NodePort', ports: [{ port: 80, nodePort }] },
  });
  const services = '/api/v1/namespaces/default/services';
  await other.request('POST', MAPS, { body: configMap('stays') });
  await other.request('POST', MAPS, { body: configMap('goes') });
  await other.request('POST', services, { body: port('old', 30001) });
  const { json: list } = await away.request('GET', MAPS);
  const from = list.metadata.resourceVersion as string;
  const watch = await away.handle(apiRequest('GET', MAPS, { query: { watch: 'true', resourceVersion: from } }));
  const ended = new Promise<void>((resolve) => {
    if (!isStream(watch.body)) throw new Error('no stream');
    watch.body.start({ write: () => undefined, pending: () => 0, drained: setImmediate, end: resolve });
  });
  wire.set(true);
  await other.request('DELETE', `${MAPS}/goes`);
  const { json: stays } = await other.request('GET', `${MAPS}/stays`);
  await other.request('PUT', `${MAPS}/stays`, { body: { ...stays, data: { value: 'changed' } } });
  await other.request('POST', MAPS, { body: configMap('new') });
  await other.request('DELETE', `${services}/old`);
  await other.request('POST', services, { body: port('fresh', 30002) });
  await other.store.compact(other.store.revision());
  wire.set(false);
  await ended;
  await eventually(async () => {
    assert.equal((await away.request('GET', MAPS)).status, 200);
  });
  const [here, there] = await Promise.all([away.request('GET', MAPS), other.request('GET', MAPS)]);
  assert.deepEqual(here.json.items, there.json.items);
  const again = await away.request('GET', MAPS, { query: { watch: 'true', resourceVersion: from } });
  assert.match(again.text, /too old resource version/);
  // What lives on the changes of Services has heard of them: the old port is free, the new one is taken.
  assert.equal((await away.request('POST', services, { body: port('takes-old', 30001) })).status, 201);
  assert.equal((await away.request('POST', services, { body: port('wants-new', 30002) })).status, 422);
});

test('an Event hangs on a lease of an hour and goes with it, and watchers hear of it', async (context) => {
  const etcd = await startEtcd(context);
  const api = await startApi(context, etcd.endpoints);
  const events = '/api/v1/namespaces/default/events';
  const event = (name: string) => ({
    metadata: { name, namespace: 'default' },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' },
    reason: 'Tested',
    message: '',
    type: 'Normal',
  });
  for (const name of ['a', 'b']) assert.equal((await api.request('POST', events, { body: event(name) })).status, 201);
  await api.request('POST', MAPS, { body: configMap('stays') });
  const [, id = ''] = (await etcdctl(etcd, 'lease', 'list')).trim().split('\n');
  const about = await etcdctl(etcd, 'lease', 'timetolive', id, '--keys');
  assert.match(about, /granted with TTL\(3660s\)/);
  assert.match(about, /events\/default\/a/);
  assert.match(about, /events\/default\/b/);
  await etcdctl(etcd, 'lease', 'revoke', id);
  assert.deepEqual((await api.request('GET', events)).json.items, []);
  assert.equal((await api.request('GET', `${MAPS}/stays`)).status, 200);
  // The lease this server still believes in is gone: it takes another.
  assert.equal((await api.request('POST', events, { body: event('c') })).status, 201);
});
