import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startTestApi } from '../../../test/support/api.ts';
import { SERVICE_CIDRS } from '../../api/kinds.ts';
import { silentLog } from '../../lib/log.ts';
import { ClusterIps } from './cluster-ips.ts';
import { repair, type RepairTools } from './repair.ts';
import { parseCidr } from '../../lib/cidr.ts';

const IPS = '/apis/networking.k8s.io/v1/ipaddresses';
const CIDRS = '/apis/networking.k8s.io/v1/servicecidrs';

async function start(t: TestContext) {
  const api = await startTestApi();
  t.after(() => api.stop());
  // The server's own first look is over when it has put its finalizer on the range.
  for await (const { object } of api.client.watch(SERVICE_CIDRS)) if (object.metadata.finalizers) break;
  await new Promise(setImmediate);
  const { core } = api.server;
  const range = parseCidr('10.96.0.0/16');
  assert.ok(range);
  const told: string[] = [];
  const tools: RepairTools = {
    core: { ...core, log: silentLog },
    ips: new ClusterIps([range], { cache: core.cache, clock: core.clock, random: core.random, newUid: core.newUid }),
    portRange: { first: 30000, last: 32767 },
    events: { event: (_object, _type, reason) => told.push(reason) },
  };
  return { api, tools, told };
}

test('a claim somebody deleted is made again, and told (1-128)', async (t) => {
  const { api, tools, told } = await start(t);
  await api.request('DELETE', `${IPS}/10.96.0.1`);
  assert.equal((await api.request('GET', `${IPS}/10.96.0.1`)).status, 404);
  await repair(tools);
  const { json } = await api.request('GET', `${IPS}/10.96.0.1`);
  assert.equal(json.spec.parentRef.name, 'kubernetes');
  assert.deepEqual(told, ['ClusterIPNotAllocated']);
  await repair(tools);
  assert.equal(told.length, 1, 'once is enough');
});

test('a second range is usable at once, and is held while addresses are in it (1-110, 1-114, 1-115)', async (t) => {
  const { api, tools } = await start(t);
  const made = await api.request('POST', CIDRS, {
    body: { metadata: { name: 'more' }, spec: { cidrs: ['10.50.0.0/24'] } },
  });
  assert.equal(made.status, 201, made.text);
  const service = (name: string, clusterIP: string) =>
    api.request('POST', '/api/v1/namespaces/default/services', {
      body: { metadata: { name }, spec: { clusterIP, ports: [{ port: 80 }] } },
    });
  assert.equal((await service('early', '10.50.0.6')).status, 201, 'before anybody wrote a condition');
  await repair(tools);
  const ready = (await api.request('GET', `${CIDRS}/more`)).json;
  assert.deepEqual(
    [ready.status.conditions[0].status, ready.metadata.finalizers],
    ['True', ['networking.k8s.io/service-cidr-finalizer']],
  );
  assert.equal((await service('there', '10.50.0.7')).status, 201);
  assert.equal((await api.request('DELETE', `${CIDRS}/more`)).status, 202);
  await repair(tools);
  const blocked = (await api.request('GET', `${CIDRS}/more`)).json.status.conditions[0];
  assert.deepEqual([blocked.status, blocked.reason], ['False', 'Terminating']);
  assert.equal((await service('late', '10.50.0.8')).status, 422, 'a range that goes gives no more addresses');
});
