import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
import { put } from './contract.ts';
import { openSqliteStore } from './sqlite.ts';
import { StoreError } from './store-error.ts';

requireOuterNamespace();

test('a full disk refuses the write and says so; with space again the store goes on, and nothing acknowledged is lost', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]);
  context.after(() => {
    execFileSync('umount', [folder]);
    rmdirSync(folder);
  });
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(1024 * 1024));
  const path = join(folder, 'state.db');
  const store = openSqliteStore({ path });
  const kept: string[] = [];
  const write = async (key: string) => {
    await store.commit([put(key, 'x'.repeat(3000))]);
    kept.push(key);
  };
  await assert.rejects(
    async () => {
      for (let at = 0; at < 1000; at += 1) await write(`/before/${String(at)}`);
    },
    (error) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, 'full');
      assert.ok(error.message.startsWith(`cannot write ${path}: the disk is full: free some space`), error.message);
      return true;
    },
  );
  assert.ok(kept.length > 10);
  assert.equal((await store.list('/')).entries.length, kept.length);
  rmSync(ballast);
  for (let at = 0; at < 20; at += 1) await write(`/after/${String(at)}`);
  await store.close();
  const again = openSqliteStore({ path });
  assert.deepEqual((await again.list('/')).entries.map(({ key }) => key).sort(), kept.sort());
  await again.close();
});
