import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readReview, reviewVersion } from './review.ts';

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
const answer = (response: unknown, apiVersion = 'admission.k8s.io/v1') => ({
  apiVersion,
  kind: 'AdmissionReview',
  response,
});
const operations = [{ op: 'add', path: '/a', value: 1 }];

const UNFIT: [what: string, body: unknown, why: RegExp][] = [
  ['nothing', null, /^expected webhook response of admission.k8s.io\/v1, Kind=AdmissionReview, got , Kind=$/],
  ['the other version', answer({}, 'admission.k8s.io/v1beta1'), /got admission.k8s.io\/v1beta1, Kind=AdmissionReview$/],
  ['no response', answer(undefined), /^webhook response was absent$/],
  ['a list', answer([]), /^webhook response was absent$/],
  ['no uid', answer({ allowed: true }), /^expected response.uid="1", got ""$/],
  ['another uid', answer({ uid: '2' }), /^expected response.uid="1", got "2"$/],
  ['a patch of no type', answer({ uid: '1', patch: base64(operations) }), /response.patch but not response.patchType$/],
  ['a type of no patch', answer({ uid: '1', patchType: 'JSONPatch' }), /response.patchType but not response.patch$/],
  [
    'a patch of another type',
    answer({ uid: '1', patch: 'W10=', patchType: 'X' }),
    /invalid response.patchType of "X"$/,
  ],
  ['a patch that is no text', answer({ uid: '1', patch: operations, patchType: 'JSONPatch' }), /is not base64 text$/],
  [
    'a patch that is no JSON',
    answer({ uid: '1', patch: 'e3s=', patchType: 'JSONPatch' }),
    /is not a JSON patch in base64$/,
  ],
];
for (const [what, body, why] of UNFIT) {
  test(`an answer with ${what} cannot be used`, () => {
    assert.throws(
      () => readReview('v1', '1', body),
      (error: Error) => why.test(error.message),
    );
  });
}

test('an answer is read: allowed only if it says so in so many words', () => {
  const { patch, ...rest } = readReview(
    'v1',
    '1',
    answer({ uid: '1', allowed: true, patchType: 'JSONPatch', patch: base64(operations), warnings: ['w', 3] }),
  );
  assert.deepEqual([rest, patch], [{ allowed: true, status: undefined, warnings: ['w'] }, operations]);
  for (const allowed of [undefined, null, 'true', 1])
    assert.equal(readReview('v1', '1', answer({ uid: '1', allowed })).allowed, false);
});

test('webhooks of v1beta1 need not say what they answer', () => {
  const { allowed, patch } = readReview('v1beta1', '1', { response: { allowed: true, patch: base64(operations) } });
  assert.deepEqual([allowed, patch], [true, operations]);
  assert.equal(reviewVersion(['v2', 'v1beta1', 'v1']), 'v1beta1');
  assert.equal(reviewVersion(['v2']), undefined);
});

test('whatever comes back, it is an answer or an Error', () => {
  const field = fc.constantFrom(
    'apiVersion',
    'kind',
    'response',
    'uid',
    'allowed',
    'status',
    'patch',
    'patchType',
    'warnings',
  );
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('admission.k8s.io/v1', 'AdmissionReview', '1', true, 'JSONPatch', 'W10='),
  );
  const object = fc.dictionary(field, value);
  const body = fc.oneof(
    fc.jsonValue(),
    object,
    object.map((response) => answer(response)),
  );
  fc.assert(
    fc.property(body, (each) => {
      try {
        const { allowed, warnings } = readReview('v1', '1', each);
        assert.equal(typeof allowed, 'boolean');
        assert.ok(warnings.every((text) => typeof text === 'string'));
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof TypeError), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
