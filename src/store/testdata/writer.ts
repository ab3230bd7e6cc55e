/** Started by durability.test.ts: writes as fast as it can, says `ack KEY REVISION` for every commit that resolved, until it is killed. */
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../sqlite.ts';

const [path = '', run = '', writers = '8'] = process.argv.slice(2);
const store = openSqliteStore({ path, retention: { keepMs: 50, keepRevisions: 200, everyMs: 20 } });

async function write(writer: number): Promise<never> {
  for (let count = 0; ; count += 1) {
    const key = `/run${run}/w${String(writer)}/${String(count)}`;
    const { revision } = await store.commit([
      { type: 'put', key, value: `${key} ${'x'.repeat(500)}`, expect: 0 },
      { type: 'put', key: `/last/w${String(writer)}`, value: key },
    ]);
    // Straight to the pipe: nothing acknowledged may wait in a buffer of this process.
    writeSync(1, `ack ${key} ${String(revision)}\n`);
  }
}
await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => write(writer)));
