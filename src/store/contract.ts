/** What every engine must do, as one suite: an engine's own test file calls it with how to open an empty store. */
import assert from 'node:assert/strict';
import { mock, test, type TestContext } from 'node:test';
import { Compacted, ConditionFailed, type Operation, type Store, type StoreEvent } from './store.ts';

export interface Engine {
  readonly name: string;
  /** A new, empty store. */
  open(context: TestContext): Promise<Store>;
  /** Closes and opens the same store again; undefined where nothing outlives the process. */
  readonly reopen?: (store: Store) => Promise<Store>;
}

export const put = (key: string, value: string, expect?: number): Operation => ({ type: 'put', key, value, expect });
export const remove = (key: string, expect?: number): Operation => ({ type: 'delete', key, expect });
export const check = (key: string, expect: number): Operation => ({ type: 'check', key, expect });

/** Watches and lets a test await the n-th event: `3 put /a=x`. */
export function record(store: Store, prefix: string, after: number) {
  const calls: StoreEvent[][] = [];
  let wake = () => {};
  const watch = store.watch(prefix, after, (events) => {
    calls.push([...events]);
    wake();
  });
  const text = ({ revision, type, key, value }: StoreEvent) => `${String(revision)} ${type} ${key}=${value}`;
  const until = async (count: number) => {
    while (calls.flat().length < count) await new Promise<void>((resolve) => (wake = resolve));
    return calls.flat().map(text);
  };
  return { calls, until, close: watch.close };
}

export function storeContract(engine: Engine): void {
  const it = (sentence: string, run: (store: Store, context: TestContext) => Promise<void>) => {
    test(`${engine.name}: ${sentence}`, async (context) => {
      const store = await engine.open(context);
      context.after(() => store.close());
      await run(store, context);
    });
  };
  commitContract(it);
  concurrencyContract(it);
  listContract(it);
  watchContract(it);
  handlerContract(it);
  compactionContract(it);
  const { reopen } = engine;
  if (reopen) reopenContract(it, reopen);
}

type It = (sentence: string, run: (store: Store, context: TestContext) => Promise<void>) => void;

function commitContract(it: It): void {
  it('an empty store is at revision 0 and has nothing', async (store) => {
    assert.equal(store.revision(), 0);
    assert.equal(await store.get('/a'), undefined);
    assert.deepEqual(await store.list('/'), { entries: [], revision: 0, remaining: 0 });
  });

  it('each commit is one revision; a key remembers its first and its last', async (store) => {
    assert.deepEqual(await store.commit([put('/a', '1')]), { revision: 1 });
    assert.deepEqual(await store.commit([put('/b', '1'), put('/c', '1')]), { revision: 2 });
    assert.deepEqual(await store.commit([put('/a', '2')]), { revision: 3 });
    assert.deepEqual(await store.get('/a'), { key: '/a', value: '2', revision: 3, createRevision: 1 });
    assert.deepEqual(await store.get('/c'), { key: '/c', value: '1', revision: 2, createRevision: 2 });
    assert.equal(store.revision(), 3);
  });

  it('a key made again after its deletion starts anew', async (store) => {
    await store.commit([put('/a', '1')]);
    assert.deepEqual(await store.commit([remove('/a')]), { revision: 2 });
    assert.equal(await store.get('/a'), undefined);
    await store.commit([put('/a', '2', 0)]);
    assert.deepEqual(await store.get('/a'), { key: '/a', value: '2', revision: 3, createRevision: 3 });
  });

  it('a refused condition changes nothing and shows what was found', async (store) => {
    await store.commit([put('/a', '1')]);
    const refused = (operations: Operation[], found: object | undefined) =>
      assert.rejects(store.commit(operations), (error) => {
        assert.ok(error instanceof ConditionFailed);
        assert.deepEqual(error.found, found);
        return true;
      });
    const entry = { key: '/a', value: '1', revision: 1, createRevision: 1 };
    await refused([put('/b', '1'), put('/a', '2', 0)], entry);
    await refused([put('/a', '2', 7)], entry);
    await refused([remove('/a', 7)], entry);
    await refused([put('/b', '1'), check('/a', 0)], entry);
    await refused([put('/missing', '1', 1)], undefined);
    assert.equal(store.revision(), 1);
    assert.equal(await store.get('/b'), undefined);
    await store.commit([check('/a', 1), put('/b', '1', 0), put('/a', '2', 1)]);
    assert.equal((await store.get('/a'))?.revision, 2);
  });

  it('a commit that changes nothing makes no revision', async (store) => {
    await store.commit([put('/a', '1')]);
    assert.deepEqual(await store.commit([check('/a', 1), check('/b', 0)]), { revision: 1 });
    assert.deepEqual(await store.commit([remove('/none')]), { revision: 1 });
    assert.deepEqual(await store.commit([]), { revision: 1 });
  });

  it('writing one key twice in a commit is a mistake', async (store) => {
    await assert.rejects(store.commit([put('/a', '1'), remove('/a')]), /may write \/a once only/);
    assert.equal(store.revision(), 0);
  });
}

function concurrencyContract(it: It): void {
  it('of many commits at once that want the same key one wins, and all others keep their own revisions', async (store) => {
    const mine = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) => store.commit([put('/one', String(at), 0)])),
    );
    assert.equal(mine.filter(({ status }) => status === 'fulfilled').length, 1);
    const others = await Promise.all(
      Array.from({ length: 50 }, (_, at) => store.commit([put(`/k${String(at)}`, 'x')])),
    );
    assert.deepEqual(
      others.map(({ revision }) => revision).sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, at) => at + 2),
    );
  });

  it('any text may be a value: large, empty, beyond ASCII', async (store) => {
    const values = ['', 'é🚢\u0000\n"', 'x'.repeat(1_500_000)];
    for (const [at, value] of values.entries()) await store.commit([put(`/v${String(at)}`, value)]);
    const { entries } = await store.list('/v');
    assert.deepEqual(
      entries.map(({ value }) => value),
      values,
    );
  });
}

function listContract(it: It): void {
  const keys = async (store: Store, prefix: string, options?: Parameters<Store['list']>[1]) =>
    (await store.list(prefix, options)).entries.map(({ key }) => key);

  it('a list holds the keys under the prefix and nothing beside it, in byte order', async (store) => {
    const all = ['/p/\u{1f6a2}', '/p/\ufb01', '/p/z', '/p/a', '/p/B', '/p', '/p0', '/pa', '/o/x', '/p/\u{10ffff}y'];
    for (const key of all) await store.commit([put(key, '')]);
    assert.deepEqual(await keys(store, '/p/'), ['/p/B', '/p/a', '/p/z', '/p/\ufb01', '/p/\u{1f6a2}', '/p/\u{10ffff}y']);
    assert.equal((await keys(store, '')).length, all.length);
    assert.deepEqual(await keys(store, '/q'), []);
  });

  it('pages of one revision fit together whatever is written in between', async (store) => {
    for (const key of ['/a', '/b', '/c', '/d', '/e']) await store.commit([put(key, 'old')]);
    const first = await store.list('/', { limit: 2 });
    assert.deepEqual([first.entries.map(({ key }) => key), first.revision, first.remaining], [['/a', '/b'], 5, 3]);
    await store.commit([put('/c', 'new'), remove('/d'), put('/bb', 'new')]);
    const second = await store.list('/', { limit: 2, after: '/b', atRevision: first.revision });
    assert.deepEqual(
      second.entries.map(({ key, value }) => `${key}=${value}`),
      ['/c=old', '/d=old'],
    );
    assert.deepEqual([second.revision, second.remaining], [5, 1]);
    const last = await store.list('/', { limit: 2, after: '/d', atRevision: first.revision });
    assert.deepEqual([last.entries.map(({ key }) => key), last.remaining], [['/e'], 0]);
    assert.deepEqual(await keys(store, '/'), ['/a', '/b', '/bb', '/c', '/e']);
  });

  it('a list of the past shows keys deleted since and not those made since', async (store) => {
    await store.commit([put('/a', '1')]);
    await store.commit([remove('/a')]);
    await store.commit([put('/a', '2')]);
    const at = async (revision: number) => (await store.list('/', { atRevision: revision })).entries;
    assert.deepEqual(await at(0), []);
    assert.deepEqual(await at(1), [{ key: '/a', value: '1', revision: 1, createRevision: 1 }]);
    assert.deepEqual(await at(2), []);
    assert.deepEqual(await at(3), [{ key: '/a', value: '2', revision: 3, createRevision: 3 }]);
    await assert.rejects(store.list('/', { atRevision: 4 }), RangeError);
  });
}

function watchContract(it: It): void {
  it('a watch brings the past after its revision, then the present, each once and in order', async (store) => {
    for (let at = 1; at <= 1200; at += 1) await store.commit([put(at % 3 === 0 ? '/other' : '/w/a', String(at))]);
    const { until, calls } = record(store, '/w/', 100);
    for (let at = 1201; at <= 1300; at += 1) await store.commit([put('/w/b', String(at))]);
    const revisions = Array.from({ length: 1200 }, (_, at) => at + 101).filter((at) => at > 1200 || at % 3 !== 0);
    await until(revisions.length);
    assert.deepEqual(
      calls.flat().map(({ revision }) => revision),
      revisions,
    );
  });

  it('events tell what was there before', async (store) => {
    const live = record(store, '/', 0);
    await store.commit([put('/a', '1')]);
    await store.commit([put('/a', '2')]);
    await store.commit([remove('/a')]);
    const expected: StoreEvent[] = [
      { type: 'put', key: '/a', value: '1', revision: 1, createRevision: 1, previous: undefined },
      { type: 'put', key: '/a', value: '2', revision: 2, createRevision: 1, previous: '1' },
      { type: 'delete', key: '/a', value: '2', revision: 3, createRevision: 1, previous: '2' },
    ];
    assert.deepEqual(live.calls.flat(), expected);
    const past = record(store, '/', 0);
    await past.until(3);
    assert.deepEqual(past.calls.flat(), expected);
  });

  it('all events of one commit come in one call, in the order of its operations', async (store) => {
    const live = record(store, '/', 0);
    await store.commit([put('/b', '1'), put('/a', '1'), put('/c', '1')]);
    const past = record(store, '/', 0);
    await past.until(3);
    for (const { calls } of [live, past])
      assert.deepEqual(
        calls.map((call) => call.map(({ key }) => key)),
        [['/b', '/a', '/c']],
      );
  });

  it('a watcher knows of a commit before the one who made it', async (store) => {
    const { calls } = record(store, '/', 0);
    await store.commit([put('/a', '1')]);
    assert.equal(calls.length, 1);
  });

  it('a watch from the future waits for it', async (store) => {
    const { until, calls } = record(store, '/', 2);
    for (const value of ['1', '2', '3']) await store.commit([put('/a', value)]);
    assert.deepEqual(await until(1), ['3 put /a=3']);
    assert.equal(calls.length, 1);
  });
}

function handlerContract(it: It): void {
  it('a closed watch says no more, even when it is closed by its own handler', async (store) => {
    for (const value of ['1', '2', '3']) await store.commit([put('/a', value)]);
    let calls = 0;
    const watch = store.watch('/', 0, () => {
      calls += 1;
      watch.close();
    });
    const { until } = record(store, '/', 0);
    await until(3);
    await store.commit([put('/a', '4')]);
    assert.equal(calls, 1);
  });

  it('a handler may commit and watch', async (store) => {
    let inner: ReturnType<typeof record> | undefined;
    const outer = store.watch('/trigger', 0, () => {
      outer.close();
      inner = record(store, '/', 0);
      void store.commit([put('/answer', '1')]);
    });
    await store.commit([put('/trigger', '1')]);
    assert.deepEqual(await inner?.until(2), ['1 put /trigger=1', '2 put /answer=1']);
  });

  it('a handler that throws does so outside: the commit stands and others are told', async (store) => {
    const thrown: unknown[] = [];
    const outside = mock.method(process, 'emit', (event: string, error: unknown) => {
      if (event === 'uncaughtException') thrown.push(error);
      return true;
    });
    store.watch('/', 0, () => {
      throw new Error('a mistake');
    });
    const { calls } = record(store, '/', 0);
    await store.commit([put('/a', '1')]);
    await new Promise(setImmediate);
    outside.mock.restore();
    assert.equal(calls.length, 1);
    assert.match(String(thrown[0]), /a mistake/);
  });
}

function compactionContract(it: It): void {
  it('compaction forgets the past and keeps the present', async (store) => {
    for (const value of ['1', '2', '3']) await store.commit([put('/a', value), put('/b', value)]);
    await store.commit([remove('/b')]);
    await store.commit([put('/c', '1')]);
    await store.compact(4);
    assert.deepEqual(
      (await store.list('/')).entries.map(({ key, value, revision, createRevision }) => [
        key,
        value,
        revision,
        createRevision,
      ]),
      [
        ['/a', '3', 3, 1],
        ['/c', '1', 5, 5],
      ],
    );
    const gone = (error: unknown) => error instanceof Compacted && error.oldest === 4;
    await assert.rejects(store.list('/', { atRevision: 3 }), gone);
    assert.throws(() => store.watch('/', 3, () => {}), gone);
    assert.deepEqual((await store.list('/', { atRevision: 4 })).entries.length, 1);
    assert.deepEqual(await record(store, '/', 4).until(1), ['5 put /c=1']);
  });

  it('compaction up to a deletion gives no revision out twice', async (store) => {
    await store.commit([put('/a', '1')]);
    await store.commit([remove('/a')]);
    await store.compact(2);
    assert.equal(store.revision(), 2);
    assert.deepEqual(await store.commit([put('/a', '2', 0)]), { revision: 3 });
  });

  it('compacting twice, backwards or beyond the end is harmless', async (store) => {
    for (const value of ['1', '2', '3']) await store.commit([put('/a', value)]);
    await store.compact(2);
    await store.compact(1);
    assert.throws(() => store.watch('/', 1, () => {}), Compacted);
    await store.compact(99);
    assert.equal((await store.get('/a'))?.value, '3');
    assert.deepEqual(await store.commit([put('/a', '4', 3)]), { revision: 4 });
    assert.deepEqual(await record(store, '/', 3).until(1), ['4 put /a=4']);
  });

  it('a watch that is still reading the past loses nothing to compaction', async (store) => {
    for (let at = 1; at <= 1000; at += 1) await store.commit([put('/a', String(at))]);
    const { until } = record(store, '/', 0);
    await store.compact(1000);
    assert.equal((await until(1000)).length, 1000);
  });
}

function reopenContract(it: It, reopen: (store: Store) => Promise<Store>): void {
  it('everything is there again after reopening: values, history, revision, what was compacted', async (first, context) => {
    for (const value of ['1', '2', '3']) await first.commit([put('/a', value), put('/b', value)]);
    await first.commit([remove('/b')]);
    await first.compact(2);
    const store = await reopen(first);
    context.after(() => store.close());
    assert.equal(store.revision(), 4);
    assert.deepEqual(await store.get('/a'), { key: '/a', value: '3', revision: 3, createRevision: 1 });
    assert.deepEqual(await record(store, '/', 2).until(3), ['3 put /a=3', '3 put /b=3', '4 delete /b=3']);
    assert.throws(() => store.watch('/', 1, () => {}), Compacted);
    assert.deepEqual(await store.commit([put('/c', '1')]), { revision: 5 });
  });

  it('after a compaction up to a deletion a reopened store gives no revision out twice', async (first, context) => {
    await first.commit([put('/a', '1')]);
    await first.commit([remove('/a')]);
    await first.compact(2);
    const store = await reopen(first);
    context.after(() => store.close());
    assert.equal(store.revision(), 2);
  });

  it('closing waits for commits under way', async (first, context) => {
    const commits = Array.from({ length: 10 }, (_, at) => first.commit([put(`/k${String(at)}`, 'x')]));
    const store = await reopen(first);
    context.after(() => store.close());
    await Promise.all(commits);
    assert.equal((await store.list('/')).entries.length, 10);
  });
}
