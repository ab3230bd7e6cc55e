import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAroundEtcd, killServerOnSqlite } from '../support/faults.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';

requireOuterNamespace();

test('reads and conditional writes stay linearisable while the server on SQLite is killed', async (t) => {
  const { operations, acknowledged, unknown } = await killServerOnSqlite(2, 16445);
  t.diagnostic(
    `${String(operations)} operations, ${String(acknowledged)} writes acknowledged, ${String(unknown)} unknown`,
  );
  assert.ok(acknowledged > 50, 'too few to prove anything');
});

test('and while etcd members and servers are killed and frozen', async (t) => {
  const { operations, acknowledged, unknown } = await killAroundEtcd(5, 16446);
  t.diagnostic(
    `${String(operations)} operations, ${String(acknowledged)} writes acknowledged, ${String(unknown)} unknown`,
  );
  assert.ok(acknowledged > 100, 'too few to prove anything');
});
