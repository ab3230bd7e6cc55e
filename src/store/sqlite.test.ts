import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { put, storeContract } from './contract.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

const paths = new WeakMap<Store, string>();

function freshPath(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-store-'));
  context.after(() => {
    rmSync(folder, { recursive: true });
  });
  return join(folder, 'inner', 'state.db');
}

function open(path: string): Store {
  const store = openSqliteStore({ path });
  paths.set(store, path);
  return store;
}

storeContract({
  name: 'sqlite',
  open: (context) => Promise.resolve(open(freshPath(context))),
  reopen: async (store) => {
    await store.close();
    return open(paths.get(store) ?? '');
  },
});

test('a second server is refused with the name of the file, and the first goes on', async (context) => {
  const path = freshPath(context);
  const first = open(path);
  context.after(() => first.close());
  await first.commit([put('/a', '1')]);
  assert.throws(
    () => openSqliteStore({ path }),
    (error: Error) => error.message.includes(path) && /another server has it open.*--data-dir/.test(error.message),
  );
  await first.commit([put('/a', '2')]);
});

test('a file that is no database is refused and left as it is', (context) => {
  const path = join(freshPath(context), '..', '..', 'state.db');
  writeFileSync(path, 'these are not the bytes you are looking for'.repeat(100));
  assert.throws(() => openSqliteStore({ path }), /state\.db: the file is damaged or no Fairway state: move it away/);
  assert.equal(statSync(path).size, 4300);
});

test('a damaged page is reported when it is read, with what to do', async (context) => {
  const path = freshPath(context);
  const store = open(path);
  for (let at = 0; at < 50; at += 1) await store.commit([put(`/k${String(at)}`, 'x'.repeat(2000))]);
  await store.close();
  const size = statSync(path).size;
  const fd = openSync(path, 'r+');
  for (let page = 2; page * 4096 < size; page += 1) writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
  closeSync(fd);
  await assert.rejects(
    async () => {
      const damaged = open(path);
      try {
        await damaged.list('/');
      } finally {
        await damaged.close();
      }
    },
    { name: 'StoreError', code: 'damaged' },
  );
});

test('a file of a newer Fairway is refused', async (context) => {
  const path = freshPath(context);
  await open(path).close();
  const database = new DatabaseSync(path);
  database.exec('PRAGMA user_version=99');
  database.close();
  assert.throws(() => openSqliteStore({ path }), /written by a newer Fairway/);
});

test('a folder that cannot be made is named', (context) => {
  const path = freshPath(context);
  writeFileSync(join(path, '..', '..', 'inner'), '');
  assert.throws(() => openSqliteStore({ path }), { name: 'StoreError' });
});

test('state is readable by its owner only', async (context) => {
  const path = freshPath(context);
  const store = open(path);
  context.after(() => store.close());
  await store.commit([put('/secret', '1')]);
  for (const file of [path, `${path}-wal`]) assert.equal(statSync(file).mode & 0o077, 0, file);
});

test('after close everything is refused', async (context) => {
  const store = open(freshPath(context));
  await store.close();
  await store.close();
  await assert.rejects(store.commit([put('/a', '1')]), /is closed/);
  await assert.rejects(store.get('/a'), /is closed/);
});

/** A store whose syncs end when the test says so. */
function openSlow(context: TestContext) {
  const syncs: { done: () => void; fail: (error: Error) => void }[] = [];
  const path = freshPath(context);
  const store = openSqliteStore({ path }, () => new Promise((done, fail) => syncs.push({ done, fail })));
  const nextSync = async () => {
    while (syncs.length === 0) await new Promise(setImmediate);
    return syncs.shift()!;
  };
  return { store, path, nextSync };
}

test('before the sync is done nobody sees the commit, neither reader nor watcher nor the one who made it', async (context) => {
  const { store, nextSync } = openSlow(context);
  const told: string[] = [];
  store.watch('/', 0, (events) => told.push(...events.map(({ key }) => key)));
  const commit = store.commit([put('/a', '1')]).then(() => told.push('resolved'));
  const sync = await nextSync();
  // Refused because of what is not on disk yet: that, too, has to wait.
  const refused = assert
    .rejects(store.commit([put('/a', '2', 0)]), { name: 'ConditionFailed' })
    .then(() => told.push('refused'));
  await new Promise(setImmediate);
  assert.deepEqual(
    [store.revision(), await store.get('/a'), (await store.list('/')).entries, told],
    [0, undefined, [], []],
  );
  sync.done();
  await commit;
  await refused;
  assert.deepEqual([store.revision(), (await store.get('/a'))?.value, told], [1, '1', ['/a', 'resolved', 'refused']]);
  await store.close();
});

test('commits that come in during a sync share the next one, each with its own revision', async (context) => {
  const { store, nextSync } = openSlow(context);
  const first = store.commit([put('/first', '')]);
  const sync = await nextSync();
  const others = Array.from({ length: 10 }, (_, at) => store.commit([put(`/k${String(at)}`, '')]));
  sync.done();
  await first;
  (await nextSync()).done();
  const revisions = (await Promise.all(others)).map(({ revision }) => revision);
  assert.deepEqual(revisions, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  await store.close();
});

test('after a failed sync nothing is promised any more', async (context) => {
  const { store, path, nextSync } = openSlow(context);
  const commit = store.commit([put('/a', '1')]);
  const queued = assert.rejects(store.commit([put('/b', '1')]), { name: 'StoreError', code: 'failed' });
  (await nextSync()).fail(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
  await assert.rejects(
    commit,
    (error: Error) => error.message.includes(path) && /check the disk, then start/.test(error.message),
  );
  await queued;
  await assert.rejects(store.commit([put('/c', '1')]), { code: 'failed' });
  await assert.rejects(store.get('/a'), { code: 'failed' });
  assert.equal(store.revision(), 0);
  await store.close();
});
