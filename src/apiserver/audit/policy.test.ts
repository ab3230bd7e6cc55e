import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attributes } from '../authorization/attributes.ts';
import type { User } from '../request.ts';
import { METADATA_POLICY, parsePolicy, ruleOn } from './policy.ts';

const jane: User = { name: 'jane', groups: ['people', 'system:authenticated'] };

/** `get pods/log ns/name` or `get /path`. */
function asked(text: string): Attributes {
  const [verb = '', what = '', where = ''] = text.split(' ');
  if (what.startsWith('/')) return { type: 'path', verb, path: what };
  const [full = '', group = ''] = what.split('@');
  const [resource = '', subresource = ''] = full.split('/');
  const [namespace = '', name = ''] = where.split('/');
  return { type: 'resource', verb, group, version: 'v1', resource, subresource, namespace, name };
}

const policyOf = (rules: string) =>
  parsePolicy(`apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n${rules}`);

const rows: [rule: string, question: string, fits: boolean][] = [
  ['{level: Metadata}', 'get pods ns/a', true],
  ['{level: Metadata}', 'get /healthz', true],
  ['{level: None}', 'get pods ns/a', false],
  ['{level: Metadata, users: [jane]}', 'get pods ns/a', true],
  ['{level: Metadata, users: [john]}', 'get pods ns/a', false],
  ['{level: Metadata, userGroups: [people]}', 'get pods ns/a', true],
  ['{level: Metadata, userGroups: [robots]}', 'get pods ns/a', false],
  ['{level: Metadata, verbs: [get, list]}', 'list pods ns', true],
  ['{level: Metadata, verbs: [get]}', 'list pods ns', false],
  ['{level: Metadata, namespaces: [ns]}', 'get pods ns/a', true],
  ['{level: Metadata, namespaces: [ns]}', 'get pods other/a', false],
  ['{level: Metadata, namespaces: [""]}', 'get nodes /a', true],
  ['{level: Metadata, namespaces: [ns]}', 'get /healthz', false],
  ['{level: Metadata, resources: [{group: ""}]}', 'get pods/log ns/a', true],
  ['{level: Metadata, resources: [{group: ""}]}', 'get deployments@apps ns/a', false],
  ['{level: Metadata, resources: [{group: apps}]}', 'get deployments@apps ns/a', true],
  ['{level: Metadata, resources: [{group: "", resources: [pods]}]}', 'get pods ns/a', true],
  ['{level: Metadata, resources: [{group: "", resources: [pods]}]}', 'get pods/log ns/a', false],
  ['{level: Metadata, resources: [{group: "", resources: [pods/log]}]}', 'get pods/log ns/a', true],
  ['{level: Metadata, resources: [{group: "", resources: [pods/*]}]}', 'get pods/log ns/a', true],
  ['{level: Metadata, resources: [{group: "", resources: ["*/scale"]}]}', 'get pods/scale ns/a', true],
  ['{level: Metadata, resources: [{group: "", resources: ["*/scale"]}]}', 'get pods ns/a', false],
  ['{level: Metadata, resources: [{group: "", resources: [pods], resourceNames: [a]}]}', 'get pods ns/a', true],
  ['{level: Metadata, resources: [{group: "", resources: [pods], resourceNames: [a]}]}', 'get pods ns/b', false],
  ['{level: Metadata, nonResourceURLs: [/healthz*]}', 'get /healthz/etcd', true],
  ['{level: Metadata, nonResourceURLs: [/version]}', 'get /healthz', false],
  ['{level: Metadata, nonResourceURLs: ["*"]}', 'get pods ns/a', false],
];
for (const [rule, question, fits] of rows) {
  test(`${rule} is ${fits ? '' : 'not '}for ${question}`, () => {
    assert.equal(ruleOn(policyOf(`- ${rule}`), jane, asked(question)) !== undefined, fits);
  });
}

test('the first rule that fits decides, and its stages are left out beside those of the policy', () => {
  const policy = policyOf('- {level: Request, verbs: [create], omitStages: [ResponseStarted]}\n- {level: Metadata}');
  const ruling = ruleOn(policy, jane, asked('create pods ns'));
  assert.equal(ruling?.level, 'Request');
  assert.deepEqual([...(ruling?.omitStages ?? [])], ['RequestReceived', 'ResponseStarted']);
  assert.equal(ruleOn(policy, jane, asked('get pods ns/a'))?.level, 'Metadata');
});

test('without a policy everything is logged, and no content', () => {
  for (const question of ['get pods ns/a', 'get /metrics']) {
    assert.equal(ruleOn(METADATA_POLICY, jane, asked(question))?.level, 'Metadata');
  }
});

const wrong: [rules: string, message: RegExp][] = [
  ['- {}', /rules\[0\]\.level: must be one of None, Metadata, Request, RequestResponse/],
  ['- {level: Everything}', /rules\[0\]\.level/],
  ['- {level: Metadata, user: [a]}', /rules\[0\]\.user: unknown field/],
  ['- {level: Metadata, users: jane}', /rules\[0\]\.users: must be a list of texts/],
  ['- {level: Metadata, omitStages: [Before]}', /rules\[0\]\.omitStages: must be a list of RequestReceived/],
  ['- {level: Metadata, nonResourceURLs: [healthz]}', /"healthz" must begin with \//],
  ['- {level: Metadata, nonResourceURLs: [/a], namespaces: [b]}', /both regular resources and non-resource URLs/],
  ['- {level: Metadata, resources: [{group: "", resourceNames: [a]}]}', /requires at least one resource/],
];
for (const [rules, message] of wrong) {
  test(`${rules} is refused`, () => {
    assert.throws(() => policyOf(rules), message);
  });
}

test('what is no policy is refused', () => {
  assert.throws(() => parsePolicy('{'), /is no YAML/);
  assert.throws(() => parsePolicy('kind: Pod'), /must be of kind Policy/);
  assert.throws(() => parsePolicy('{apiVersion: audit.k8s.io/v1, kind: Policy}'), /has no rules/);
});
