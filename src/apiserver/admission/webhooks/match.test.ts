import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EVENTS,
  EVENTS_V1,
  KINDS,
  NAMESPACES,
  NODES,
  PODS,
  SERVICES,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type Kind,
} from '../../../api/kinds.ts';
import type { Webhook, WebhookRule } from '../../../api/validation/webhooks.ts';
import { versionFor, type Asked } from './match.ts';

function webhook(rule: WebhookRule, more: Partial<Webhook> = {}): Webhook {
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], ...rule }];
  return { name: 'a.example.com', sideEffects: 'None', rules, ...more };
}

function asked(kind: Kind, more: Partial<Asked> = {}): Asked {
  const object = { metadata: { name: 'web', labels: { app: 'web' } } };
  return {
    operation: 'CREATE',
    kinds: KINDS,
    kind,
    requested: kind,
    namespace: 'shop',
    namespaceLabels: { team: 'a' },
    object,
    ...more,
  };
}
const labels = (map: Record<string, string>) => ({ metadata: { name: 'web', labels: map } });
const team = { namespaceSelector: { matchLabels: { team: 'a' } } };
const teamB = { namespaceSelector: { matchLabels: { team: 'b' } } };
const app = { objectSelector: { matchLabels: { app: 'web' } } };

const CASES: [what: string, hook: Webhook, write: Asked, expected: boolean][] = [
  ['the very resource', webhook({}), asked(PODS), true],
  ['another resource', webhook({}), asked(SERVICES), false],
  ['another operation', webhook({}), asked(PODS, { operation: 'DELETE' }), false],
  ['any operation', webhook({ operations: ['*'] }), asked(PODS, { operation: 'DELETE' }), true],
  ['another group', webhook({ apiGroups: ['apps'] }), asked(PODS), false],
  ['any group and version', webhook({ apiGroups: ['*'], apiVersions: ['*'] }), asked(PODS), true],
  ['a subresource is not the resource', webhook({}), asked(PODS, { subresource: 'status' }), false],
  ['one subresource', webhook({ resources: ['pods/status'] }), asked(PODS, { subresource: 'status' }), true],
  ['the resource is not the subresource', webhook({ resources: ['pods/status'] }), asked(PODS), false],
  ['all subresources', webhook({ resources: ['pods/*'] }), asked(PODS, { subresource: 'exec' }), true],
  ['every resource', webhook({ resources: ['*'] }), asked(SERVICES), true],
  ['every resource, but no subresource', webhook({ resources: ['*'] }), asked(PODS, { subresource: 'exec' }), false],
  [
    'one subresource of every resource',
    webhook({ resources: ['*/scale'] }),
    asked(PODS, { subresource: 'scale' }),
    true,
  ],
  ['everything', webhook({ resources: ['*/*'] }), asked(PODS, { subresource: 'exec' }), true],
  ['namespaced only', webhook({ resources: ['*'], scope: 'Namespaced' }), asked(NODES), false],
  ['cluster-scoped only', webhook({ resources: ['*'], scope: 'Cluster' }), asked(NODES), true],
  ['its namespace', webhook({}, team), asked(PODS), true],
  ['another namespace', webhook({}, teamB), asked(PODS), false],
  ['a cluster-scoped object is in no namespace', webhook({ resources: ['*'] }, teamB), asked(NODES), true],
  [
    'a Namespace by its own labels',
    webhook({ resources: ['*'] }, teamB),
    asked(NAMESPACES, { object: labels({ team: 'b' }) }),
    true,
  ],
  ['a Namespace of other labels', webhook({ resources: ['*'] }, teamB), asked(NAMESPACES), false],
  ['its labels', webhook({}, app), asked(PODS), true],
  ['other labels', webhook({}, app), asked(PODS, { object: labels({ app: 'db' }) }), false],
  [
    'labels it had until now',
    webhook({ operations: ['UPDATE'] }, app),
    asked(PODS, { operation: 'UPDATE', object: labels({}), old: labels({ app: 'web' }) }),
    true,
  ],
  [
    'never about webhooks themselves',
    webhook({ apiGroups: ['*'], resources: ['*/*'] }),
    asked(VALIDATING_WEBHOOK_CONFIGURATIONS),
    false,
  ],
  ['no rules', { name: 'a.example.com', sideEffects: 'None' }, asked(PODS), false],
];
for (const [what, hook, write, expected] of CASES) {
  test(`a webhook is ${expected ? '' : 'not '}asked: ${what}`, () => {
    assert.equal(versionFor(hook, write), expected ? write.kind : undefined);
  });
}

test('Equivalent sees the version it has a rule for, Exact only what was asked for', () => {
  const rule = { apiGroups: ['events.k8s.io'], resources: ['events'] };
  assert.equal(versionFor(webhook(rule, { matchPolicy: 'Equivalent' }), asked(EVENTS)), EVENTS_V1);
  assert.equal(versionFor(webhook(rule, { matchPolicy: 'Exact' }), asked(EVENTS)), undefined);
  assert.equal(versionFor(webhook(rule, { matchPolicy: 'Exact' }), asked(EVENTS, { requested: EVENTS_V1 })), EVENTS_V1);
});
