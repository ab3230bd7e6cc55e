import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_MAPS, REPLICA_SETS, SECRETS } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { controllerKeys, defineController, done, index, itself, keyOf, splitKey, trigger } from './loop.ts';
import { runFor } from './test-objects.ts';

const object = (kind: string, name: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'default', ...more },
});

test('no key is reconciled before all that is read is there, and every present object makes its key due', async (t) => {
  const client = new FakeClient([object('ConfigMap', 'a'), object('ConfigMap', 'b'), object('Secret', 's')]);
  const seen: string[] = [];
  const controller = defineController({
    name: 'test',
    triggers: [trigger(CONFIG_MAPS, itself)],
    reads: [SECRETS],
    reconcile: (key, view) => {
      seen.push(`${key} with ${String(view.list(SECRETS).length)} secret`);
      return Promise.resolve(done);
    },
  });
  await runFor(t, client, [controller]).idle();
  assert.deepEqual(seen.sort(), ['default/a with 1 secret', 'default/b with 1 secret']);
});

test('controllers share one watch per kind', async (t) => {
  const client = new FakeClient([]);
  const make = (name: string) =>
    defineController({ name, triggers: [trigger(CONFIG_MAPS, itself)], reconcile: () => Promise.resolve(done) });
  await runFor(t, client, [make('a'), make('b')]).started;
  assert.equal(client.openWatches, 1);
});

test('a definition may add an index, and owners are indexed for every kind', async (t) => {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u', controller: true };
  const client = new FakeClient([object('ConfigMap', 'a', { ownerReferences: [owner], labels: { app: 'x' } })]);
  const found: number[] = [];
  const controller = defineController({
    name: 'test',
    triggers: [trigger(CONFIG_MAPS, itself)],
    indexes: [index(CONFIG_MAPS, { app: ({ metadata }) => [metadata.labels?.['app'] ?? ''] })],
    reconcile: (_key, view) => {
      found.push(view.byIndex(CONFIG_MAPS, 'app', 'x').length, view.byIndex(CONFIG_MAPS, 'controller', 'u').length);
      return Promise.resolve(done);
    },
  });
  await runFor(t, client, [controller]).idle();
  assert.deepEqual(found, [1, 1]);
});

test('reading a kind that was not declared is an error, not an empty answer', async (t) => {
  const errors: unknown[] = [];
  const controller = defineController({
    name: 'test',
    triggers: [trigger(CONFIG_MAPS, itself)],
    reconcile: (_key, view) => {
      try {
        view.list(SECRETS);
      } catch (error) {
        errors.push(error);
      }
      return Promise.resolve(done);
    },
  });
  await runFor(t, new FakeClient([object('ConfigMap', 'a')]), [controller]).idle();
  assert.match(String(errors[0]), /no controller declares that it reads secrets/);
});

test('an object that changed hands makes both owners due; owners of another kind do not count', () => {
  const owned = (kind: string, name: string) =>
    object('Pod', 'p', { ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid: name, controller: true }] });
  const keys = controllerKeys(REPLICA_SETS);
  const change = { type: 'updated', old: owned('ReplicaSet', 'a'), object: owned('ReplicaSet', 'b') } as const;
  assert.deepEqual(keys(change), ['default/a', 'default/b']);
  assert.deepEqual(keys({ type: 'added', object: owned('DaemonSet', 'a') }), []);
});

test('keys are namespace and name, or the name alone', () => {
  assert.equal(keyOf(object('ConfigMap', 'a')), 'default/a');
  assert.equal(keyOf({ metadata: { name: 'n' } }), 'n');
  assert.deepEqual(splitKey('default/a'), { namespace: 'default', name: 'a' });
  assert.deepEqual(splitKey('n'), { namespace: '', name: 'n' });
});
