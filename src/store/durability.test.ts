/**
 * A process that writes is killed without warning, again and again; what it had been told was stored must be there. SIGKILL cannot
 * show what a power cut would (the kernel keeps the pages): for that every commit is synced before it resolves, see sqlite.ts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openSqliteStore } from './sqlite.ts';

const writer = new URL('./testdata/writer.ts', import.meta.url).pathname;

/** Runs a writer until it has acknowledged `acks` commits, kills it, and returns everything it had acknowledged by then. */
async function writeAndKill(path: string, run: number, acks: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [writer, path, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged = new Map<string, number>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [, key, revision] = /^ack (\S+) (\d+)$/.exec(line) ?? [];
    if (key !== undefined) acknowledged.set(key, Number(revision));
    if (acknowledged.size === acks) child.kill('SIGKILL');
  }
  return acknowledged;
}

test('no acknowledged write is lost when the process is killed', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-durability-'));
  const path = join(folder, 'state.db');
  try {
    const acknowledged = new Map<string, number>();
    for (const [run, acks] of [1, 17, 300, 700, 1500].entries()) {
      const ours = await writeAndKill(path, run, acks);
      assert.ok(ours.size >= acks, `writer ${String(run)} ended by itself after ${String(ours.size)}`);
      for (const [key, revision] of ours) acknowledged.set(key, revision);

      const store = openSqliteStore({ path });
      const { entries, revision: now } = await store.list('/run');
      const found = new Map(entries.map(({ key, value, revision }) => [key, { value, revision }]));
      for (const [key, revision] of acknowledged) {
        assert.deepEqual(found.get(key), { value: `${key} ${'x'.repeat(500)}`, revision });
      }
      // Both keys of a commit or none; revisions are given out once.
      const last = await store.list('/last/');
      for (const { value, revision } of last.entries) assert.equal(found.get(value)?.revision, revision);
      assert.equal(new Set(entries.map(({ revision }) => revision)).size, entries.length);
      assert.ok(now >= Math.max(...acknowledged.values()));
      await store.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
