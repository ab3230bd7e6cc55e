import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENDPOINTS, PODS, SERVICES } from '../api/kinds.ts';
import { conflict } from '../api/api-error.ts';
import type { Endpoints, Service } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { endpointsController, planEndpoints } from './endpoints.ts';
import { aPod, aService, runFor, until } from './test-objects.ts';
import { TriggerTimes } from './trigger-time.ts';

const TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
const one = aPod({ name: 'one', ip: '10.0.0.1' });

test('Endpoints carry the Service’s labels and say who manages them (2-018)', () => {
  const service = aService({}, { labels: { team: 'a', 'service.kubernetes.io/headless': 'x' } });
  assert.deepEqual(planEndpoints(service, [one], undefined, undefined)?.metadata, {
    name: 'web',
    namespace: 'default',
    labels: { team: 'a', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' },
  });
  const headless = planEndpoints(aService({ clusterIP: 'None' }), [one], undefined, undefined);
  assert.equal(headless?.metadata.labels?.['service.kubernetes.io/headless'], '');
});

test('Endpoints that are right are not written (2-025)', () => {
  const current = planEndpoints(aService(), [one], undefined, undefined);
  assert.ok(current);
  assert.equal(planEndpoints(aService(), [one], current, '2026-01-01T00:00:00Z'), undefined);
});

test('the trigger time is set, and goes with the next write that has none (2-024)', () => {
  const first = planEndpoints(aService(), [one], undefined, '2026-01-01T00:00:00Z');
  assert.equal(first?.metadata.annotations?.[TIME], '2026-01-01T00:00:00Z');
  const second = planEndpoints(aService(), [], first, undefined);
  assert.equal(second?.metadata.annotations, undefined);
});

test('more than 1000 addresses are cut and marked; the mark goes when they fit again (2-023)', () => {
  const pods = Array.from({ length: 1001 }, (_, n) =>
    aPod({ name: `p${String(n)}`, ip: `10.1.${String(n >> 8)}.${String(n & 255)}` }),
  );
  const cut = planEndpoints(aService(), pods, undefined, undefined);
  assert.equal(cut?.subsets?.[0]?.addresses?.length, 1000);
  assert.equal(cut.metadata.annotations?.['endpoints.kubernetes.io/over-capacity'], 'truncated');
  assert.equal(planEndpoints(aService(), pods.slice(0, 5), cut, undefined)?.metadata.annotations, undefined);
});

test('trigger times: the Service’s creation first, then the earliest change, and nothing when nothing is new', () => {
  const times = new TriggerTimes();
  const step = (...since: string[]) => {
    const news = times.observe(
      'k',
      aService(),
      since.map((readySince, n) => aPod({ name: `p${String(n)}`, readySince })),
    );
    news.commit();
    return news.time;
  };
  assert.equal(step('2026-01-01T00:00:10Z'), '2026-01-01T00:00:00Z');
  assert.equal(step('2026-01-01T00:00:10Z'), undefined);
  assert.equal(step('2026-01-01T00:00:30Z', '2026-01-01T00:00:20Z'), '2026-01-01T00:00:20Z');
});

test('a trigger time that was not written is still news', () => {
  const times = new TriggerTimes();
  times.observe('k', aService(), []);
  assert.equal(times.observe('k', aService(), []).time, '2026-01-01T00:00:00Z');
});

const ips = (endpoints: Endpoints | undefined) =>
  (endpoints?.subsets ?? []).flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip));

test('Endpoints follow the Pods and go with the Service (2-027)', async (t) => {
  const client = new FakeClient([aService(), one]);
  runFor(t, client, [endpointsController()]);
  await until(client, ENDPOINTS, ([only]) => ips(only).length === 1);
  await client.create(PODS, aPod({ name: 'two', ip: '10.0.0.2' }));
  await until(client, ENDPOINTS, ([only]) => ips(only).join() === '10.0.0.1,10.0.0.2');
  await client.delete(PODS, 'one', 'default', { gracePeriodSeconds: 0 });
  await until(client, ENDPOINTS, ([only]) => ips(only).join() === '10.0.0.2');
  await client.delete(SERVICES, 'web', 'default');
  await until(client, ENDPOINTS, (all) => all.length === 0);
});

test('a conflict is answered by another look, not by losing the change', async (t) => {
  const client = new FakeClient([aService()]);
  runFor(t, client, [endpointsController()]);
  await until(client, ENDPOINTS, (all) => all.length === 1);
  client.failNext('update', conflict(ENDPOINTS, 'web'), ENDPOINTS);
  await client.create(PODS, one);
  await until(client, ENDPOINTS, ([only]) => ips(only).length === 1);
});

test('Endpoints that somebody changed are put right', async (t) => {
  const client = new FakeClient([aService(), one]);
  runFor(t, client, [endpointsController()]);
  const [made] = await until(client, ENDPOINTS, ([only]) => ips(only).length === 1);
  await client.update(ENDPOINTS, { ...made!, subsets: [] });
  await until(client, ENDPOINTS, ([only]) => ips(only).length === 1);
});

const byHand = (name: string, annotations?: Record<string, string>): Endpoints => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name, namespace: 'default', ...(annotations && { annotations }) },
  subsets: [{ addresses: [{ ip: '10.9.9.9' }] }],
});

test('at the start leftovers without a Service go, locks and hand-made ones of a Service without selector stay (2-028, 2-001)', async (t) => {
  const { selector: _none, ...spec } = aService().spec;
  const bare: Service = { ...aService(), spec };
  const client = new FakeClient([
    byHand('leftover'),
    byHand('lock', { 'control-plane.alpha.kubernetes.io/leader': '{}' }),
    byHand('web'),
    bare,
  ]);
  const running = runFor(t, client, [endpointsController()]);
  await until(client, ENDPOINTS, (all) => all.length === 2);
  await running.idle();
  assert.deepEqual(
    client
      .all(ENDPOINTS)
      .map(({ metadata }) => metadata.name)
      .sort(),
    ['lock', 'web'],
  );
});

test('hand-made Endpoints may come before their Service', async (t) => {
  const client = new FakeClient([]);
  const running = runFor(t, client, [endpointsController()]);
  await running.started;
  await client.create(ENDPOINTS, byHand('mysql'));
  await client.create(SERVICES, aService());
  await until(client, ENDPOINTS, (all) => all.some(({ metadata }) => metadata.name === 'web'));
  assert.equal(
    client.actions.some(({ verb }) => verb === 'delete'),
    false,
  );
});
