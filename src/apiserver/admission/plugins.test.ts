/** LimitRanges, priorities and the default class of Ingresses through real requests, one table per plugin. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestAnswer, type TestApi } from '../../../test/support/api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const post = (path: string, body: object, query = {}): Promise<TestAnswer> =>
  api.request('POST', path, { body, query });
let count = 0;

/** A namespace of its own, with one LimitRange. */
async function limited(limits: object[]): Promise<string> {
  const name = `limited-${String((count += 1))}`;
  await post('/api/v1/namespaces', { metadata: { name } });
  const made = await post(`/api/v1/namespaces/${name}/limitranges`, { metadata: { name: 'limits' }, spec: { limits } });
  assert.equal(made.status, 201, made.text);
  return `/api/v1/namespaces/${name}`;
}

const container = (resources: object, name = 'main') => ({ name, image: 'a', resources });
const pod = (...containers: object[]) => ({ metadata: { name: 'web' }, spec: { containers } });

const BOUNDS: [what: string, limits: object, containers: object[], message: string | undefined][] = [
  [
    'a request below the minimum',
    { type: 'Container', min: { cpu: '100m' } },
    [container({ requests: { cpu: '50m' } })],
    'minimum cpu usage per Container is 100m, but request is 50m',
  ],
  [
    'a limit above the maximum',
    { type: 'Container', max: { memory: '1Gi' } },
    [container({ limits: { memory: '2Gi' }, requests: { memory: '1Mi' } })],
    'maximum memory usage per Container is 1Gi, but limit is 2Gi',
  ],
  [
    'too wide a ratio',
    { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
    [container({ limits: { cpu: '1' }, requests: { cpu: '250m' } })],
    'cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000',
  ],
  [
    'no request for a ratio',
    { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
    [container({})],
    'cpu max limit to request ratio per Container is 2, but no request is specified or request is 0',
  ],
  [
    'two containers that are too much together',
    { type: 'Pod', max: { cpu: '1' } },
    [container({ limits: { cpu: '600m' } }), container({ limits: { cpu: '600m' } }, 'other')],
    'maximum cpu usage per Pod is 1, but limit is 1200m',
  ],
  [
    'a Pod without the limit that is bounded',
    { type: 'Pod', max: { cpu: '1' } },
    [container({})],
    'maximum cpu usage per Pod is 1.  No limit is specified',
  ],
  [
    'a Pod without the request that is bounded',
    { type: 'Pod', min: { cpu: '1' } },
    [container({})],
    'minimum cpu usage per Pod is 1.  No request is specified',
  ],
  [
    'two faults at once',
    { type: 'Container', min: { cpu: '100m', memory: '1Mi' }, default: { cpu: '1', memory: '1Gi' } },
    [container({ requests: { cpu: '1m', memory: '1' } })],
    '[minimum cpu usage per Container is 100m, but request is 1m, minimum memory usage per Container is 1Mi, but request is 1]',
  ],
  [
    'what is within',
    { type: 'Container', min: { cpu: '100m' }, max: { cpu: '1' } },
    [container({ limits: { cpu: '500m' } })],
    undefined,
  ],
];
for (const [what, limits, containers, message] of BOUNDS) {
  test(`LimitRange: ${what}`, async () => {
    const answer = await post(`${await limited([limits])}/pods`, pod(...containers));
    assert.equal(answer.status, message === undefined ? 201 : 403, answer.text);
    if (message !== undefined) assert.equal(answer.json.message, `pods "web" is forbidden: ${message}`);
  });
}

test('LimitRange: containers that say nothing get the defaults, and the Pod says so', async () => {
  const at = await limited([
    { type: 'Container', default: { cpu: '1' }, defaultRequest: { memory: '64Mi' }, max: { memory: '1Gi' } },
  ]);
  const own = { limits: { cpu: '2' } };
  const { json } = await post(`${at}/pods`, pod(container({}), container(own, 'other')));
  const [first, second] = json.spec.containers;
  assert.deepEqual(first.resources, { requests: { cpu: '1', memory: '64Mi' }, limits: { cpu: '1', memory: '1Gi' } });
  assert.deepEqual(second.resources, { requests: { cpu: '2', memory: '64Mi' }, limits: { cpu: '2', memory: '1Gi' } });
  assert.equal(
    json.metadata.annotations['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu, memory request for container main; cpu, memory limit for container main; memory request for container other; memory limit for container other',
  );
});

test('LimitRange: a claim is held to its bounds', async () => {
  const at = await limited([{ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } }]);
  const claim = (storage: string) => ({
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
  });
  const small = await post(`${at}/persistentvolumeclaims`, claim('1Mi'));
  assert.equal(
    small.json.message,
    'persistentvolumeclaims "data" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi',
  );
  const large = await post(`${at}/persistentvolumeclaims`, claim('3Gi'));
  assert.match(large.json.message, /maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi/);
  assert.equal((await post(`${at}/persistentvolumeclaims`, claim('1Gi'))).status, 201);
});

const UNFIT: [limits: object, message: string][] = [
  [{ type: 'Node' }, 'spec.limits[0].type: Invalid value: "Node": must be a standard limit type or fully qualified'],
  [
    { type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } },
    'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
  ],
  [
    { type: 'Container', max: { pods: '1' } },
    'spec.limits[0].max[pods]: Invalid value: "pods": must be a standard resource for containers',
  ],
  [
    { type: 'Pod', default: { cpu: '1' } },
    "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
  ],
  [
    { type: 'PersistentVolumeClaim' },
    'spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
  ],
  [
    { type: 'Pod', maxLimitRequestRatio: { cpu: '500m' } },
    'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1',
  ],
];
for (const [limits, message] of UNFIT) {
  test(`a LimitRange is refused: ${message.slice(0, 60)}`, async () => {
    const answer = await post('/api/v1/namespaces/default/limitranges', {
      metadata: { name: 'x' },
      spec: { limits: [limits] },
    });
    assert.equal(answer.status, 422, answer.text);
    assert.ok(answer.json.message.includes(message), answer.json.message);
  });
}

const CLASSES = '/apis/scheduling.k8s.io/v1/priorityclasses';
const PODS = '/api/v1/namespaces/default/pods';
const withPriority = (spec: object) => ({
  metadata: { generateName: 'p-' },
  spec: { containers: [{ name: 'a', image: 'a' }], ...spec },
});
const PRIORITIES: [what: string, spec: object, expected: [string | undefined, number, string] | string][] = [
  ['none named', {}, [undefined, 0, 'PreemptLowerPriority']],
  ['one named', { priorityClassName: 'high' }, ['high', 1000, 'Never']],
  [
    'a class of the system',
    { priorityClassName: 'system-node-critical' },
    ['system-node-critical', 2000001000, 'PreemptLowerPriority'],
  ],
  ['the right number too', { priorityClassName: 'high', priority: 1000 }, ['high', 1000, 'Never']],
  ['none of that name', { priorityClassName: 'none' }, 'no PriorityClass with name none was found'],
  [
    'a number of its own',
    { priority: 7 },
    'the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
  ],
  [
    'a policy of its own',
    { priorityClassName: 'high', preemptionPolicy: 'PreemptLowerPriority' },
    'the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in pod spec; priority admission controller computed Never from the given PriorityClass name',
  ],
];
test('priorities: what a Pod gets for each class', async () => {
  await post(CLASSES, { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' });
  for (const [what, spec, expected] of PRIORITIES) {
    const { status, json } = await post(PODS, withPriority(spec));
    if (typeof expected === 'string')
      assert.ok(status === 403 && json.message.includes(expected), `${what}: ${json.message}`);
    else
      assert.deepEqual([json.spec.priorityClassName, json.spec.priority, json.spec.preemptionPolicy], expected, what);
  }
});

test('priorities: one class may be the default, and Pods that name none get it', async () => {
  assert.equal((await post(CLASSES, { metadata: { name: 'usual' }, value: 5, globalDefault: true })).status, 201);
  const second = await post(CLASSES, { metadata: { name: 'other' }, value: 6, globalDefault: true });
  assert.equal(
    second.json.message,
    'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
  );
  const made = await post(PODS, withPriority({}));
  assert.deepEqual([made.json.spec.priorityClassName, made.json.spec.priority], ['usual', 5]);
  const { priority: _priority, preemptionPolicy: _policy, ...spec } = made.json.spec;
  const again = await api.request('PUT', `${PODS}/${String(made.json.metadata.name)}`, {
    body: { ...made.json, spec },
  });
  assert.deepEqual([again.status, again.json.spec.priority], [200, 5], again.text);
  await api.request('DELETE', `${CLASSES}/usual`);
});

test('an Ingress that names no class gets the newest default one', async () => {
  const ingress = async (name: string, more: object = {}) => {
    const spec = { defaultBackend: { service: { name: 'a', port: { number: 80 } } }, ...more };
    return (await post('/apis/networking.k8s.io/v1/namespaces/default/ingresses', { metadata: { name }, spec })).json;
  };
  const ingressClass = (name: string) => {
    const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' };
    return post('/apis/networking.k8s.io/v1/ingressclasses', {
      metadata: { name, annotations },
      spec: { controller: 'a.b/c' },
    });
  };
  assert.equal((await ingress('early')).spec.ingressClassName, undefined);
  await ingressClass('zebra');
  assert.equal((await ingress('one')).spec.ingressClassName, 'zebra');
  assert.equal((await ingress('own', { ingressClassName: 'mine' })).spec.ingressClassName, 'mine');
  await ingressClass('ant');
  assert.ok(
    ['ant', 'zebra'].includes((await ingress('two')).spec.ingressClassName),
    'made in one second: the first by name',
  );
});
