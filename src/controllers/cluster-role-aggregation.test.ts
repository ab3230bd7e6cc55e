import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLUSTER_ROLES } from '../api/kinds.ts';
import type { ClusterRole } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { defaultClusterRoles } from '../apiserver/authorization/default-roles.ts';
import { clusterRoleAggregationController, gatherRules } from './cluster-role-aggregation.ts';
import { runFor, until } from './test-objects.ts';

const aRole = (name: string, labels: Record<string, string>, ...verbs: string[]): ClusterRole => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name, labels },
  rules: verbs.map((verb) => ({ apiGroups: [''], resources: ['pods'], verbs: [verb] })),
});
const gathering: ClusterRole = {
  ...aRole('gather', {}),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { to: 'gather' } }] },
};
const verbsOf = (role: ClusterRole | undefined) => (role?.rules ?? []).flatMap(({ verbs }) => verbs);

test('a role gathers what its selectors find, and lets go of what they no longer find', async (t) => {
  const client = new FakeClient([gathering, aRole('a', { to: 'gather' }, 'get'), aRole('b', {}, 'list')]);
  runFor(t, client, [clusterRoleAggregationController]);
  const gathers = (...verbs: string[]) =>
    until(
      client,
      CLUSTER_ROLES,
      (all) => verbsOf(all.find(({ metadata }) => metadata.name === 'gather')).join() === verbs.join(),
    );
  await gathers('get');
  const labels = (to: string | null) => ({ metadata: { labels: { to } } });
  await client.patch(CLUSTER_ROLES, 'b', undefined, 'merge', labels('gather'));
  await gathers('get', 'list');
  await client.patch(CLUSTER_ROLES, 'a', undefined, 'merge', labels(null));
  await gathers('list');
});

test('rules are gathered once each, in the order of names, and not from the role itself', () => {
  const all = [aRole('c', { to: 'gather' }, 'list', 'get'), aRole('b', { to: 'gather' }, 'get')];
  const own = { ...gathering, metadata: { name: 'gather', labels: { to: 'gather' } } };
  assert.deepEqual(verbsOf({ ...own, rules: gatherRules(own, [...all, own]) }), ['get', 'list']);
});

test('the default roles are made as they would be gathered', () => {
  const all = defaultClusterRoles();
  for (const role of all.filter(({ aggregationRule }) => aggregationRule)) {
    assert.deepEqual(role.rules, gatherRules(role, all), role.metadata.name);
  }
});
