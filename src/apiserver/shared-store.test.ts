/** Several API servers on one etcd: what one acknowledges the other shows, and nothing is given away twice. */
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { startTestApi, type TestApi } from '../../test/support/api.ts';
import { EtcdCluster } from '../../test/support/etcd.ts';
import { openEtcdStore } from '../store/etcd/etcd.ts';
import { put } from '../store/contract.ts';

let etcd: EtcdCluster;
before(async () => {
  etcd = await EtcdCluster.start();
});
after(() => etcd.remove());

const MAPS = '/api/v1/namespaces/default/configmaps';
const SERVICES = '/api/v1/namespaces/default/services';
const configMap = (name: string, value = '') => ({ metadata: { name }, data: { value } });

let prefixes = 0;
async function startTwo(context: TestContext, overrides: object = {}): Promise<[TestApi, TestApi]> {
  const prefix = `/two-${String((prefixes += 1))}`;
  const start = async () => {
    const api = await startTestApi({
      store: await openEtcdStore({ endpoints: etcd.endpoints, prefix }),
      ...overrides,
    });
    context.after(() => api.stop());
    return api;
  };
  // Both at once: each makes the objects every cluster has.
  return await Promise.all([start(), start()]);
}

test('what one server has acknowledged the other shows at once: lists, gets, and no more after a delete', async (context) => {
  const [one, two] = await startTwo(context);
  for (let at = 0; at < 50; at += 1) {
    const name = `m${String(at)}`;
    assert.equal((await one.request('POST', MAPS, { body: configMap(name) })).status, 201);
    assert.equal((await two.request('GET', `${MAPS}/${name}`)).status, 200);
    const { json } = await two.request('GET', MAPS);
    assert.ok(json.items.some((item: { metadata: { name: string } }) => item.metadata.name === name));
    assert.equal((await two.request('DELETE', `${MAPS}/${name}`)).status, 200);
    assert.equal((await one.request('GET', `${MAPS}/${name}`)).status, 404);
  }
});

test('a resourceVersion of one server means the same to the other', async (context) => {
  const [one, two] = await startTwo(context);
  const { json: list } = await one.request('GET', MAPS);
  const at = list.metadata.resourceVersion as string;
  const exact = await two.request('GET', MAPS, { query: { resourceVersion: at, resourceVersionMatch: 'Exact' } });
  assert.equal(exact.status, 200, exact.text);
  const { json: made } = await one.request('POST', MAPS, { body: configMap('seen') });
  const version = made.metadata.resourceVersion as string;
  const notOlder = await two.request('GET', MAPS, {
    query: { resourceVersion: version, resourceVersionMatch: 'NotOlderThan' },
  });
  assert.ok(notOlder.json.items.some((item: { metadata: { name: string } }) => item.metadata.name === 'seen'));
});

test('an update that would change nothing is still refused when its resourceVersion is of the past', async (context) => {
  const [one, two] = await startTwo(context);
  const { json: first } = await one.request('POST', MAPS, { body: configMap('cas', 'a') });
  await two.request('GET', `${MAPS}/cas`);
  for (let at = 0; at < 20; at += 1) {
    const { json: now } = await one.request('GET', `${MAPS}/cas`);
    const changed = await one.request('PUT', `${MAPS}/cas`, { body: { ...now, data: { value: String(at) } } });
    assert.equal(changed.status, 200);
    const stale = await two.request('PUT', `${MAPS}/cas`, { body: first });
    assert.equal(stale.status, 409, 'the content equals what a stale cache may hold');
  }
});

test('two servers asked at once never give one cluster IP or node port to two Services', async (context) => {
  // Few of each, so that they are sure to want the same.
  const [one, two] = await startTwo(context, {
    serviceClusterIpRange: '10.96.0.0/26',
    serviceNodePortRange: '30000-30049',
  });
  const body = (name: string) => ({ metadata: { name }, spec: { type: 'NodePort', ports: [{ port: 80 }] } });
  const answers = await Promise.all(
    Array.from({ length: 48 }, (_, at) =>
      (at % 2 ? one : two).request('POST', SERVICES, { body: body(`s${String(at)}`) }),
    ),
  );
  const made = answers.filter(({ status }) => status === 201);
  const failures = answers.flatMap(({ status, text }) => (status === 201 ? [] : [text]));
  assert.ok(made.length >= 40, failures.join('\n'));
  const { json } = await one.request('GET', SERVICES);
  const items = json.items as { spec: { clusterIP: string; ports: { nodePort?: number }[] } }[];
  const ips = items.map(({ spec }) => spec.clusterIP);
  const ports = items.flatMap(({ spec }) => spec.ports.map(({ nodePort }) => nodePort ?? 0)).filter((port) => port > 0);
  assert.equal(new Set(ips).size, items.length);
  assert.equal(ports.length, made.length);
  assert.equal(new Set(ports).size, made.length);
});

test('the same node port asked for at both servers is given once, and again after its Service is gone', async (context) => {
  const [one, two] = await startTwo(context);
  const body = (name: string) => ({
    metadata: { name },
    spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30123 }] },
  });
  for (let round = 0; round < 10; round += 1) {
    const answers = await Promise.all([
      one.request('POST', SERVICES, { body: body('a') }),
      two.request('POST', SERVICES, { body: body('b') }),
    ]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 422]);
    const refused = answers.find(({ status }) => status === 422);
    assert.match(
      refused?.text ?? '',
      /spec.ports\[0\].nodePort: Invalid value: 30123: provided port is already allocated/,
    );
    const name = answers[0]?.status === 201 ? 'a' : 'b';
    // At the other server than the one that made it.
    const other = name === 'a' ? two : one;
    assert.equal((await other.request('DELETE', `${SERVICES}/${name}`)).status, 200);
  }
});

test('strangers who write to the same etcd hold no reader up', async (context) => {
  const [one, two] = await startTwo(context);
  const stranger = await openEtcdStore({ endpoints: etcd.endpoints, prefix: '/stranger' });
  context.after(() => stranger.close());
  for (let at = 0; at < 20; at += 1) {
    await stranger.commit([put('/a', String(at))]);
    await one.request('POST', MAPS, { body: configMap(`x${String(at)}`) });
    await stranger.commit([put('/a', String(at))]);
    assert.equal((await two.request('GET', `${MAPS}/x${String(at)}`)).status, 200);
  }
  const began = performance.now();
  for (let at = 0; at < 20; at += 1) {
    await stranger.commit([put('/a', String(at))]);
    assert.equal((await two.request('GET', MAPS)).json.items.length, 21, 'kube-root-ca.crt and 20');
  }
  // Who is held up waits for seconds, twenty times; a busy machine takes its time for forty commits as well.
  assert.ok(performance.now() - began < 10_000);
});
