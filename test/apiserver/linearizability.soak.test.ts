import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAroundEtcd, killServerOnSqlite } from '../support/faults.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';

requireOuterNamespace();

test('reads and conditional writes stay linearisable over 100 kills of the server on SQLite', async (t) => {
  const report = await killServerOnSqlite(100, 16448);
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.acknowledged > 2500);
});

test('and over 150 faults of etcd members and servers', async (t) => {
  const report = await killAroundEtcd(150, 16449);
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.acknowledged > 5000);
});
