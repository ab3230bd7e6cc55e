/**
 * What a decision costs among many bindings and Pods: `node bench/authorization.ts`. One JSON line per question, microseconds per decision.
 * The floor is the decision about an administrator, who is above all rules.
 */
import { performance } from 'node:perf_hooks';
import { attributesOf } from '../src/apiserver/authorization/attributes.ts';
import { encodeStored } from '../src/apiserver/entry.ts';
import { keyOf } from '../src/apiserver/keys.ts';
import type { User } from '../src/apiserver/request.ts';
import { parsePath } from '../src/apiserver/routes.ts';
import { CLUSTER_ROLE_BINDINGS, PODS, ROLE_BINDINGS, type Kind } from '../src/api/kinds.ts';
import type { KubeObject } from '../src/api/types.ts';
import { createMemoryStore } from '../src/store/memory.ts';
import type { Operation } from '../src/store/store.ts';
import { startTestApi } from '../test/support/api.ts';
import { report } from './report.ts';

const NAMESPACES = 500;
const BINDINGS_EACH = 20;
const CLUSTER_BINDINGS = 2_000;
const PODS_OF_NODE = 110;
const DECISIONS = 20_000;
const ROUNDS = 10;

const apiGroup = 'rbac.authorization.k8s.io';
const store = createMemoryStore();
const put = (kind: Kind, object: KubeObject): Operation => ({
  type: 'put',
  key: keyOf(kind, object.metadata.namespace, object.metadata.name),
  value: encodeStored(kind, object),
});
const binding = (name: string, user: string, namespace?: string) =>
  ({
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'edit' },
    subjects: [{ apiGroup, kind: 'User', name: user }],
  }) as KubeObject;
const namespaces = Array.from({ length: NAMESPACES }, (_, index) => `ns-${String(index)}`);
for (const namespace of namespaces) {
  await store.commit(
    Array.from({ length: BINDINGS_EACH }, (_, index) =>
      put(ROLE_BINDINGS, binding(`b-${String(index)}`, `user-${String(index)}`, namespace)),
    ),
  );
}
await store.commit(
  Array.from({ length: CLUSTER_BINDINGS }, (_, index) =>
    put(CLUSTER_ROLE_BINDINGS, binding(`b-${String(index)}`, `someone-${String(index)}`)),
  ),
);
await store.commit(
  Array.from({ length: PODS_OF_NODE }, (_, index) => {
    const name = `pod-${String(index)}`;
    const volumes = [{ name: 'v', secret: { secretName: `secret-${String(index)}` } }];
    const spec = { nodeName: 'node01', containers: [{ name: 'c', image: 'i' }], volumes };
    return put(PODS, { metadata: { name, namespace: 'ns-0' }, spec } as KubeObject);
  }),
);
const began = performance.now();
const { server, stop } = await startTestApi({ store });
report({ figure: 'start with 12,000 bindings', unit: 'ms', samples: [performance.now() - began] });

const somebody = 'system:authenticated';
const questions: [title: string, user: User, path: string][] = [
  ['administrator', { name: 'admin', groups: ['system:masters', somebody] }, '/api/v1/namespaces/ns-7/pods'],
  ['one of 20 bindings of the namespace', { name: 'user-7', groups: [somebody] }, '/api/v1/namespaces/ns-7/pods'],
  ['nobody, refused', { name: 'nobody', groups: [somebody] }, '/api/v1/namespaces/ns-7/pods'],
  [
    'a node, a secret of its last Pod of 110',
    { name: 'system:node:node01', groups: ['system:nodes', somebody] },
    '/api/v1/namespaces/ns-0/secrets/secret-109',
  ],
];
for (const [title, user, path] of questions) {
  const query = new URLSearchParams();
  const asked = attributesOf(parsePath('GET', path, query, server.core.kinds), 'GET', query);
  for (let count = 0; count < 10_000; count++) server.authorizer.decide(user, asked);
  const samples = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let count = 0; count < DECISIONS; count++) server.authorizer.decide(user, asked);
    return ((performance.now() - start) / DECISIONS) * 1000;
  });
  report({ figure: `decision: ${title}`, unit: 'µs', samples });
}
await stop();
