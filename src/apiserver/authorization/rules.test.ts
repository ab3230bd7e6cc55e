import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Attributes } from './attributes.ts';
import { describeRule, missingRules } from './coverage.ts';
import { ruleAllows, type PolicyRule } from './rules.ts';

const pods: PolicyRule = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] };

/** `get pods.apps/log name` or `get /path`. */
function asked(text: string): Attributes {
  const [verb = '', what = '', name = ''] = text.split(' ');
  if (what.startsWith('/')) return { type: 'path', verb, path: what };
  const [full = '', subresource = ''] = what.split('/');
  const [resource = '', group = ''] = full.split('.');
  return { type: 'resource', verb, group, version: 'v1', resource, subresource, namespace: 'ns', name };
}

const rows: [rule: PolicyRule, question: string, allowed: boolean][] = [
  [pods, 'get pods a', true],
  [pods, 'list pods', true],
  [pods, 'watch pods', false],
  [pods, 'get pods.apps a', false],
  [pods, 'get services a', false],
  [pods, 'get pods/log a', false],
  [{ ...pods, resources: ['pods/log'] }, 'get pods/log a', true],
  [{ ...pods, resources: ['pods/log'] }, 'get pods a', false],
  [{ ...pods, resources: ['*/log'] }, 'get pods/log a', true],
  [{ ...pods, resources: ['*/log'] }, 'get pods/exec a', false],
  [{ ...pods, resources: ['*/log'] }, 'get pods a', false],
  [{ ...pods, resources: ['pods/*'] }, 'get pods/log a', false],
  [{ ...pods, resources: ['*'] }, 'get pods/log a', true],
  [{ ...pods, resources: ['*'] }, 'get services a', true],
  [{ ...pods, apiGroups: ['*'] }, 'get pods.apps a', true],
  [{ ...pods, verbs: ['*'] }, 'impersonate pods a', true],
  [{ ...pods, resourceNames: ['a'] }, 'get pods a', true],
  [{ ...pods, resourceNames: ['a'] }, 'get pods b', false],
  [{ ...pods, resourceNames: ['a'] }, 'list pods', false],
  [{ ...pods, resourceNames: [] }, 'list pods', true],
  [{ verbs: ['get'] }, 'get pods a', false],
  [pods, 'get /pods', false],
  [{ nonResourceURLs: ['/healthz'], verbs: ['get'] }, 'get /healthz', true],
  [{ nonResourceURLs: ['/healthz'], verbs: ['get'] }, 'get /healthz/etcd', false],
  [{ nonResourceURLs: ['/healthz/*'], verbs: ['get'] }, 'get /healthz/etcd', true],
  [{ nonResourceURLs: ['/healthz/*'], verbs: ['get'] }, 'get /healthz', false],
  [{ nonResourceURLs: ['/health*'], verbs: ['get'] }, 'get /healthz', true],
  [{ nonResourceURLs: ['*'], verbs: ['get'] }, 'get /anything', true],
  [{ nonResourceURLs: ['*'], verbs: ['get'] }, 'post /anything', false],
  [{ nonResourceURLs: ['*'], verbs: ['*'] }, 'get pods a', false],
  [{ nonResourceURLs: ['/a/*/b'], verbs: ['get'] }, 'get /a/x/b', false],
];
for (const [rule, question, allowed] of rows) {
  test(`${describeRule(rule)} ${allowed ? 'allows' : 'does not allow'} ${question}`, () => {
    assert.equal(ruleAllows(rule, asked(question)), allowed);
  });
}

const verb = fc.constantFrom('get', 'list', 'create', '*');
const group = fc.constantFrom('', 'apps', '*');
const resource = fc.constantFrom('pods', 'services', 'pods/log', 'services/log', '*/log', '*/scale', '*');
const name = fc.constantFrom('a', 'b');
const url = fc.constantFrom('/a', '/a/*', '/a*', '/b', '*');
const some = <T>(each: fc.Arbitrary<T>) => fc.array(each, { minLength: 1, maxLength: 3 });
const resourceRule = fc.record({
  verbs: some(verb),
  apiGroups: some(group),
  resources: some(resource),
  resourceNames: fc.array(name, { maxLength: 2 }),
});
const urlRule = fc.record({ verbs: some(verb), nonResourceURLs: some(url) });
const anyRule: fc.Arbitrary<PolicyRule> = fc.oneof(resourceRule, urlRule);
const question: fc.Arbitrary<Attributes> = fc.oneof(
  fc.record({
    type: fc.constant('resource' as const),
    verb: fc.constantFrom('get', 'list', 'create', 'delete'),
    group: fc.constantFrom('', 'apps', 'batch'),
    version: fc.constant('v1'),
    resource: fc.constantFrom('pods', 'services'),
    subresource: fc.constantFrom('', 'log', 'scale', 'catalog'),
    namespace: fc.constantFrom('', 'ns'),
    name: fc.constantFrom('', 'a', 'b', 'c'),
  }),
  fc.record({
    type: fc.constant('path' as const),
    verb: fc.constantFrom('get', 'create'),
    path: fc.constantFrom('/a', '/a/b', '/ab', '/b', '/c'),
  }),
);

/** The rule spelt out as all it could mean, as patterns over one text. */
function oracle(
  { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule,
  asked: Attributes,
) {
  const glob = (pattern: string) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
  const any = (patterns: readonly string[], text: string) => patterns.some((pattern) => glob(pattern).test(text));
  if (asked.type === 'path') return any(verbs, asked.verb) && any(nonResourceURLs, asked.path);
  const full = asked.resource + (asked.subresource && `/${asked.subresource}`);
  return (
    any(verbs, asked.verb) &&
    any(apiGroups, asked.group) &&
    any(resources, full) &&
    (resourceNames.length === 0 || resourceNames.includes(asked.name))
  );
}

test('rules mean what their patterns say', () => {
  fc.assert(
    fc.property(anyRule, question, (rule, each) => {
      assert.equal(ruleAllows(rule, each), oracle(rule, each));
    }),
    { numRuns: 2000 },
  );
});

test('what held rules cover they allow, and whatever else is told missing', () => {
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 3 }), anyRule, question, (held, wanted, each) => {
      const missing = missingRules(held, [wanted]);
      const isAllowed = (rules: readonly PolicyRule[]) => rules.some((rule) => ruleAllows(rule, each));
      // Nobody gains: what the wanted rule allows was allowed before, or is told.
      if (isAllowed([wanted])) assert.ok(isAllowed(held) || isAllowed(missing), JSON.stringify({ missing }));
      assert.deepEqual(missingRules([...held, ...missing], [wanted]), []);
    }),
    { numRuns: 2000 },
  );
});
