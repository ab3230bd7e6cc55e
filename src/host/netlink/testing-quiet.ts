/**
 * For a test: a process in which nothing happens but one change that its monitor is told. Prints the milliseconds until a promise went on that was resolved in there.
 * The process of a test has events of its own, behind which everything goes on.
 */
import { createNfTables } from './nf-tables.ts';

const [family, table, set] = ['ip', 't', 'a'] as const;
const [tables, other] = [createNfTables(), createNfTables()];
let isFirst = true;
tables.monitor(() => {
  if (!isFirst) return;
  isFirst = false;
  const called = performance.now();
  void Promise.resolve().then(() => {
    process.stdout.write(`${String(performance.now() - called)}\n`);
  });
});
setTimeout(() => {
  void other.commit(family, table, [{ op: 'add', set, elements: [{ key: Uint8Array.of(1, 2, 3, 4) }] }]);
}, 50);
// the next event, which would let it go on in any case
setTimeout(() => {
  process.exit();
}, 1000);
