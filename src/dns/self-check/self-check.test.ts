import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { NAMESPACES, SERVICES, type Kind } from '../../api/kinds.ts';
import type { KubeObject, Namespace, Service } from '../../api/types.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { startInformer } from '../../client/informer.ts';
import { silentLog } from '../../lib/log.ts';
import { differences, keyOf, versionOf } from './self-check-differences.ts';
import { startSelfCheck, type CheckResult } from './self-check.ts';

const service = (name: string, namespace = 'default', clusterIP = '10.96.0.7'): Service => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace } },
  spec: { clusterIP },
});
const namespace = (name: string): Namespace => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

/** Checks on and on, each as soon as the one before is over; `next` is the result of one that began after it was called. */
async function checked<T extends KubeObject>(t: TestContext, client: FakeClient, kind: Kind<T>) {
  const informer = startInformer(client, kind, {}, silentLog, { backoff: { initial: 1, max: 1 } });
  await informer.synced;
  const waiting: ((result: CheckResult) => void)[] = [];
  const stop = startSelfCheck({
    ...{ client, kind, informer, selection: {}, log: silentLog },
    timing: { period: 1, afterList: 1, grace: 4 },
    onResult(result) {
      waiting.shift()?.(result);
    },
  });
  t.after(() => {
    stop();
    informer.stop();
  });
  const result = () => new Promise<CheckResult>((resolve) => waiting.push(resolve));
  const next = async () => (await result(), await result());
  /** The first that is not `same`; undefined after many that are. */
  const trouble = async () => {
    for (let tries = 0; tries < 20; tries++) {
      const one = await result();
      if (one.outcome !== 'same') return one;
    }
    return undefined;
  };
  return { informer, next, trouble };
}

test('a copy that is true is left alone, while things change too', async (t) => {
  const client = new FakeClient([service('a'), service('b', 'shop'), namespace('shop')]);
  const { next, informer } = await checked(t, client, SERVICES);
  let lists = 0;
  informer.onList(() => lists++);
  for (let round = 0; round < 10; round++) {
    await client.create(SERVICES, service(`c${String(round)}`, round % 2 === 0 ? 'shop' : 'default'));
    await client.patch(SERVICES, 'a', 'default', 'merge', { metadata: { labels: { round: String(round) } } });
    assert.deepEqual(await next(), { outcome: 'same' });
  }
  assert.equal(lists, 0);
});

const LOST: readonly [title: string, change: (client: FakeClient) => Promise<unknown>, name: string][] = [
  ['a Service that was made', (client) => client.create(SERVICES, service('new')), 'default/new'],
  ['the first Service of a namespace', (client) => client.create(SERVICES, service('new', 'new')), 'new/new'],
  [
    'a Service that was changed',
    (client) => client.patch(SERVICES, 'b', 'shop', 'merge', { metadata: { labels: { x: 'y' } } }),
    'shop/b',
  ],
  ['a Service that was deleted', (client) => client.delete(SERVICES, 'b', 'shop'), 'shop/b'],
];

for (const [title, change, name] of LOST) {
  test(`${title} without a word of the watch is found and put right`, async (t) => {
    const client = new FakeClient([service('a'), service('b', 'shop')]);
    const { informer, trouble, next } = await checked(t, client, SERVICES);
    client.loseEvents(SERVICES);
    await change(client);
    assert.deepEqual(await trouble(), { outcome: 'healed', names: [name] });
    const keys = (objects: readonly Service[]) => objects.map((each) => `${keyOf(each)} ${versionOf(each)}`).sort();
    assert.deepEqual(keys(informer.list()), keys(client.all(SERVICES)));
    assert.deepEqual(await next(), { outcome: 'same' });
  });
}

test('a kind without namespaces is checked as well', async (t) => {
  const client = new FakeClient([namespace('a')]);
  const { trouble } = await checked(t, client, NAMESPACES);
  client.loseEvents(NAMESPACES);
  await client.create(NAMESPACES, namespace('b'));
  assert.deepEqual(await trouble(), { outcome: 'healed', names: ['/b'] });
});

test('an API server that cannot be asked proves nothing', async (t) => {
  const client = new FakeClient([service('a')]);
  const { trouble } = await checked(t, client, SERVICES);
  client.failNext('list', new Error('connect ECONNREFUSED'));
  assert.equal((await trouble())?.outcome, 'unknown');
});

/** Lists of all namespaces are without the Service `hidden`: no list of the informer can put that right. */
class TwoFacedClient extends FakeClient {
  override async list<T extends KubeObject>(...[kind, options]: Parameters<FakeClient['list']>) {
    const list = await super.list(kind, options);
    const isDirect = options?.fieldSelector !== undefined || options?.namespace !== undefined;
    return { ...list, items: list.items.filter(({ metadata }) => isDirect || metadata.name !== 'hidden') as T[] };
  }
}

test('where a new list does not help either, that is said', async (t) => {
  const client = new TwoFacedClient([service('a')]);
  const { trouble } = await checked(t, client, SERVICES);
  client.loseEvents(SERVICES);
  await client.create(SERVICES, service('hidden'));
  assert.deepEqual(await trouble(), { outcome: 'wrong', names: ['default/hidden'] });
});

test('what is only newer than the list is no difference', () => {
  const at = (name: string, version: number) => ({
    ...service(name),
    metadata: { name, namespace: 'default', uid: 'u', resourceVersion: String(version) },
  });
  const api = new Map([['default/a', versionOf(at('a', 5))]]);
  const whole = { listedAt: '9', isWhole: true };
  assert.deepEqual(differences(api, [at('a', 12), at('b', 11)], whole), []);
  assert.deepEqual(differences(api, [at('a', 7), at('b', 8)], whole), [
    { key: 'default/a', api: 'u 5', copy: 'u 7' },
    { key: 'default/b', api: undefined, copy: 'u 8' },
  ]);
  assert.deepEqual(differences(api, [at('a', 5), at('b', 8)], { listedAt: '9', isWhole: false }), []);
  assert.deepEqual(differences(api, [], whole), [{ key: 'default/a', api: 'u 5', copy: undefined }]);
});
