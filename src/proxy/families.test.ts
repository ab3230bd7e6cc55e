import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../api/api-error.ts';
import { NODES, SERVICE_CIDRS, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, KubeObject, Node, Service } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeConntrack } from '../host/conntrack.ts';
import { HostError } from '../host/exec.ts';
import { FakeSysctl } from '../host/sysctl.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog, type Log } from '../lib/log.ts';
import type { Backend, SyncResult } from './backend.ts';
import { FamilyProxy } from './family-proxy.ts';
import { FlowKeeper } from './flows/flow-keeper.ts';
import type { ProxyHost, ProxyOptions } from './options.ts';
import { defaultPlanOptions, type Plan, type PlanUpdate } from './plan/types.ts';
import { runProxy } from './run.ts';

/** Takes every Plan; `until` waits for one. */
class PlanBackend implements Backend {
  /** Thrown by `sync` while it is there. */
  failure: Error | undefined;
  isWhole = true;
  syncs = 0;
  isStopped = false;
  plan: Plan | undefined;
  readonly updates: PlanUpdate[] = [];
  #waiting: (() => void)[] = [];

  async sync(update: PlanUpdate): Promise<SyncResult> {
    this.syncs++;
    await Promise.resolve();
    if (!this.failure) {
      this.plan = update.plan;
      this.updates.push(update);
    }
    for (const wake of this.#waiting.splice(0)) wake();
    if (this.failure) throw this.failure;
    return { kind: update.changed ? 'partial' : 'full', changes: 1, refused: [] };
  }
  distrust(): void {
    this.isWhole = true;
  }
  async untilSyncs(count: number): Promise<void> {
    while (this.syncs < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
  isIntact(): Promise<boolean> {
    return Promise.resolve(this.isWhole);
  }
  stop(): Promise<void> {
    this.isStopped = true;
    return Promise.resolve();
  }
  async until(test: (plan: Plan) => boolean): Promise<void> {
    while (!this.plan || !test(this.plan)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

const service = (name: string, ...clusterIPs: string[]): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { clusterIP: clusterIPs[0] ?? '', clusterIPs, ports: [{ port: 80, protocol: 'TCP' }] },
});
const slice = (name: string, nodeName: string): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [{ port: 9376, protocol: 'TCP' }],
  endpoints: [{ addresses: ['10.244.1.1'], nodeName }],
});
const node = (labels: Record<string, string>, podCIDR?: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node01', labels },
  spec: { ...(podCIDR !== undefined && { podCIDR, podCIDRs: [podCIDR] }) },
});
const names = (plan: Plan) => plan.servicePorts.map((one) => one.service);
const refused = new HostError(['ip6tables-restore'], 'exit code 3', 3, 'no such table');

/** Time passes only here, as soon as all that is ready has run. */
async function advanceUntil(clock: FakeClock, test: () => boolean): Promise<void> {
  while (!test()) {
    await new Promise(setImmediate);
    clock.advance(10);
  }
}

/** Counts lines by their text. */
function countingLog(): { log: Log; lines: Map<string, number> } {
  const lines = new Map<string, number>();
  const say = (_: unknown, text?: string) => {
    lines.set(text ?? '', (lines.get(text ?? '') ?? 0) + 1);
  };
  const log = {
    debug: () => undefined,
    info: say,
    warn: say,
    error: say,
    fatal: say,
    child: () => log,
  } as unknown as Log;
  return { log, lines };
}

function start(client: FakeClient, backend: ProxyHost['backend'], options: Partial<ProxyOptions> = {}) {
  return runProxy({
    client,
    nodeName: 'node01',
    nodeIps: ['172.30.0.11', 'fd00::11'],
    mode: 'iptables',
    healthzBindAddress: '',
    metricsBindAddress: '',
    log: silentLog,
    ...options,
    host: {
      conntrack: () => Promise.resolve(new FakeConntrack()),
      sysctl: new FakeSysctl({}),
      backend,
      ...options.host,
    },
  });
}

describe('a proxy of two families', () => {
  it('serves the primary one where the other cannot be opened, and opens that as soon as it can', async () => {
    const v4 = new PlanBackend();
    const v6 = new PlanBackend();
    let isMissing = true;
    const client = new FakeClient([service('web', '10.96.0.5', 'fd00:96::5')]);
    const proxy = start(client, ({ family }) => {
      if (family === 'IPv4') return Promise.resolve(v4);
      return isMissing ? Promise.reject(refused) : Promise.resolve(v6);
    });
    await proxy.synced;
    assert.deepEqual(v4.plan && names(v4.plan), ['web']);
    isMissing = false;
    await v6.until((plan) => names(plan).includes('web'));
    await proxy.stop();
    assert.ok(v4.isStopped && v6.isStopped);
  });

  it('writes changes of one while the other fails', async () => {
    const v4 = new PlanBackend();
    const v6 = new PlanBackend();
    const client = new FakeClient([service('web', '10.96.0.5')]);
    const proxy = start(client, ({ family }) => Promise.resolve(family === 'IPv4' ? v4 : v6));
    await proxy.synced;
    v6.failure = refused;
    for (let round = 0; round < 8; round++) {
      await client.create(SERVICES, service(`other-${String(round)}`, `10.96.0.${String(10 + round)}`));
      // in one pace with IPv6 the last of these would come after seconds of growing delays
      await v4.until((plan) => names(plan).includes(`other-${String(round)}`));
    }
    assert.ok(v6.syncs < 8);
    await proxy.stop();
  });
});

describe('a proxy that is being opened', () => {
  it('does not lose what it learns of its node meanwhile', async () => {
    const backend = new PlanBackend();
    const opening = Promise.withResolvers<Backend>();
    const asked = Promise.withResolvers<undefined>();
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', 'node01'), node({})]);
    const proxy = start(
      client,
      () => {
        asked.resolve(undefined);
        return opening.promise;
      },
      { nodeIps: ['172.30.0.11'] },
    );
    await asked.promise;
    client.seed(node({ 'topology.kubernetes.io/zone': 'a' }));
    await new Promise(setImmediate);
    opening.resolve(backend);
    await proxy.synced;
    await backend.until((plan) => plan.node.labels['topology.kubernetes.io/zone'] === 'a');
    await proxy.stop();
  });

  it('lets go of what opens after it was stopped, and of what opened only in part', async () => {
    const late = new PlanBackend();
    const opening = Promise.withResolvers<Backend>();
    const asked = Promise.withResolvers<undefined>();
    const open = () => {
      asked.resolve(undefined);
      return opening.promise;
    };
    const proxy = start(new FakeClient(), open, { nodeIps: ['172.30.0.11'] });
    await asked.promise;
    const stopping = proxy.stop();
    opening.resolve(late);
    await stopping;
    assert.ok(late.isStopped);
    assert.equal(late.syncs, 0);

    const half = new PlanBackend();
    const again = new PlanBackend();
    let attempts = 0;
    const host = {
      conntrack: () => (++attempts === 1 ? Promise.reject(refused) : Promise.resolve(new FakeConntrack())),
    };
    const second = start(new FakeClient(), () => Promise.resolve(attempts === 0 ? half : again), {
      nodeIps: ['172.30.0.11'],
      host,
    });
    await second.synced;
    assert.ok(half.isStopped);
    assert.equal(again.syncs, 1);
    await second.stop();
  });

  it('waits for the Pod ranges of its Node where Pods are told by them', async () => {
    const backend = new PlanBackend();
    const client = new FakeClient([service('web', '10.96.0.5'), node({})]);
    const clock = new FakeClock();
    const options = { nodeIps: ['172.30.0.11'], detectLocal: { mode: 'NodeCIDR' }, clock } as const;
    const proxy = start(client, () => Promise.resolve(backend), options);
    for (let second = 0; second < 60; second++) {
      await new Promise(setImmediate);
      clock.advance(1000);
    }
    assert.equal(backend.syncs, 0);
    client.seed(node({}, '10.244.1.0/24'));
    await advanceUntil(clock, () => backend.plan !== undefined);
    assert.deepEqual(backend.updates[0]?.plan.options.detectLocal, { by: 'clusterCIDR', cidr: '10.244.1.0/24' });
    await client.delete(NODES, 'node01');
    client.seed({ apiVersion: 'v1', kind: 'Service', ...service('other', '10.96.0.6') } as KubeObject);
    await advanceUntil(clock, () => backend.plan?.servicePorts.length === 2);
    assert.deepEqual(backend.plan?.options.detectLocal, { by: 'clusterCIDR', cidr: '10.244.1.0/24' });
    await proxy.stop();
  });

  it('asks again for ServiceCIDRs when the API server could not answer', async () => {
    const backend = new PlanBackend();
    const cidr = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } };
    const client = new FakeClient([
      service('web', '10.96.0.5'),
      node({}),
      { ...cidr, spec: { cidrs: ['10.96.0.0/16'] } } as KubeObject,
    ]);
    client.failNext('list', new ApiError({ code: 503, reason: 'ServiceUnavailable', message: 'later' }), SERVICE_CIDRS);
    const proxy = start(client, () => Promise.resolve(backend), { nodeIps: ['172.30.0.11'] });
    await backend.until((plan) => plan.options.serviceCIDRs.includes('10.96.0.0/16'));
    await proxy.stop();
  });
});

it('tells once of rules taken away while they cannot be written again', async () => {
  const backend = new PlanBackend();
  const { log, lines } = countingLog();
  const client = new FakeClient([service('web', '10.96.0.5')]);
  const options = { nodeIps: ['172.30.0.11'], flushCheckPeriod: 1, log };
  const proxy = start(client, () => Promise.resolve(backend), options);
  await proxy.synced;
  backend.failure = refused;
  backend.distrust = () => undefined;
  backend.isWhole = false;
  // three failures later many looks have found the same
  await backend.untilSyncs(backend.syncs + 4);
  assert.equal(lines.get('another program took our rules away; writing all of them again'), 1);
  assert.equal(lines.get('rules could not be written; will try again'), 1);
  await proxy.stop();
});

it('plans everything again when one that follows the Plan threw, so that no change is lost', async () => {
  const backend = new PlanBackend();
  let isBroken = true;
  const follower = {
    follow: () => {
      if (isBroken) throw new Error('a mistake of ours');
    },
  };
  const context = { node: { name: 'node01', ips: [], labels: {} }, options: defaultPlanOptions };
  const flows = new FlowKeeper(new FakeConntrack());
  const proxy = new FamilyProxy({ family: 'IPv4', context, backend, flows, followers: [follower] });
  isBroken = false;
  await proxy.sync();
  isBroken = true;
  proxy.setService(service('web', '10.96.0.5'), false);
  await assert.rejects(proxy.sync(), /a mistake of ours/);
  isBroken = false;
  await proxy.sync();
  const last = backend.updates.at(-1);
  assert.equal(last?.changed, undefined);
  assert.deepEqual(last && names(last.plan), ['web']);
});
