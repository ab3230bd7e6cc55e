import assert from 'node:assert/strict';
import { test } from 'node:test';
import { surviveKills } from '../support/durability.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';

requireOuterNamespace();

test('no acknowledged write is lost over 20 kills of the server', async (t) => {
  const { acknowledged } = await surviveKills(20, 16443);
  t.diagnostic(`${String(acknowledged)} writes acknowledged`);
  assert.ok(acknowledged > 200, `only ${String(acknowledged)} writes were acknowledged: too few to prove anything`);
});
