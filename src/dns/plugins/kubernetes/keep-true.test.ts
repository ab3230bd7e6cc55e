import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SERVICES } from '../../../api/kinds.ts';
import type { KubeObject, Service } from '../../../api/types.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { startInformer } from '../../../client/informer.ts';
import { realClock } from '../../../lib/clock.ts';
import { fakeRuntime } from '../../fake-runtime.ts';
import { keepTrue } from './keep-true.ts';

const service = (name: string): Service => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' } },
  spec: { clusterIP: '10.96.0.7' },
});

/** While `isBroken`, lists of all namespaces are without the Services made since. */
class ForgetfulClient extends FakeClient {
  isBroken = true;
  override async list<T extends KubeObject>(...[kind, options]: Parameters<FakeClient['list']>) {
    const list = await super.list(kind, options);
    const isWhole = !this.isBroken || options?.fieldSelector !== undefined || options?.namespace !== undefined;
    return { ...list, items: list.items.filter(({ metadata }) => isWhole || metadata.name !== 'lost') as T[] };
  }
}

test('what comes of checks is counted, and an error that stays shows in health until it is gone', async () => {
  const runtime = fakeRuntime({ clock: realClock });
  const client = new ForgetfulClient([service('a')]);
  const informer = startInformer(client, SERVICES, {}, undefined, { backoff: { initial: 1, max: 1 } });
  await informer.synced;
  const timing = { period: 1, afterList: 1, grace: 2 };
  const stop = keepTrue(runtime, { client, kind: SERVICES, informer, selection: {}, timing });
  client.loseEvents(SERVICES);
  await client.create(SERVICES, service('lost'));
  while (runtime.ailments.size === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(
    [...runtime.ailments],
    [['watch of services', 'differs from the API, and listing again does not help']],
  );
  client.isBroken = false;
  while (runtime.ailments.size > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const text = runtime.metrics.render();
  assert.match(text, /^fairway_dns_self_checks_total\{kind="services",outcome="wrong"\} [1-9]/m);
  assert.match(text, /^fairway_dns_self_checks_total\{kind="services",outcome="healed"\} 1$/m);
  assert.match(text, /^fairway_dns_watch_last_event_age_seconds\{kind="services"\} [0-9.e-]+$/m);
  stop();
  assert.doesNotMatch(runtime.metrics.render(), /last_event_age_seconds\{/);
  informer.stop();
});
