/** The JavaScript client against the real API server over TLS: what people write with it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import {
  ApiException,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  VersionApi,
  Watch,
  type V1ConfigMap,
  type V1Service,
} from '@kubernetes/client-node';
import { startTlsApi, type TlsApi } from '../support/api.ts';
import { eventually } from '../support/cluster.ts';

let api: TlsApi;
let config: KubeConfig;
let core: CoreV1Api;
before(async () => {
  api = await startTlsApi();
  config = new KubeConfig();
  config.loadFromFile(api.kubeconfig);
  core = config.makeApiClient(CoreV1Api);
});
after(() => api.stop());

const namespace = 'default';
const map = (name: string, data: Record<string, string> = {}): V1ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});
const as = (type: PatchStrategy) => setHeaderOptions('Content-Type', type);

test('objects are made, read, listed in pages, replaced and deleted', async () => {
  assert.equal((await config.makeApiClient(VersionApi).getCode()).major, '1');
  for (const name of ['a', 'b', 'c'])
    await core.createNamespacedConfigMap({ namespace, body: map(`page-${name}`, { name }) });
  const names: string[] = [];
  let _continue: string | undefined;
  do {
    const more = _continue === undefined ? {} : { _continue };
    const page = await core.listNamespacedConfigMap({ namespace, limit: 2, ...more });
    names.push(...page.items.map(({ metadata }) => metadata?.name ?? ''));
    _continue = page.metadata?._continue;
  } while (_continue);
  assert.deepEqual(
    names.filter((name) => name.startsWith('page-')),
    ['page-a', 'page-b', 'page-c'],
  );
  const read = await core.readNamespacedConfigMap({ namespace, name: 'page-a' });
  await core.replaceNamespacedConfigMap({ namespace, name: 'page-a', body: { ...read, data: { new: '1' } } });
  const stale = core.replaceNamespacedConfigMap({ namespace, name: 'page-a', body: { ...read, data: { new: '2' } } });
  await assert.rejects(stale, (error) => error instanceof ApiException && error.code === 409);
  await core.deleteNamespacedConfigMap({ namespace, name: 'page-a' });
  const gone = core.readNamespacedConfigMap({ namespace, name: 'page-a' });
  await assert.rejects(gone, (error) => error instanceof ApiException && error.code === 404);
});

test('the four patches do what each is for, and two owners of a field are told apart', async () => {
  const name = 'patched';
  await core.createNamespacedService({
    namespace,
    body: { metadata: { name }, spec: { ports: [{ name: 'a', port: 80 }] } },
  });
  const patch = (body: object, type: PatchStrategy) => core.patchNamespacedService({ namespace, name, body }, as(type));
  const ports = ({ spec }: V1Service) => (spec?.ports ?? []).map((each) => each.port);
  const more = { spec: { ports: [{ name: 'b', port: 81 }] } };
  assert.deepEqual(ports(await patch(more, PatchStrategy.StrategicMergePatch)), [81, 80]);
  assert.deepEqual(ports(await patch(more, PatchStrategy.MergePatch)), [81]);
  const replace = [{ op: 'replace', path: '/spec/ports/0/port', value: 82 }];
  assert.deepEqual(ports(await patch(replace, PatchStrategy.JsonPatch)), [82]);

  const objects = KubernetesObjectApi.makeApiClient(config);
  const apply = (data: Record<string, string>, manager: string, force?: boolean) =>
    objects.patch<V1ConfigMap>(
      map('applied', data),
      undefined,
      undefined,
      manager,
      force,
      PatchStrategy.ServerSideApply,
    );
  assert.deepEqual((await apply({ a: '1' }, 'one')).data, { a: '1' });
  assert.deepEqual((await apply({ b: '2' }, 'two')).data, { a: '1', b: '2' });
  await assert.rejects(apply({ a: '3' }, 'two'), /Apply failed with 1 conflict/);
  assert.deepEqual((await apply({ a: '3' }, 'two', true)).data, { a: '3' });
  assert.deepEqual((await apply({}, 'one')).data, { a: '3' }, 'what one no longer owns stays');
});

test('KubernetesObjectApi finds kinds by discovery', async () => {
  const objects = KubernetesObjectApi.makeApiClient(config);
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec: { selector: { matchLabels: { app: 'web' } }, template },
  };
  await objects.create(deployment);
  const found = await objects.list('apps/v1', 'Deployment', namespace);
  assert.deepEqual(
    found.items.map(({ metadata }) => metadata?.name),
    ['web'],
  );
  await objects.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'made' } });
  assert.equal(
    (await objects.read({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'made' } })).kind,
    'Namespace',
  );
  await assert.rejects(objects.create({ apiVersion: 'v1', kind: 'Stranger', metadata: { name: 'x' } }), /Unrecognized/);
  await objects.delete(deployment);
});

test('a watch ends when it was asked to, with bookmarks on the way', async () => {
  const seen: string[] = [];
  const ended = new Promise<unknown>((resolve, reject) => {
    const query = { timeoutSeconds: 1, fieldSelector: 'metadata.name=watched', allowWatchBookmarks: true };
    new Watch(config).watch('/api/v1/configmaps', query, (type) => seen.push(type), resolve).catch(reject);
  });
  await core.createNamespacedConfigMap({ namespace, body: map('watched') });
  assert.equal(await ended, null);
  assert.deepEqual(seen, ['ADDED', 'BOOKMARK']);
});

/** A wire between client and server that can be cut. */
async function startWire(target: number) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const onward = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, onward],
      [onward, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return { port: (server.address() as AddressInfo).port, cut, stop: () => server.close() };
}

test('an informer follows a Service through a cut connection, and misses nothing that happened meanwhile', async (t) => {
  const wire = await startWire(Number(new URL(api.url).port));
  t.after(() => {
    wire.cut();
    wire.stop();
  });
  const remote = new KubeConfig();
  remote.loadFromString(JSON.stringify(JSON.parse(config.exportConfig()), undefined, 1));
  const [cluster] = remote.clusters;
  remote.clusters = [{ ...cluster!, server: `https://127.0.0.1:${String(wire.port)}` }];
  const services = remote.makeApiClient(CoreV1Api);
  const path = `/api/v1/namespaces/${namespace}/services`;
  const informer = makeInformer(
    remote,
    path,
    () => services.listNamespacedService({ namespace, labelSelector: 'seen' }),
    'seen',
  );
  const log: string[] = [];
  informer.on('add', ({ metadata }) => log.push(`+${metadata?.name ?? ''}`));
  informer.on('update', ({ metadata }) => log.push(`~${metadata?.name ?? ''}`));
  informer.on('delete', ({ metadata }) => log.push(`-${metadata?.name ?? ''}`));
  let broken = 0;
  informer.on('error', () => (broken += 1));
  const create = (name: string) =>
    core.createNamespacedService({
      namespace,
      body: { metadata: { name, labels: { seen: '' } }, spec: { ports: [{ port: 80 }] } },
    });
  await create('first');
  await informer.start();
  t.after(() => informer.stop());
  await create('second');
  await eventually(() => {
    assert.deepEqual(log, ['+first', '+second']);
  });
  wire.cut();
  await core.deleteNamespacedService({ namespace, name: 'first' });
  await create('third');
  await eventually(() => {
    assert.ok(broken > 0);
  });
  await informer.start();
  await eventually(() => {
    assert.deepEqual(
      informer
        .list()
        .map(({ metadata }) => metadata?.name)
        .sort(),
      ['second', 'third'],
    );
  });
  await core.patchNamespacedService(
    { namespace, name: 'third', body: { metadata: { labels: { seen: null } } } },
    as(PatchStrategy.MergePatch),
  );
  await eventually(() => {
    assert.deepEqual(
      informer.list().map(({ metadata }) => metadata?.name),
      ['second'],
      'one that leaves the selector is gone',
    );
  });
  assert.ok(log.includes('-first') && log.includes('+third') && log.includes('-third'), log.join(' '));
});
