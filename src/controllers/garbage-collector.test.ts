import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_MAPS, REPLICA_SETS, SECRETS } from '../api/kinds.ts';
import type { ConfigMap, Meta } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { garbageCollector } from './garbage-collector.ts';
import { decideDependent, type OwnerState } from './garbage-plan.ts';
import { runFor, until } from './test-objects.ts';

const reference = (name: string, blockOwnerDeletion = false): Meta.OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name,
  uid: `uid-${name}`,
  blockOwnerDeletion,
});

function map(name: string, owners: Meta.OwnerReference[] = [], more: Partial<ConfigMap['metadata']> = {}): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      ...(owners.length > 0 && { ownerReferences: owners }),
      ...more,
    },
  };
}
const names = (objects: ConfigMap[]) => objects.map(({ metadata }) => metadata.name).sort();

const decisions: [OwnerState[], boolean, string][] = [
  [['present'], false, 'keep'],
  [['unknown'], false, 'keep'],
  [['absent'], false, 'delete Background'],
  [['absent', 'absent'], false, 'delete Background'],
  [['absent', 'present'], false, 'drop-references'],
  [['deleting', 'present'], false, 'drop-references'],
  [['deleting'], false, 'delete Background'],
  [['deleting'], true, 'delete Foreground'],
];
for (const [states, hasDependents, expected] of decisions) {
  test(`owners ${states.join(' and ')}${hasDependents ? ', with dependents of its own' : ''}: ${expected} (8-082)`, () => {
    const references = states.map((_, n) => reference(String(n)));
    const decision = decideDependent(references, states, hasDependents);
    assert.equal(decision.what === 'delete' ? `delete ${decision.policy}` : decision.what, expected);
  });
}

test('dependents go when their owner does, and theirs after them', async (t) => {
  const client = new FakeClient([
    map('top'),
    map('middle', [reference('top')]),
    map('leaf', [reference('middle')]),
    map('other'),
  ]);
  const running = runFor(t, client, [garbageCollector()]);
  await running.idle();
  assert.equal(client.all(CONFIG_MAPS).length, 4);
  await client.delete(CONFIG_MAPS, 'top', 'default');
  const left = await until(client, CONFIG_MAPS, (all) => all.length === 1);
  assert.deepEqual(names(left), ['other']);
});

test('what lost its owner while nobody looked goes at the start; a new owner of the same name does not count', async (t) => {
  const client = new FakeClient([map('new', [], { uid: 'uid-2' }), map('leaf', [reference('new')])]);
  runFor(t, client, [garbageCollector()]);
  assert.deepEqual(names(await until(client, CONFIG_MAPS, (all) => all.length === 1)), ['new']);
});

test('with another owner alive only the reference goes', async (t) => {
  const client = new FakeClient([map('a'), map('b'), map('leaf', [reference('a'), reference('b')])]);
  const running = runFor(t, client, [garbageCollector()]);
  await running.idle();
  await client.delete(CONFIG_MAPS, 'a', 'default');
  const all = await until(client, CONFIG_MAPS, (found) =>
    found.some(({ metadata }) => metadata.ownerReferences?.length === 1),
  );
  assert.deepEqual(names(all), ['b', 'leaf']);
});

test('an owner of a kind that is not served here keeps its dependents', async (t) => {
  const foreign = { apiVersion: 'example.com/v1', kind: 'Thing', name: 'x', uid: 'u' };
  const client = new FakeClient([map('leaf', [foreign])]);
  const running = runFor(t, client, [garbageCollector()]);
  await running.idle();
  assert.equal(client.all(CONFIG_MAPS).length, 1);
});

test('an owner in the foreground waits for the dependents that block it', async (t) => {
  const held = map('leaf', [reference('top', true)], { finalizers: ['test/hold'] });
  const client = new FakeClient([map('top'), held]);
  const running = runFor(t, client, [garbageCollector()]);
  await running.idle();
  await client.delete(CONFIG_MAPS, 'top', 'default', { propagationPolicy: 'Foreground' });
  await until(client, CONFIG_MAPS, (all) => all.every(({ metadata }) => metadata.deletionTimestamp !== undefined));
  await running.idle();
  assert.equal(client.all(CONFIG_MAPS).length, 2);
  await client.patch(CONFIG_MAPS, 'leaf', 'default', 'merge', { metadata: { finalizers: null } });
  await until(client, CONFIG_MAPS, (all) => all.length === 0);
});

test('an owner that orphans lets its dependents go free', async (t) => {
  const client = new FakeClient([map('top'), map('leaf', [reference('top')])]);
  const running = runFor(t, client, [garbageCollector()]);
  await running.idle();
  await client.delete(CONFIG_MAPS, 'top', 'default', { propagationPolicy: 'Orphan' });
  const left = await until(client, CONFIG_MAPS, (all) => all.length === 1);
  assert.deepEqual(left[0]?.metadata.ownerReferences ?? [], []);
});

test('owners and dependents may be of different kinds', async (t) => {
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'rs', namespace: 'default', uid: 'uid-rs' },
  };
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 's',
      namespace: 'default',
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'uid-rs' }],
    },
  };
  const client = new FakeClient([owner, secret]);
  const running = runFor(t, client, [garbageCollector()]);
  await running.idle();
  await client.delete(REPLICA_SETS, 'rs', 'default');
  await until(client, SECRETS, (all) => all.length === 0);
});
