import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EVENTS } from '../../api/kinds.ts';
import { createEventRecorder } from '../../client/events.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { silentLog } from '../../lib/log.ts';
import type { PlanProblem } from '../plan/types.ts';
import { ServiceEvents } from './service-events.ts';

const problem = (service: string, message = 'port 0 is not between 1 and 65535'): PlanProblem => {
  return { namespace: 'shop', service, message };
};

function start() {
  const client = new FakeClient();
  const events = new ServiceEvents(
    createEventRecorder(client, 'kube-proxy', 'node01'),
    silentLog,
    (_, name) => `uid-${name}`,
  );
  const written = async () => {
    await events.flush();
    return (await client.list(EVENTS)).items;
  };
  return { events, written };
}

it('a problem becomes one Warning on its Service, for as long as it lasts', async () => {
  const { events, written } = start();
  events.report([[problem('web')]]);
  events.report([[problem('web'), problem('web')]]);
  const [event, ...more] = await written();
  assert.deepEqual(more, []);
  assert.equal(event?.type, 'Warning');
  assert.equal(event.reason, 'FailedToProgramService');
  assert.equal(event.message, 'Left out of the rules: port 0 is not between 1 and 65535');
  assert.equal(event.source?.component, 'kube-proxy');
  assert.equal(event.metadata.namespace, 'shop');
  assert.deepEqual(
    { ...event.involvedObject },
    { apiVersion: 'v1', kind: 'Service', name: 'web', namespace: 'shop', uid: 'uid-web' },
  );
});

it('a problem that went and came back is told again', async () => {
  const { events, written } = start();
  events.report([[problem('web')]]);
  events.report([[]]);
  events.report([[problem('web')]]);
  const [event] = await written();
  assert.equal(event?.count, 2);
});

it('of very many problems some are told now and the others later', async () => {
  const { events, written } = start();
  const many = Array.from({ length: 150 }, (_, at) => problem(`web-${String(at)}`));
  events.report([many]);
  assert.equal((await written()).length, 100);
  events.report([many]);
  assert.equal((await written()).length, 150);
});
