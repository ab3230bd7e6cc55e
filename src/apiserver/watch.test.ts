import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { apiRequest, startTestApi, type TestApi } from '../../test/support/api.ts';
import { isStatusError } from '../../test/support/status-error.ts';
import { CONFIG_MAPS } from '../api/kinds.ts';
import type { ConfigMap, KubeObject } from '../api/types.ts';
import { createMemoryStore } from '../store/memory.ts';
import { parseListOptions } from './list-options.ts';
import { isStream, type Sink } from './request.ts';
import { openWatch } from './watch.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const MAPS = '/api/v1/namespaces/default/configmaps';
interface Line {
  type: string;
  object: KubeObject & { data?: Record<string, string> };
}

/** A watch over the request path, with lines to wait for. */
class Watcher {
  readonly lines: Line[] = [];
  ended = false;
  #waiting: (() => void)[] = [];
  #stop: () => void = () => undefined;

  static async open(query: Record<string, string> | string, headers = {}, path = MAPS): Promise<Watcher> {
    const request = apiRequest('GET', path, { query, headers });
    request.query.set('watch', 'true');
    const { status, body } = await api.handle(request);
    assert.equal(status, 200);
    assert.ok(isStream(body));
    const watcher = new Watcher();
    let rest = '';
    const sink: Sink = {
      write(chunk) {
        rest += Buffer.from(chunk).toString();
        const lines = rest.split('\n');
        rest = lines.pop() ?? '';
        watcher.lines.push(...lines.map((line) => JSON.parse(line) as Line));
        watcher.#wake();
      },
      pending: () => 0,
      drained: setImmediate,
      end() {
        watcher.ended = true;
        watcher.#wake();
      },
    };
    watcher.#stop = body.start(sink);
    return watcher;
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
  async take(count: number): Promise<string[]> {
    await this.until(() => this.lines.length >= count);
    return this.lines.splice(0, count).map(({ type, object }) => `${type} ${object.metadata.name}`);
  }
  close(): void {
    this.#stop();
  }
  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

const create = (name: string, labels: Record<string, string> = {}) =>
  api.request('POST', MAPS, { body: { metadata: { name, labels } } });
const patch = (name: string, body: object) =>
  api.request('PATCH', `${MAPS}/${name}`, { headers: { 'content-type': 'application/merge-patch+json' }, body });
const remove = (name: string) => api.request('DELETE', `${MAPS}/${name}`);

test('without a version a watch begins with what is there; with one it tells only what came after (8-047)', async () => {
  const { json } = await create('a');
  const fresh = await Watcher.open({ fieldSelector: 'metadata.name=a' });
  assert.deepEqual(await fresh.take(1), ['ADDED a']);
  const later = await Watcher.open({ resourceVersion: json.metadata.resourceVersion });
  await patch('a', { data: { x: '1' } });
  await remove('a');
  assert.deepEqual(await fresh.take(2), ['MODIFIED a', 'DELETED a']);
  await later.until(() => later.lines.length === 2);
  const [, deleted] = later.lines;
  assert.deepEqual(deleted?.object.data, { x: '1' }, 'the last state');
  assert.equal(deleted?.object.metadata.resourceVersion, String(api.store.revision()), 'under the revision of its end');
  fresh.close();
  later.close();
});

test('objects that enter or leave a selector are ADDED and DELETED (8-053)', async () => {
  const watcher = await Watcher.open({ labelSelector: 'on=yes', resourceVersion: String(api.store.revision()) });
  await create('sel');
  await patch('sel', { metadata: { labels: { on: 'yes' } } });
  await patch('sel', { data: { a: 'b' } });
  await patch('sel', { metadata: { labels: { on: 'no' } } });
  await patch('sel', { metadata: { labels: { on: 'yes' } } });
  await remove('sel');
  assert.deepEqual(await watcher.take(5), ['ADDED sel', 'MODIFIED sel', 'DELETED sel', 'ADDED sel', 'DELETED sel']);
  watcher.close();
});

test('a watch on an item is a watch of that item (8-054)', async () => {
  await create('one');
  const watcher = await Watcher.open({}, {}, `${MAPS}/one`);
  await create('two');
  await remove('two');
  await remove('one');
  assert.deepEqual(await watcher.take(2), ['ADDED one', 'DELETED one']);
  watcher.close();
});

test('initial events end with an annotated bookmark (8-051)', async () => {
  await create('init');
  const watcher = await Watcher.open({
    sendInitialEvents: 'true',
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: 'true',
  });
  await watcher.until(() => watcher.lines.some(({ type }) => type === 'BOOKMARK'));
  const bookmark = watcher.lines.at(-1);
  assert.equal(bookmark?.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true');
  assert.equal(bookmark.object.metadata.resourceVersion, String(api.store.revision()));
  assert.ok(watcher.lines.slice(0, -1).every(({ type }) => type === 'ADDED'));
  watcher.close();
  await remove('init');
});

test('table watches send the columns once (8-022)', async () => {
  const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  const watcher = await Watcher.open({ resourceVersion: String(api.store.revision()) }, headers);
  await create('table');
  await remove('table');
  await watcher.until(() => watcher.lines.length === 2);
  const [first, second] = watcher.lines.map(
    ({ object }) => object as unknown as { kind: string; columnDefinitions: unknown[]; rows: unknown[] },
  );
  assert.deepEqual([first?.kind, first?.rows.length, second?.columnDefinitions.length], ['Table', 1, 0]);
  assert.ok((first?.columnDefinitions.length ?? 0) > 0);
  watcher.close();
});

test('a watch ends when its time is over, with a last bookmark (8-050, 8-052)', async () => {
  const watcher = await Watcher.open({
    timeoutSeconds: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: String(api.store.revision()),
  });
  await watcher.until(() => watcher.ended);
  assert.deepEqual(
    watcher.lines.map(({ type }) => type),
    ['BOOKMARK'],
  );
});

test('a version too old is 410, one from the future 504 (8-046, 8-049)', async () => {
  // A server started later knows nothing of the past before its start.
  const store = createMemoryStore();
  const first = await startTestApi({ store });
  const second = await startTestApi({ store });
  const old = await second.request('GET', MAPS, { query: { watch: 'true', resourceVersion: '1' } });
  assert.deepEqual([old.status, old.json.reason], [410, 'Expired']);
  assert.match(old.json.message, /^too old resource version: 1 \(\d+\)$/);
  await assert.rejects(
    async () => {
      for await (const event of second.client.watch(CONFIG_MAPS, { resourceVersion: '1' })) void event;
    },
    isStatusError(410, 'Expired'),
  );
  await first.stop();
  await second.stop();
  const future = await api.request('GET', MAPS, { query: { watch: 'true', resourceVersion: '999999' } });
  assert.deepEqual([future.status, future.json.reason, future.headers['retry-after']], [504, 'Timeout', '1']);
  assert.equal(future.json.details.causes[0].reason, 'ResourceVersionTooLarge');
});

test('a reader who does not keep up is cut off', async () => {
  const request = apiRequest('GET', MAPS, { query: { watch: 'true', resourceVersion: String(api.store.revision()) } });
  const { body } = await api.handle(request);
  assert.ok(isStream(body));
  let taken = 0;
  const ended = new Promise<void>((resolve) => {
    body.start({
      write: (chunk) => (taken += chunk.length),
      pending: () => taken,
      drained: () => undefined,
      end: resolve,
    });
  });
  await create('slow');
  for (let round = 0; round < 12; round++) {
    await patch('slow', { data: { text: String(round).padEnd(900_000, 'x') } });
  }
  await ended;
  assert.ok(taken < 10 * 1024 * 1024, String(taken));
  await remove('slow');
});

test('the local client watches the same, shares the objects and ends with its signal', async () => {
  const abort = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    const options = { namespace: 'default', resourceVersion: String(api.store.revision()), signal: abort.signal };
    for await (const { type, object } of api.client.watch(CONFIG_MAPS, options)) {
      seen.push(`${type} ${object.metadata.name}`);
      if (type === 'ADDED') {
        const [listed] = (await api.client.list(CONFIG_MAPS, { fieldSelector: 'metadata.name=local' })).items;
        assert.equal(listed, object, 'one object in memory');
      }
      if (type === 'DELETED') abort.abort();
    }
  })();
  const object: ConfigMap = { metadata: { name: 'local', namespace: 'default' } };
  const made = await api.client.create(CONFIG_MAPS, object);
  await api.client.update(CONFIG_MAPS, { ...made, data: { a: 'b' } });
  await api.client.delete(CONFIG_MAPS, 'local', 'default');
  await watching;
  assert.deepEqual(seen, ['ADDED local', 'MODIFIED local', 'DELETED local']);
});

test('a reader that cannot be told one event is ended, and the others are not', async () => {
  const version = String(api.store.revision());
  const good = await Watcher.open({ resourceVersion: version });
  let failures = 0;
  const options = parseListOptions(CONFIG_MAPS, 'default', new URLSearchParams({ resourceVersion: version }), {
    watch: true,
  });
  await openWatch(api.server.core, CONFIG_MAPS, options, {
    onEvent: () => {
      throw new Error('cannot');
    },
    onBookmark: () => undefined,
    onFailure: () => failures++,
  });
  await create('odd');
  await remove('odd');
  assert.deepEqual(await good.take(2), ['ADDED odd', 'DELETED odd']);
  assert.equal(failures, 1);
  good.close();
});
