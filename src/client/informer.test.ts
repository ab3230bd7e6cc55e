import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PODS, type Kind } from '../api/kinds.ts';
import type { KubeObject, List, Pod } from '../api/types.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog, type Log } from '../lib/log.ts';
import type { Change, Client, Informer } from './client.ts';
import { FakeClient } from './fake-client.ts';
import { startInformer } from './informer.ts';

const pod = (name: string, labels: Record<string, string> = {}, nodeName = ''): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels },
  spec: { containers: [], nodeName },
});

const soon = { backoff: { initial: 1, max: 2 } };

/** Collects `added web-1` texts and lets a test await the next ones. */
function record(informer: Informer<Pod>) {
  const seen: string[] = [];
  let wake = () => {};
  informer.onChange((change) => {
    seen.push(`${change.type} ${change.object.metadata.name}`);
    wake();
  });
  const until = async (count: number) => {
    while (seen.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return seen;
  };
  return { seen, until };
}

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
};

test('an informer lists, then follows every change in order', async () => {
  const client = new FakeClient([pod('a')]);
  const informer = startInformer(client, PODS);
  const { until } = record(informer);
  await informer.synced;
  assert.equal(informer.get('a', 'default')?.metadata.name, 'a');
  await client.create(PODS, pod('b'));
  await client.patch(PODS, 'a', 'default', 'merge', { metadata: { labels: { x: 'y' } } });
  await client.delete(PODS, 'b', 'default');
  assert.deepEqual(await until(4), ['added a', 'added b', 'updated a', 'deleted b']);
  assert.equal(informer.get('a', 'default')?.metadata.labels?.['x'], 'y');
  assert.deepEqual(
    informer.list('default').map((each) => each.metadata.name),
    ['a'],
  );
  assert.deepEqual(informer.list('other'), []);
  informer.stop();
  await turns();
  assert.equal(client.openWatches, 0);
});

test('an API server that is away for long is told of once, and asked no more often for being slow to fail', async () => {
  const clock = new FakeClock();
  const told: unknown[] = [];
  const log = { ...silentLog, info: () => {}, warn: (_: unknown, text: string) => told.push(text) } as unknown as Log;
  Object.assign(log, { child: () => log });
  const inner = new FakeClient([pod('a')]);
  let asked = 0;
  const client: Client = Object.assign(Object.create(inner) as Client, {
    list: inner.list.bind(inner),
    async *watch() {
      asked++;
      await new Promise<void>((resolve) => clock.after(3000, resolve));
      throw new Error('no route to host');
    },
  });
  const informer = startInformer(client, PODS, {}, log, { clock });
  await informer.synced;
  for (let second = 0; second < 59; second++) {
    await turns(5);
    clock.advance(1000);
  }
  assert.deepEqual(told, ['watch broke off, will reconnect']);
  assert.ok(asked >= 5 && asked <= 15, String(asked));
  informer.stop();
});

test('a late subscriber is told of everything that is there', async () => {
  const informer = startInformer(new FakeClient([pod('a'), pod('b')]), PODS);
  await informer.synced;
  assert.deepEqual(record(informer).seen.sort(), ['added a', 'added b']);
  informer.stop();
});

test('an index finds objects by what its function says now, not before', async () => {
  const client = new FakeClient([pod('a', {}, 'node01'), pod('b', {}, 'node01')]);
  const informer = startInformer(client, PODS, { indexes: { node: (each) => [each.spec.nodeName ?? ''] } });
  const { until } = record(informer);
  await until(2);
  await client.patch(PODS, 'a', 'default', 'merge', { spec: { nodeName: 'node02' } });
  await until(3);
  const names = (value: string) => informer.byIndex('node', value).map((each) => each.metadata.name);
  assert.deepEqual([names('node01'), names('node02'), names('node03')], [['b'], ['a'], []]);
  assert.throws(() => informer.byIndex('zone', 'x'), /no index zone/);
  informer.stop();
});

test('only selected objects are kept: one that stops matching is deleted', async () => {
  const client = new FakeClient([pod('a', { app: 'x' }), pod('b')]);
  const informer = startInformer(client, PODS, { labelSelector: 'app=x' });
  const { until } = record(informer);
  await until(1);
  await client.patch(PODS, 'a', 'default', 'merge', { metadata: { labels: null } });
  assert.deepEqual(await until(2), ['added a', 'deleted a']);
  assert.deepEqual(informer.list(), []);
  informer.stop();
});

test('after a broken watch nothing is lost and nothing told twice', async () => {
  const client = new FakeClient([pod('a')]);
  const informer = startInformer(client, PODS, {}, undefined, soon);
  const { until } = record(informer);
  await until(1);
  await turns();
  client.breakWatches(new Error('connection reset'));
  await client.create(PODS, pod('b'));
  await until(2);
  client.breakWatches();
  await client.create(PODS, pod('c'));
  assert.deepEqual(await until(3), ['added a', 'added b', 'added c']);
  informer.stop();
});

test('after 410 the list is taken anew and arrives as differences', async () => {
  const client = new FakeClient([pod('gone'), pod('kept'), pod('changed'), pod('remade')]);
  const informer = startInformer(client, PODS, {}, undefined, soon);
  const { seen, until } = record(informer);
  await until(4);
  await turns();
  seen.length = 0;
  const old = informer.get('remade', 'default')?.metadata.uid;
  client.failNext('watch', new Error('server away'), PODS);
  client.breakWatches(new Error('server away'));
  await client.delete(PODS, 'gone', 'default');
  await client.patch(PODS, 'changed', 'default', 'merge', { metadata: { labels: { x: 'y' } } });
  await client.delete(PODS, 'remade', 'default');
  await client.create(PODS, pod('remade'));
  await client.create(PODS, pod('new'));
  client.expireHistory();
  assert.deepEqual((await until(5)).sort(), [
    'added new',
    'added remade',
    'deleted gone',
    'deleted remade',
    'updated changed',
  ]);
  assert.notEqual(informer.get('remade', 'default')?.metadata.uid, old);
  informer.stop();
});

test('who finds the copy wrong has it listed anew, and hears when that is done', async () => {
  const client = new FakeClient([pod('a')]);
  const informer = startInformer(client, PODS, {}, undefined, soon);
  const { until } = record(informer);
  await until(1);
  await turns();
  client.loseEvents(PODS);
  await client.create(PODS, pod('lost'));
  await client.create(PODS, pod('told'));
  assert.deepEqual(await until(2), ['added a', 'added told']);
  const listed = new Promise<void>((resolve) => informer.onList(resolve));
  informer.relist();
  await listed;
  assert.deepEqual(await until(3), ['added a', 'added told', 'added lost']);
  await client.create(PODS, pod('later'));
  assert.deepEqual((await until(4)).at(-1), 'added later');
  informer.stop();
});

test('a list that fails is tried again until it works', async () => {
  const client = new FakeClient([pod('a')]);
  for (let count = 0; count < 3; count += 1) client.failNext('list', new Error('connect ECONNREFUSED'));
  const informer = startInformer(client, PODS, {}, undefined, soon);
  await informer.synced;
  assert.equal(informer.list().length, 1);
  informer.stop();
});

/** Lists nothing and then keeps its watches open without a word, deaf to their signal as well. */
class DeafClient extends FakeClient {
  watches = 0;
  override watch<T extends KubeObject>(): AsyncGenerator<never> & { _kind?: Kind<T> } {
    this.watches += 1;
    const never = { next: () => new Promise<never>(() => {}), return: () => new Promise<never>(() => {}) };
    return { ...never, [Symbol.asyncIterator]: () => never } as unknown as AsyncGenerator<never>;
  }
}

test('a deaf watch is replaced once the read deadline has passed', async () => {
  const clock = new FakeClock(1_000_000);
  const client = new DeafClient();
  const informer = startInformer(client, PODS, {}, undefined, { clock, readDeadline: 5000 });
  await informer.synced;
  await turns();
  assert.equal(client.watches, 1);
  clock.advance(4999);
  await turns();
  assert.equal(client.watches, 1);
  clock.advance(1);
  await turns();
  assert.equal(client.watches, 2);
  assert.equal(clock.now() - informer.lastEventAt, 5000);
  informer.stop();
});

test('bookmarks keep a quiet watch alive', async () => {
  const clock = new FakeClock(1_000_000);
  const client = new FakeClient([], clock);
  let lists = 0;
  const counted: Client = Object.assign(Object.create(client) as Client, {
    list: <T extends KubeObject>(kind: Kind<T>): Promise<List<T>> => {
      lists += 1;
      return client.list(kind);
    },
    watch: client.watch.bind(client),
  });
  const informer = startInformer(counted, PODS, {}, undefined, { clock, readDeadline: 5000 });
  await informer.synced;
  for (let beat = 0; beat < 4; beat += 1) {
    await turns();
    clock.advance(4000);
    client.bookmark();
    await turns();
    assert.equal(informer.lastEventAt, clock.now());
  }
  assert.equal(client.openWatches, 1);
  assert.equal(lists, 1);
  informer.stop();
});

test('a handler that throws does not make the informer deaf', async () => {
  const client = new FakeClient();
  const informer = startInformer(client, PODS);
  informer.onChange((_: Change<Pod>) => {
    throw new Error('a mistake');
  });
  const { until } = record(informer);
  await client.create(PODS, pod('a'));
  assert.deepEqual(await until(1), ['added a']);
  informer.stop();
});
