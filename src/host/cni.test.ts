import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeCniResults } from './cni.ts';

test("results of a node's own sandboxes go, those of others stay", (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-cni-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const [stopped, running, foreign] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];
  const root = join(folder, 'root');
  const state = join(folder, 'state');
  const results = join(folder, 'results');
  mkdirSync(join(root, 'io.containerd.grpc.v1.cri', 'sandboxes', stopped), { recursive: true });
  mkdirSync(join(state, 'io.containerd.runtime.v2.task', 'k8s.io', running), { recursive: true });
  mkdirSync(results);
  for (const id of [stopped, running, foreign])
    for (const name of [`fairway-${id}-eth0`, `cni-loopback-${id}-lo`]) writeFileSync(join(results, name), '{}');
  removeCniResults({ root, state }, results);
  assert.deepEqual(readdirSync(results).sort(), [`cni-loopback-${foreign}-lo`, `fairway-${foreign}-eth0`]);
  removeCniResults({ root: '/nowhere', state: '/nowhere' }, '/nowhere');
});
