import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEASES, NODES } from '../api/kinds.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeCri } from '../host/cri/fake-cri.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { LEASE_NAMESPACE, NodeKeeper } from './node.ts';

const machine = {
  ...{ cpus: 2, memoryBytes: 2 ** 30, storageBytes: 2 ** 31, kernelVersion: '6.18.0', osImage: 'Debian' },
  ...{ architecture: 'amd64', machineId: 'm', bootId: 'b' },
};

function surroundings() {
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const client = new FakeClient([], clock);
  const cri = new FakeCri(clock);
  let problem: string | undefined = 'no pod CIDR yet';
  const keeper = () =>
    new NodeKeeper({
      ...{ client, cri, clock, log: silentLog, networkProblem: () => problem },
      facts: { name: 'node01', ips: ['172.30.0.11'], machine, runtimeVersion: 'containerd://1.6.20' },
    });
  const ready = () => client.all(NODES)[0]?.status?.conditions?.find(({ type }) => type === 'Ready');
  const lease = () => client.all(LEASES)[0]?.spec?.renewTime;
  const until = async (condition: () => boolean) => {
    for (const end = Date.now() + 5000; !condition(); await new Promise((resolve) => setImmediate(resolve)))
      assert.ok(Date.now() < end, JSON.stringify(client.all(NODES)));
  };
  return { clock, client, cri, keeper, ready, lease, until, setProblem: (text?: string) => (problem = text) };
}

test('a node registers, says why it is not ready, is ready as soon as it can be, and beats', async (t) => {
  const run = surroundings();
  const keeper = run.keeper();
  await keeper.register();
  keeper.start();
  t.after(() => {
    keeper.stop();
  });
  assert.equal(run.client.all(NODES)[0]?.metadata.labels?.['kubernetes.io/hostname'], 'node01');
  await run.until(() => run.ready()?.message === 'no pod CIDR yet');
  run.setProblem();
  await run.until(() => run.lease() !== undefined);
  run.clock.advance(50);
  await run.until(() => run.ready()?.status === 'True');
  assert.equal(run.client.all(LEASES)[0]?.metadata.namespace, LEASE_NAMESPACE);
  const first = run.lease();
  run.clock.advance(10_000);
  await run.until(() => run.lease() !== first);
  run.cri.networkReady = false;
  run.clock.advance(10_000);
  await run.until(() => run.ready()?.status === 'False');
  assert.match(run.ready()?.message ?? '', /^container runtime network not ready: NetworkReady=false/);
});

test('a kubelet that comes back does not make its ready node unready, unless it takes too long', async (t) => {
  const run = surroundings();
  run.setProblem();
  const first = run.keeper();
  await first.register();
  first.start();
  await run.until(() => run.ready()?.status === 'True');
  first.stop();

  run.setProblem('the sandbox image is not there yet');
  const second = run.keeper();
  await second.register();
  run.client.actions.length = 0;
  second.start();
  t.after(() => {
    second.stop();
  });
  await run.until(() => run.client.actions.some(({ kind }) => kind.plural === 'leases'));
  run.clock.advance(1000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(run.ready()?.status, 'True');
  run.clock.advance(20_000);
  await run.until(() => run.ready()?.status === 'False');
});

test('a Node that was given up while its kubelet could not be heard is Ready again at the next look', async (t) => {
  const run = surroundings();
  run.setProblem();
  const keeper = run.keeper();
  await keeper.register();
  keeper.start();
  t.after(() => {
    keeper.stop();
  });
  await run.until(() => run.ready()?.status === 'True');
  const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
  await run.client.patch(NODES, 'node01', undefined, 'merge', { status: { conditions } }, { subresource: 'status' });
  run.clock.advance(10_000);
  await run.until(() => run.ready()?.status === 'True');
});

test('a Node that somebody deleted comes back', async (t) => {
  const run = surroundings();
  const keeper = run.keeper();
  await keeper.register();
  keeper.start();
  t.after(() => {
    keeper.stop();
  });
  await run.until(() => run.ready() !== undefined);
  await run.client.delete(NODES, 'node01');
  run.setProblem();
  for (let turn = 0; turn < 4; turn += 1) {
    run.clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await run.until(() => run.ready()?.status === 'True');
});
