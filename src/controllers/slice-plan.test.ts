import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice } from '../api/types.ts';
import { planSlices, type Endpoint, type SliceFrame, type SliceGroup, type SlicePlan } from './slice-plan.ts';

const frame: SliceFrame = {
  addressTypes: ['IPv4'],
  placeholder: true,
  max: 3,
  generateName: 'web-',
  namespace: 'default',
  labels: { a: 'b' },
  ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name: 'web', uid: 'u1', controller: true }],
  keepHintsOfNotReady: false,
};
const http = { name: 'http', port: 80, protocol: 'TCP' };

const endpoint = (n: number, ready = true): Endpoint => ({ addresses: [`10.0.0.${String(n)}`], conditions: { ready } });
const group = (...members: (number | Endpoint)[]): SliceGroup => ({
  addressType: 'IPv4',
  ports: [http],
  endpoints: members.map((member) => (typeof member === 'number' ? endpoint(member) : member)),
});
function slice(name: string, members: (number | Endpoint)[], changes: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'default', labels: frame.labels, ownerReferences: frame.ownerReferences },
    addressType: 'IPv4',
    ports: [http],
    endpoints: group(...members).endpoints,
    ...changes,
  };
}

const numbers = (each: EndpointSlice) => each.endpoints.map(({ addresses }) => Number(addresses[0]?.split('.')[3]));
/** `+1,2` made, `s: 1,2` updated, `-s` removed. */
const draw = ({ create, update, remove }: SlicePlan) => [
  ...create.map((each) => `+${numbers(each).join()}`),
  ...update.map((each) => `${each.metadata.name}: ${numbers(each).join()}`),
  ...remove.map(({ metadata }) => `-${metadata.name}`),
];

const table: [string, EndpointSlice[], SliceGroup[], string[]][] = [
  ['endpoints go into new slices up to the limit', [], [group(1, 2, 3, 4)], ['+1,2,3', '+4']],
  ['what is right is not written', [slice('s', [1, 2])], [group(2, 1)], []],
  ['without endpoints there is one empty slice (2-056)', [], [], ['+']],
  ['the empty slice stays', [slice('s', [], { ports: [] })], [], []],
  ['the last slice becomes the empty one', [slice('s', [1]), slice('t', [2])], [], ['s: ', '-t']],
  ['the empty slice becomes the first one (2-055)', [slice('s', [], { ports: [] })], [group(1)], ['s: 1']],
  ['an endpoint that left is taken out in place', [slice('s', [1, 2]), slice('t', [3])], [group(1, 3)], ['s: 1']],
  ['a slice that ran empty goes (2-057)', [slice('s', [1, 2, 3]), slice('t', [4])], [group(1, 2, 3)], ['-t']],
  ['changed slices are filled first', [slice('s', [1, 2]), slice('t', [3, 4, 5])], [group(1, 3, 4, 5, 6)], ['s: 1,6']],
  [
    'the fullest changed slice is filled first',
    [slice('s', [1, 9]), slice('t', [2, 3, 8])],
    [group(1, 2, 3, 4)],
    ['s: 1', 't: 2,3,4'],
  ],
  [
    'what fits goes into one unchanged slice, the fullest',
    [slice('s', [1]), slice('t', [2, 3])],
    [group(1, 2, 3, 4)],
    ['t: 2,3,4'],
  ],
  [
    'what does not fit into one unchanged slice goes into a new one',
    [slice('s', [1, 2]), slice('t', [3, 4])],
    [group(1, 2, 3, 4, 5, 6)],
    ['+5,6'],
  ],
  ['slices are never rebalanced', [slice('s', [1]), slice('t', [2])], [group(1, 2)], []],
  [
    'other labels are put right (2-059)',
    [slice('s', [1], { metadata: { ...slice('s', []).metadata, labels: {} } })],
    [group(1)],
    ['s: 1'],
  ],
  [
    'other ports take over the slice (2-055)',
    [slice('s', [1], { ports: [{ ...http, port: 81 }] })],
    [group(1)],
    ['s: 1'],
  ],
  [
    'a family no longer wanted goes (2-048)',
    [slice('s', [1]), slice('six', [], { addressType: 'IPv6' })],
    [group(1)],
    ['-six'],
  ],
  [
    'a slice of an earlier Service of that name is not built upon (2-047)',
    [
      slice('s', [1], {
        metadata: { ...slice('s', []).metadata, ownerReferences: [{ ...frame.ownerReferences[0]!, uid: 'u0' }] },
      }),
    ],
    [group(1)],
    ['+1', '-s'],
  ],
  ['a condition that changed is written in place', [slice('s', [1, 2])], [group(1, endpoint(2, false))], ['s: 1,2']],
];
for (const [name, existing, groups, expected] of table) {
  test(`packing: ${name}`, () => {
    assert.deepEqual(draw(planSlices(existing, groups, frame)), expected);
  });
}

test('without a placeholder nothing is left of a mirror', () => {
  assert.deepEqual(draw(planSlices([slice('s', [1])], [], { ...frame, placeholder: false })), ['-s']);
});

test('an endpoint that is not ready keeps its hints where the Service asks for hints (2-066)', () => {
  const hinted = { ...endpoint(1, false), hints: { forZones: [{ name: 'a' }] } };
  const existing = [slice('s', [hinted])];
  assert.deepEqual(
    draw(planSlices(existing, [group(endpoint(1, false))], { ...frame, keepHintsOfNotReady: true })),
    [],
  );
  assert.deepEqual(draw(planSlices(existing, [group(endpoint(1, false))], frame)), ['s: 1']);
});

test('for any history of endpoints: all are there once, no slice is too full, unchanged slices are not written', () => {
  const members = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.boolean(), fc.constantFrom(80, 81)), {
    selector: ([n]) => n,
    maxLength: 40,
  });
  fc.assert(
    fc.property(fc.array(members, { minLength: 1, maxLength: 6 }), (steps) => {
      let slices: EndpointSlice[] = [];
      let serial = 0;
      for (const step of steps) {
        const groups = [80, 81].map((port) => ({
          addressType: 'IPv4' as const,
          ports: [{ ...http, port }],
          endpoints: step.filter(([, , own]) => own === port).map(([n, ready]) => endpoint(n, ready)),
        }));
        const plan = planSlices(slices, groups, frame);
        for (const updated of plan.update) {
          const before = slices.find(({ metadata }) => metadata.name === updated.metadata.name);
          assert.notDeepEqual(updated, before);
        }
        const touched = new Set([...plan.update, ...plan.remove].map(({ metadata }) => metadata.name));
        slices = [
          ...slices.filter(({ metadata }) => !touched.has(metadata.name)),
          ...plan.update,
          ...plan.create.map((made) => ({
            ...made,
            metadata: { ...made.metadata, name: `web-${String((serial += 1))}` },
          })),
        ];
        const flat = slices.flatMap((each) => each.endpoints.map((own) => JSON.stringify([each.ports, own])));
        const wanted = groups.flatMap((each) => each.endpoints.map((own) => JSON.stringify([each.ports, own])));
        assert.deepEqual(flat.sort(), wanted.sort());
        assert.ok(slices.every(({ endpoints }) => endpoints.length <= frame.max));
        assert.ok(slices.length === 1 || slices.every(({ endpoints }) => endpoints.length > 0));
        assert.deepEqual(draw(planSlices(slices, groups, frame)), [], 'a second look has nothing to do');
      }
    }),
  );
});
