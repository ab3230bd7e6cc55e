import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeNfTables, type NfChange, type SetElement } from './nf-tables.ts';

const element = (key: number, data?: number): SetElement => ({
  key: Uint8Array.of(10, 0, 0, key),
  ...(data !== undefined && { data: Uint8Array.of(0, data, 0, 0) }),
});

function fake(): FakeNfTables {
  const tables = new FakeNfTables();
  tables.addTable('ip', 'fairway', ['a', 'b'], ['pick']);
  return tables;
}

test('a commit is taken whole, and told back by dump', async () => {
  const tables = fake();
  await tables.commit('ip', 'fairway', [
    { op: 'add', set: 'a', elements: [element(1, 80)] },
    { op: 'add', set: 'b', elements: [element(2)] },
  ]);
  assert.deepEqual(await tables.dump('ip', 'fairway', 'a'), [element(1, 80)]);
  assert.deepEqual(await tables.dump('ip', 'fairway', 'b'), [element(2)]);
});

test('a commit that fails in its last change leaves nothing of its first', async () => {
  const tables = fake();
  const commit = tables.commit('ip', 'fairway', [
    { op: 'add', set: 'a', elements: [element(1, 80)] },
    { op: 'delete', set: 'b', elements: [element(2)] },
  ]);
  await assert.rejects(commit, { code: 'ENOENT', message: /delete b: ENOENT/ });
  assert.deepEqual(await tables.dump('ip', 'fairway', 'a'), []);
  assert.equal(tables.commits.length, 0);
});

test('another value for a key is EEXIST unless the old one goes first', async () => {
  const tables = fake();
  await tables.commit('ip', 'fairway', [{ op: 'add', set: 'a', elements: [element(1, 80)] }]);
  await tables.commit('ip', 'fairway', [{ op: 'add', set: 'a', elements: [element(1, 80)] }]);
  const add = { op: 'add', set: 'a', elements: [element(1, 81)] } as const;
  await assert.rejects(tables.commit('ip', 'fairway', [add]), { code: 'EEXIST' });
  await tables.commit('ip', 'fairway', [{ op: 'delete', set: 'a', elements: [element(1)] }, add]);
  assert.deepEqual(await tables.dump('ip', 'fairway', 'a'), [element(1, 81)]);
});

test('a verdict to a chain that is not there is ENOENT', async () => {
  const go = (chain: string) =>
    [{ op: 'add', set: 'a', elements: [{ ...element(1), verdict: { code: 'goto', chain } }] }] as const;
  await assert.rejects(fake().commit('ip', 'fairway', go('nowhere')), { code: 'ENOENT' });
  await fake().commit('ip', 'fairway', go('pick'));
});

test('a monitor hears of others and not of itself', async () => {
  const tables = fake();
  const heard: NfChange[] = [];
  const stop = tables.monitor((change) => heard.push(change));
  await tables.commit('ip', 'fairway', [{ op: 'add', set: 'a', elements: [element(1)] }]);
  assert.deepEqual(heard, []);
  tables.commitAsAnother('ip', 'fairway', [{ op: 'delete', set: 'a', elements: [element(1)] }]);
  tables.flushRuleset();
  stop();
  tables.addTable('ip', 'fairway');
  tables.flushRuleset();
  assert.deepEqual(heard, [
    { kind: 'set-element-deleted', family: 'ip', table: 'fairway', set: 'a' },
    { kind: 'table-deleted', family: 'ip', table: 'fairway' },
  ]);
  assert.equal(await tables.hasTable('ip', 'fairway'), false);
});
