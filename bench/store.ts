/**
 * How fast the store keeps what it is given, one JSON line per figure, the disk's own sync rate beside it as the floor.
 * node bench/store.ts [FOLDER]   (the folder decides which disk; a temporary one where absent)
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../src/store/index.ts';
import type { Store } from '../src/store/index.ts';

const SECONDS = 2;
/** About the size of a stored Service. */
const VALUE = JSON.stringify({ kind: 'Service', padding: 'x'.repeat(900) });

const report = (figure: string, value: number, unit: string, more: Record<string, number> = {}) => {
  const round = (number: number) => Number(number.toPrecision(4));
  console.log(
    JSON.stringify({
      figure,
      value: round(value),
      unit,
      ...Object.fromEntries(Object.entries(more).map(([name, each]) => [name, round(each)])),
    }),
  );
};

const quantile = (sorted: readonly number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;

/** Four pages, about what one commit appends to the write-ahead log. */
function measureFloor(folder: string): number {
  const fd = openSync(join(folder, 'floor'), 'w');
  const pages = Buffer.alloc(4 * 4096, 1);
  const start = performance.now();
  let count = 0;
  for (; performance.now() - start < SECONDS * 1000; count += 1) {
    writeSync(fd, pages, 0, pages.length, (count % 250) * pages.length);
    fdatasyncSync(fd);
  }
  closeSync(fd);
  return count / SECONDS;
}

async function measureCreates(store: Store, clients: number, floor: number): Promise<void> {
  const times: number[] = [];
  const start = performance.now();
  const end = start + SECONDS * 1000;
  const client = async (id: number) => {
    for (let count = 0; performance.now() < end; count += 1) {
      const before = performance.now();
      await store.commit([
        { type: 'put', key: `/services/c${String(clients)}-${String(id)}/${String(count)}`, value: VALUE, expect: 0 },
      ]);
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, id) => client(id)));
  const rate = times.length / ((performance.now() - start) / 1000);
  times.sort((a, b) => a - b);
  report(`durable creates, ${String(clients)} at once`, rate, '1/s', {
    p50ms: quantile(times, 0.5),
    p99ms: quantile(times, 0.99),
    maxMs: quantile(times, 1),
    floor,
    ofFloor: rate / floor,
  });
}

async function measureReads(store: Store): Promise<void> {
  const prefix = '/listed/';
  for (let at = 0; at < 5000; at += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, each) =>
        store.commit([{ type: 'put', key: `${prefix}${String(at + each)}`, value: VALUE }]),
      ),
    );
  }
  const timed = async (figure: string, run: () => Promise<unknown>) => {
    const times: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      const before = performance.now();
      await run();
      times.push(performance.now() - before);
    }
    report(
      figure,
      quantile(
        times.sort((a, b) => a - b),
        0.5,
      ),
      'ms',
    );
  };
  await timed('list of 5,000', () => store.list(prefix));
  await timed('first 500 of 5,000', () => store.list(prefix, { limit: 500 }));
  await timed('watch of the last 5,000 events', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    let left = 5000;
    const watch = store.watch(prefix, store.revision() - 5000, (events) => {
      if ((left -= events.length) === 0) resolve(undefined);
    });
    await promise;
    watch.close();
  });
}

/** The longest time the event loop was held while 20,000 revisions were dropped. */
async function measureCompaction(store: Store): Promise<void> {
  for (let at = 0; at < 20_000; at += 250) {
    await Promise.all(
      Array.from({ length: 250 }, (_, each) =>
        store.commit([{ type: 'put', key: `/hot/${String(each % 50)}/${String(each)}`, value: VALUE }]),
      ),
    );
  }
  let longest = 0;
  let last = performance.now();
  const ticker = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const before = performance.now();
  await store.compact(store.revision());
  clearInterval(ticker);
  report('compaction of everything, longest hold of the event loop', longest, 'ms', {
    totalMs: performance.now() - before,
  });
}

const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'fairway-bench-'));
try {
  const floor = measureFloor(folder);
  report('floor: 16 KiB write and fdatasync', floor, '1/s');
  const store = openSqliteStore({ path: join(folder, 'state.db') });
  for (const clients of [1, 16, 64]) await measureCreates(store, clients, floor);
  await measureReads(store);
  await measureCompaction(store);
  await store.close();
} finally {
  rmSync(folder, { recursive: true });
}
