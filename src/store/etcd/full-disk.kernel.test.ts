import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EtcdCluster } from '../../../test/support/etcd.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { put } from '../contract.ts';
import { StoreError } from '../store-error.ts';
import { openEtcdStore } from './etcd.ts';

requireOuterNamespace();

test('on a full disk etcd dies and writes say that it is gone; with space again nothing acknowledged is lost', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-etcd-full-'));
  // etcd lays out 64 MB for its log at the start, and again before that is full.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', folder]);
  const etcd = await EtcdCluster.start({ folder });
  const store = await openEtcdStore({
    endpoints: etcd.endpoints,
    timeouts: { read: 500, write: 1000, total: 1000 },
  });
  context.after(async () => {
    await store.close();
    await etcd.remove();
    execFileSync('umount', [folder]);
    rmdirSync(folder);
  });
  const ballast = join(folder, 'ballast');
  await store.commit([put('/before', '')]);
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - 1_000_000));
  const kept: string[] = [];
  const member = etcd.members[0];
  assert.ok(member);
  const ended = member.ended();
  // A write that merely took too long while the member still ran says nothing of the disk: what counts is the one it died of, or the first after that.
  let failure: unknown;
  for (let at = 0; at < 200 && (member.running || failure === undefined); at += 1) {
    const key = `/k${String(at)}`;
    try {
      await store.commit([put(key, 'x'.repeat(1_000_000))]);
      kept.push(key);
    } catch (error) {
      failure = error;
    }
  }
  assert.ok(failure instanceof StoreError, String(failure));
  assert.ok(['unknown', 'unavailable'].includes(failure.code), failure.message);
  await ended;
  await assert.rejects(store.commit([put('/refused', '')]), { code: 'unavailable' });
  rmSync(ballast);
  // What whoever looks after it does: start it again.
  member.start();
  await eventually(() => store.commit([put('/after', '')]), 30_000);
  const { entries } = await store.list('');
  const found = new Set(entries.map(({ key }) => key));
  for (const key of ['/before', ...kept, '/after']) assert.ok(found.has(key), key);
  context.diagnostic(`${String(kept.length)} large commits before the disk was full`);
});
