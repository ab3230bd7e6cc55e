import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PODS, SERVICES } from '../../api/kinds.ts';
import type { Core, Pod } from '../../api/types.ts';
import { admitTolerations } from './default-tolerations.ts';

const CASES: [what: string, own: Core.Toleration[], added: string[]][] = [
  ['a Pod that says nothing gets both', [], ['not-ready', 'unreachable']],
  [
    'one it names itself is left as it is',
    [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }],
    ['unreachable'],
  ],
  [
    'one without an effect speaks of all of them',
    [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists' }],
    ['not-ready'],
  ],
  [
    'one of another effect does not count',
    [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoSchedule' }],
    ['not-ready', 'unreachable'],
  ],
  ['a Pod that tolerates everything gets none', [{ operator: 'Exists' }], []],
];

for (const [what, own, added] of CASES) {
  test(what, () => {
    const pod: Pod = {
      metadata: { name: 'web' },
      spec: { containers: [], ...(own.length > 0 && { tolerations: structuredClone(own) }) },
    };
    admitTolerations(PODS, pod);
    const expected = added.map((key) => ({
      key: `node.kubernetes.io/${key}`,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    }));
    assert.deepEqual(pod.spec.tolerations ?? [], [...own, ...expected]);
    const once = structuredClone(pod);
    admitTolerations(PODS, pod);
    assert.deepEqual(pod, once, 'twice is once');
  });
}

test('other kinds and a Pod without a spec are left alone', () => {
  const service = { metadata: { name: 'web' } };
  admitTolerations(SERVICES, service);
  admitTolerations(PODS, service);
  assert.deepEqual(service, { metadata: { name: 'web' } });
});
