/**
 * The promise behind every controller: a watch neither skips nor repeats an event, however often it is cut and taken up again.
 * Random writers against the request path; watchers that reconnect at random places; then all must have seen one history.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { apiRequest, startTestApi, type TestApi } from '../../test/support/api.ts';
import { EtcdCluster } from '../../test/support/etcd.ts';
import type { KubeObject } from '../api/types.ts';
import { createMemoryStore } from '../store/memory.ts';
import { openEtcdStore } from '../store/etcd/etcd.ts';
import type { Store } from '../store/store.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { isStream } from './request.ts';

const WRITES = 400;
const WRITERS = 4;
const WATCHERS = 5;
const NAMES = 12;
const path = '/api/v1/namespaces/default/configmaps';

/** mulberry32: small, seeded, good enough to be unpredictable. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

interface Line {
  type: string;
  object: KubeObject;
}

/** Reads at most `count` lines after `version`, then goes away as a client whose connection broke. */
async function readSome(api: TestApi, version: string, count: number, done: () => boolean): Promise<Line[]> {
  const request = apiRequest('GET', path, { query: { watch: 'true', resourceVersion: version } });
  const { body } = await api.handle(request);
  assert.ok(isStream(body));
  const lines: Line[] = [];
  await new Promise<void>((resolve) => {
    let stop: () => void = () => undefined;
    const finish = () => {
      clearInterval(poll);
      stop();
      resolve();
    };
    // The writers may be through before this watch has its share.
    const poll = setInterval(() => {
      if (done()) finish();
    }, 5);
    stop = body.start({
      write(chunk) {
        for (const line of Buffer.from(chunk).toString().split('\n')) {
          if (line === '' || lines.length >= count) continue;
          lines.push(JSON.parse(line) as Line);
        }
        if (lines.length >= count) finish();
      },
      pending: () => 0,
      drained: setImmediate,
      end: finish,
    });
    if (lines.length >= count) finish();
  });
  return lines;
}

async function write(api: TestApi, random: (below: number) => number): Promise<void> {
  const name = `n${String(random(NAMES))}`;
  const headers = { 'content-type': 'application/merge-patch+json' };
  switch (random(3)) {
    case 0:
      await api.request('POST', path, { body: { metadata: { name } } });
      return;
    case 1:
      await api.request('PATCH', `${path}/${name}`, { headers, body: { data: { value: String(random(1000)) } } });
      return;
    default:
      await api.request('DELETE', `${path}/${name}`);
  }
}

/** One store for each server: where there are several, each writer and each watcher has its own server. */
const engines: Record<string, (t: TestContext) => Store[] | Promise<Store[]>> = {
  memory: () => [createMemoryStore()],
  sqlite(t: TestContext) {
    const folder = mkdtempSync(join(tmpdir(), 'fairway-watch-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    return [openSqliteStore({ path: join(folder, 'state.db') })];
  },
  async 'etcd, two servers'(t: TestContext) {
    const etcd = await EtcdCluster.start();
    t.after(() => etcd.remove());
    const { endpoints } = etcd;
    return [await openEtcdStore({ endpoints }), await openEtcdStore({ endpoints })];
  },
};

for (const [engine, open] of Object.entries(engines)) {
  const seed = Number(process.env['FAIRWAY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  test(`random writers and reconnecting watchers agree on one history (${engine}, FAIRWAY_SEED=${String(seed)})`, async (t) => {
    const stores = await open(t);
    const apis = await Promise.all(stores.map((store) => startTestApi({ store })));
    const [first] = apis;
    if (!first) throw new Error('no server');
    const apiOf = (index: number) => apis[index % apis.length] ?? first;
    // The other servers make their own objects as they start.
    await Promise.all(apis.map((api) => api.server.core.cache.catchUp()));
    const begin = String((await first.request('GET', path)).json.metadata.resourceVersion);
    let writing = true;
    let last = 0;
    const watch = async (api: TestApi, random: (below: number) => number): Promise<Line[]> => {
      const seen: Line[] = [];
      let version = begin;
      while (writing || Number(version) < last) {
        const lines = await readSome(
          api,
          version,
          1 + random(40),
          () => !writing && api.server.core.cache.revision >= last,
        );
        seen.push(...lines);
        version = lines.at(-1)?.object.metadata.resourceVersion ?? version;
        if (lines.length === 0 && !writing) break;
      }
      return seen;
    };
    const watchers = Array.from({ length: WATCHERS }, (_, index) =>
      watch(apiOf(index), randomFrom(seed + 100 + index)),
    );
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, index) => {
        const random = randomFrom(seed + index);
        for (let round = 0; round < WRITES / WRITERS; round++) await write(apiOf(index), random);
      }),
    );
    last = Math.max(...stores.map((store) => store.revision()));
    writing = false;
    const histories = await Promise.all(watchers);
    const final = (await first.request('GET', path)).json.items as KubeObject[];
    const texts = histories.map((history) =>
      history.map(({ type, object }) => `${type} ${object.metadata.name} ${object.metadata.resourceVersion ?? ''}`),
    );
    for (const text of texts) assert.deepEqual(text, texts[0]);
    checkHistory(histories[0] ?? [], begin, final);
    await Promise.all(apis.map((api) => api.stop()));
  });
}

/** Versions only rise, every event follows from the one before it, and the end is what a list says. */
function checkHistory(history: readonly Line[], begin: string, final: readonly KubeObject[]): void {
  const state = new Map<string, KubeObject>();
  let version = Number(begin);
  for (const { type, object } of history) {
    const { name, resourceVersion } = object.metadata;
    assert.ok(Number(resourceVersion) > version, `${type} ${name}`);
    version = Number(resourceVersion);
    assert.equal(type === 'ADDED', !state.has(name), `${type} ${name} ${String(version)}`);
    if (type === 'DELETED') state.delete(name);
    else state.set(name, object);
  }
  const withoutType = ({ metadata, ...rest }: KubeObject) => ({ metadata, data: (rest as { data?: unknown }).data });
  const expected = final.filter(({ metadata }) => Number(metadata.resourceVersion) > Number(begin)).map(withoutType);
  const reached = [...state.values()].map(withoutType).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  assert.deepEqual(reached, expected);
  assert.ok(history.length > 50, 'something happened');
}
