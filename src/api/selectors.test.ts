import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './api-error.ts';
import { PODS, SERVICES } from './kinds.ts';
import { supportedFields } from './selectable-fields.ts';
import {
  formatLabelSelector,
  matchLabelMap,
  matchLabelSelector,
  parseFieldSelector,
  parseLabelSelector,
} from './selectors.ts';

const labels = { app: 'web', tier: 'front', replicas: '3', empty: '' };

const matching: [text: string, expected: boolean][] = [
  ['', true],
  ['app=web', true],
  ['app==web', true],
  ['app = web , tier=front', true],
  ['app=db', false],
  ['app!=db', true],
  ['missing!=x', true],
  ['app', true],
  ['missing', false],
  ['!missing', true],
  ['!app', false],
  ['app in (web, db)', true],
  ['app in (db)', false],
  ['app notin (db)', true],
  ['missing notin (db)', true],
  ['app notin (web)', false],
  ['replicas>2', true],
  ['replicas>3', false],
  ['replicas<4', true],
  ['app>2', false],
  ['empty=', true],
  ['empty in ()', true],
  ['empty in (,x)', true],
  ['in in (a)', false],
];
for (const [text, expected] of matching) {
  test(`the label selector "${text}" ${expected ? 'matches' : 'does not match'}`, () => {
    assert.equal(parseLabelSelector(text).matches(labels), expected);
  });
}

const refused: [text: string, message: RegExp][] = [
  ['=web', /^found '=', expected: !, identifier, or 'end of string'$/],
  ['app=web!', /^found '!', expected: ',' or 'end of string'$/],
  ['app=web,', /^found '', expected: identifier after ','$/],
  ['app in', /^unable to parse requirement: found '' expected: '\('$/],
  ['app in (a', /^unable to parse requirement: found '', expected: ',', '\)' or identifier$/],
  ['app web', /^unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt$/],
  ['app=$', /^unable to parse requirement: values\[0\]\[app\]: Invalid value: "\$": a valid label must be /],
  ['a/b/c=d', /^unable to parse requirement: key: Invalid value: "a\/b\/c": a qualified name must consist of /],
  ['replicas>x', /the value must be an integer$/],
];
for (const [text, message] of refused) {
  test(`the label selector "${text}" is refused`, () => {
    assert.throws(
      () => parseLabelSelector(text),
      (error: unknown) => {
        assert(error instanceof ApiError);
        assert.equal(error.code, 400);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test('a label that every object inherits is not a label', () => {
  assert.equal(parseLabelSelector('constructor').matches({}), false);
});

test('a label map matches when all pairs are there, and never when it is empty', () => {
  assert.equal(matchLabelMap({ app: 'web' }, labels), true);
  assert.equal(matchLabelMap({ app: 'web', other: 'x' }, labels), false);
  assert.equal(matchLabelMap({}, labels), false);
  assert.equal(matchLabelMap(undefined, labels), false);
});

test('an absent metav1 selector matches nothing, an empty one everything', () => {
  assert.equal(matchLabelSelector(undefined, labels), false);
  assert.equal(matchLabelSelector({}, labels), true);
  assert.equal(
    matchLabelSelector({ matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] }, labels),
    true,
  );
  assert.equal(matchLabelSelector({ matchExpressions: [{ key: 'app', operator: 'Bogus' }] }, labels), false);
});

test('a metav1 selector is written as text, sorted by key', () => {
  const selector = {
    matchLabels: { b: '2', a: '1' },
    matchExpressions: [
      { key: 'c', operator: 'NotIn', values: ['y', 'x'] },
      { key: 'd', operator: 'DoesNotExist' },
    ],
  };
  assert.equal(formatLabelSelector(selector), 'a=1,b=2,c notin (x,y),!d');
});

test('field selectors compare and escape', () => {
  const fields = { 'metadata.name': 'a,b', 'status.phase': 'Running' };
  assert.equal(parseFieldSelector('metadata.name=a\\,b').matches(fields), true);
  assert.equal(parseFieldSelector('status.phase!=Running').matches(fields), false);
  assert.equal(parseFieldSelector('status.phase==Running,metadata.name!=x').matches(fields), true);
  assert.equal(parseFieldSelector('spec.nodeName=').matches(fields), true);
});

test('a field that the kind does not declare is refused', () => {
  assert.throws(
    () => parseFieldSelector('spec.foo=x', supportedFields(PODS)),
    /^Error: field label not supported: spec.foo|field label not supported: spec.foo/,
  );
  assert.doesNotThrow(() => parseFieldSelector('spec.clusterIP!=None', supportedFields(SERVICES)));
  assert.throws(
    () => parseFieldSelector('x=y', ['metadata.name', 'metadata.namespace']),
    /"x" is not a known field selector: only "metadata.name", "metadata.namespace"/,
  );
  assert.throws(() => parseFieldSelector('nonsense'), /invalid selector: 'nonsense'; can't understand 'nonsense'/);
});
