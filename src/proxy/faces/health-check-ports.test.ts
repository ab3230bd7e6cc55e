import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { describe, it } from 'node:test';
import type { EndpointSlice, Service } from '../../api/types.ts';
import { FakeClock } from '../../lib/clock.ts';
import type { Family } from '../../lib/ip.ts';
import { silentLog } from '../../lib/log.ts';
import { HealthCheckPorts } from './health-check-ports.ts';
import { serve } from './http-server.ts';
import { Planner } from '../plan/planner.ts';
import { defaultPlanOptions, type PlanNode } from '../plan/types.ts';

const node: PlanNode = { name: 'node01', ips: ['172.30.0.11'], labels: {} };

const service = (port: number, name = 'web'): Service =>
  ({
    metadata: { name, namespace: 'shop' },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      clusterIP: '10.96.0.5',
      healthCheckNodePort: port,
      ports: [
        { name: 'http', port: 80, nodePort: 30080 },
        { name: 'https', port: 443, nodePort: 30443 },
      ],
    },
  }) as unknown as Service;

interface Where {
  readonly ip: string;
  readonly nodeName: string;
  readonly ready?: boolean;
}

const slice = (wheres: readonly Where[], name = 'web'): EndpointSlice =>
  ({
    metadata: { name: `${name}-x`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: ['http', 'https'].map((port) => ({ name: port, port: 8080, protocol: 'TCP' })),
    endpoints: wheres.map(({ ip, nodeName, ready = true }) => {
      return { addresses: [ip], nodeName, conditions: { ready, serving: true, terminating: !ready } };
    }),
  }) as EndpointSlice;

/** A port nobody has, as the kernel names it. */
async function freePort(): Promise<number> {
  const server = await serve('127.0.0.1:0', () => ({ status: 200, type: 'text/plain', body: '' }));
  server.close();
  return server.port;
}

function start({ addresses = ['127.0.0.1'] as 'all' | readonly string[], family = 'IPv4' as Family } = {}) {
  const planner = new Planner(node, { ...defaultPlanOptions, family });
  const clock = new FakeClock();
  const failures: string[] = [];
  const waiting: (() => void)[] = [];
  const state = { healthy: true };
  const ports = new HealthCheckPorts({
    family,
    addresses,
    isHealthy: () => state.healthy,
    onBindFailure: (namespace, name, message) => {
      failures.push(`${namespace}/${name}: ${message}`);
      for (const wake of waiting.splice(0)) wake();
    },
    log: silentLog,
    clock,
  });
  const plan = () => {
    ports.follow(planner.update());
  };
  const sync = () => {
    plan();
    ports.apply();
  };
  const nextFailure = () => new Promise<void>((resolve) => waiting.push(resolve));
  return { planner, ports, clock, failures, state, plan, sync, nextFailure };
}

interface Asked {
  readonly status: number;
  readonly weight: string | null;
  readonly body: { readonly localEndpoints: number; readonly serviceProxyHealthy: boolean; readonly service: object };
}

/** Asks until somebody listens. */
async function ask(port: number, host = '127.0.0.1'): Promise<Asked> {
  for (;;) {
    const answer = await fetch(`http://${host}:${String(port)}/healthz`).catch(() => undefined);
    if (answer === undefined) continue;
    const body = (await answer.json()) as Asked['body'];
    return { status: answer.status, weight: answer.headers.get('x-load-balancing-endpoint-weight'), body };
  }
}

/** Asks until nobody listens. */
async function untilClosed(port: number): Promise<void> {
  while (await fetch(`http://127.0.0.1:${String(port)}/`).then(() => true, () => false)); // prettier-ignore
}

describe('healthCheckNodePort', () => {
  it('counts distinct ready endpoint IPs of this node over all ports', async () => {
    const { planner, ports, sync } = start();
    const port = await freePort();
    planner.setService(service(port));
    planner.setSlice(
      slice([
        { ip: '10.244.1.1', nodeName: 'node01' },
        { ip: '10.244.1.2', nodeName: 'node01' },
        { ip: '10.244.1.3', nodeName: 'node01', ready: false },
        { ip: '10.244.2.1', nodeName: 'node02' },
      ]),
    );
    sync();
    const { status, weight, body } = await ask(port);
    assert.deepEqual([status, weight], [200, '2']);
    assert.deepEqual(body, {
      service: { namespace: 'shop', name: 'web' },
      localEndpoints: 2,
      serviceProxyHealthy: true,
    });
    ports.stop();
    await untilClosed(port);
  });

  it('is 503 without a local endpoint, and while the proxy is ill though endpoints are there', async () => {
    const { planner, ports, state, sync } = start();
    const port = await freePort();
    planner.setService(service(port));
    sync();
    assert.equal((await ask(port)).status, 503);
    planner.setSlice(slice([{ ip: '10.244.1.1', nodeName: 'node01' }]));
    sync();
    assert.equal((await ask(port)).status, 200);
    state.healthy = false;
    const { status, body } = await ask(port);
    assert.equal(status, 503);
    assert.equal(body.serviceProxyHealthy, false);
    ports.stop();
  });

  it('does not say yes before the rules are in force, and says no at once', async () => {
    const { planner, ports, plan, sync } = start();
    const port = await freePort();
    planner.setService(service(port));
    sync();
    planner.setSlice(slice([{ ip: '10.244.1.1', nodeName: 'node01' }]));
    plan();
    assert.equal((await ask(port)).status, 503);
    ports.apply();
    assert.equal((await ask(port)).status, 200);
    planner.setSlice(slice([]));
    plan();
    assert.equal((await ask(port)).status, 503);
    ports.stop();
  });

  it('follows a port that changes, and closes it when the Service goes', async () => {
    const { planner, ports, sync } = start();
    const [first, second] = [await freePort(), await freePort()];
    planner.setService(service(first));
    sync();
    await ask(first);
    planner.setService(service(second));
    sync();
    await ask(second);
    await untilClosed(first);
    planner.deleteService(service(second));
    sync();
    await untilClosed(second);
    ports.stop();
  });

  it('a port that is taken is told once, and had as soon as it is free', async () => {
    const { planner, ports, clock, failures, sync, nextFailure } = start();
    const other = await serve('127.0.0.1:0', () => ({ status: 200, type: 'text/plain', body: '"other"' }));
    planner.setService(service(other.port));
    const failed = nextFailure();
    sync();
    await failed;
    assert.match(failures.join(), /^shop\/web: healthCheckNodePort \d+ cannot be listened on: .*EADDRINUSE/);
    other.close();
    clock.advance(5000);
    assert.equal((await ask(other.port)).status, 503);
    assert.equal(failures.length, 1);
    ports.stop();
  });

  it('two Services that want one port do not hinder each other when the first goes', async () => {
    const { planner, ports, clock, failures, sync, nextFailure } = start();
    const port = await freePort();
    planner.setService(service(port, 'a'));
    sync();
    await ask(port);
    planner.setService(service(port, 'b'));
    const failed = nextFailure();
    sync();
    await failed;
    assert.match(failures.join(), /^shop\/b:/);
    planner.deleteService(service(port, 'a'));
    sync();
    clock.advance(5000);
    assert.deepEqual((await ask(port)).body.service, { namespace: 'shop', name: 'b' });
    ports.stop();
  });

  const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
  it(
    'both families have a count of their own on one port',
    { skip: !hasIPv6 && 'no ::1 on this machine' },
    async () => {
      const port = await freePort();
      const both = { clusterIPs: ['10.96.0.5', 'fd00:96::5'] };
      const dual = { ...service(port), spec: { ...service(port).spec, ...both } };
      const [v4, v6] = [start({ addresses: 'all' }), start({ addresses: 'all', family: 'IPv6' })];
      for (const one of [v4, v6]) one.planner.setService(dual);
      v6.planner.setSlice({ ...slice([{ ip: 'fd00:244::1', nodeName: 'node01' }]), addressType: 'IPv6' });
      for (const one of [v4, v6]) one.sync();
      assert.equal((await ask(port)).body.localEndpoints, 0);
      assert.equal((await ask(port, '[::1]')).body.localEndpoints, 1);
      assert.deepEqual([...v4.failures, ...v6.failures], []);
      for (const one of [v4, v6]) one.ports.stop();
    },
  );

  it('what anything may have changed is compared as a whole', async () => {
    const { planner, ports, sync } = start();
    const port = await freePort();
    planner.setService(service(port));
    planner.setSlice(slice([{ ip: '10.244.1.1', nodeName: 'node01' }]));
    sync();
    assert.equal((await ask(port)).status, 200);
    planner.setNode({ ...node, name: 'node02' }, defaultPlanOptions);
    sync();
    assert.equal((await ask(port)).status, 503);
    ports.stop();
  });
});
