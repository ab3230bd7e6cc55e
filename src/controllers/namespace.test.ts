import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_MAPS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS } from '../api/kinds.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeClock } from '../lib/clock.ts';
import { namespaceConditions, namespaceController } from './namespace.ts';
import { rootCaController, serviceAccountController } from './service-account.ts';
import { aNamespace, aPod, runFor, until } from './test-objects.ts';

const secret = (finalizers?: string[]) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'default', ...(finalizers && { finalizers }) },
});

test('a Namespace that is deleted is emptied of every kind and goes (8-083)', async (t) => {
  const client = new FakeClient([
    aNamespace(),
    aNamespace('other'),
    secret(),
    { ...secret(), metadata: { name: 's', namespace: 'other' } },
  ]);
  runFor(t, client, [namespaceController]);
  await client.delete(NAMESPACES, 'default');
  await until(client, NAMESPACES, (all) => all.length === 1);
  assert.deepEqual(
    client.all(SECRETS).map(({ metadata }) => metadata.namespace),
    ['other'],
  );
});

test('Pods go first, and the rest waits for them', async (t) => {
  const clock = new FakeClock(0);
  const client = new FakeClient([aNamespace(), secret(), aPod({ name: 'a', ip: '10.0.0.1' })], clock);
  const running = runFor(t, client, [namespaceController], clock);
  await running.started;
  await client.delete(NAMESPACES, 'default');
  await until(client, NAMESPACES, ([only]) => (only?.status?.conditions ?? []).length > 0);
  await running.idle();
  assert.equal(client.all(SECRETS).length, 1);
  assert.equal(client.all(NAMESPACES)[0]?.status?.phase, 'Terminating');
  await client.delete(PODS, 'a', 'default', { gracePeriodSeconds: 0 });
  clock.advance(100);
  await until(client, NAMESPACES, (all) => all.length === 0);
  assert.equal(client.all(SECRETS).length, 0);
});

test('the conditions say what remains and what holds it', () => {
  const remainders = [{ kind: PODS, count: 2, finalizers: { 'test/hold': 1 } }];
  const texts = namespaceConditions(remainders, 'now')
    .filter(({ status }) => status === 'True')
    .map(({ message }) => message);
  assert.deepEqual(texts, [
    'Some resources are remaining: pods has 2 resource instances',
    'Some content in the namespace has finalizers remaining: test/hold in 1 resource instances',
  ]);
});

test('every Namespace has its account, again after a deletion', async (t) => {
  const client = new FakeClient([aNamespace()]);
  runFor(t, client, [serviceAccountController]);
  await until(client, SERVICE_ACCOUNTS, (all) => all.length === 1);
  await client.delete(SERVICE_ACCOUNTS, 'default', 'default');
  await until(client, SERVICE_ACCOUNTS, (all) => all.length === 1);
  await client.create(NAMESPACES, aNamespace('new'));
  await until(client, SERVICE_ACCOUNTS, (all) => all.some(({ metadata }) => metadata.namespace === 'new'));
});

test('every Namespace has the CA certificate, whatever people do to it', async (t) => {
  const client = new FakeClient([aNamespace()]);
  runFor(t, client, [rootCaController('PEM')]);
  const name = 'kube-root-ca.crt';
  await until(client, CONFIG_MAPS, ([only]) => only?.data?.['ca.crt'] === 'PEM');
  await client.patch(CONFIG_MAPS, name, 'default', 'merge', { data: { 'ca.crt': 'forged' } });
  await until(client, CONFIG_MAPS, ([only]) => only?.data?.['ca.crt'] === 'PEM');
  await client.delete(CONFIG_MAPS, name, 'default');
  await until(client, CONFIG_MAPS, ([only]) => only?.data?.['ca.crt'] === 'PEM');
});
