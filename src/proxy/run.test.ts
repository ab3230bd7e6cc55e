import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENDPOINT_SLICES, EVENTS, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, Event, KubeObject, Service } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeConntrack } from '../host/conntrack.ts';
import { HostError } from '../host/exec.ts';
import { FakeIptables } from '../host/iptables-fake.ts';
import { FakeSysctl } from '../host/sysctl.ts';
import { silentLog } from '../lib/log.ts';
import { dryRun } from './dry-run.ts';
import { serve } from './faces/http-server.ts';
import { iptablesBackendOf } from './iptables/backend.ts';
import type { ProxyHost, ProxyOptions } from './options.ts';
import { runProxy } from './run.ts';

const service = (name: string, clusterIP: string): KubeObject & { spec: object } => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { clusterIP, ports: [{ port: 80, protocol: 'TCP' }] },
});
const slice = (name: string, ...ips: string[]): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
  ...{
    addressType: 'IPv4',
    ports: [{ port: 9376, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({ addresses: [ip] })),
  },
});

const labelled = (object: KubeObject, labels: Record<string, string>): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, labels },
});

/** Resolves when the rules satisfy `test`: woken by every write, never by time. */
class WatchedIptables extends FakeIptables {
  #waiting: { test: (dump: string) => boolean; resolve: () => void }[] = [];
  override async restore(text: string): Promise<void> {
    await super.restore(text);
    const dump = this.dump();
    this.#waiting = this.#waiting.filter(({ test, resolve }) => {
      if (!test(dump)) return true;
      resolve();
      return false;
    });
  }
  until(test: (dump: string) => boolean): Promise<void> {
    if (test(this.dump())) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ test, resolve }));
  }
}

function start(
  client: FakeClient,
  iptables = new WatchedIptables(),
  more: Partial<ProxyHost> = {},
  options: Partial<ProxyOptions> = {},
) {
  const sysctl = new FakeSysctl({
    'net.ipv4.conf.all.route_localnet': '0',
    'net.bridge.bridge-nf-call-iptables': '0',
    'net.netfilter.nf_conntrack_tcp_be_liberal': '0',
  });
  const host = {
    conntrack: () => Promise.resolve(new FakeConntrack()),
    sysctl,
    backend: () => Promise.resolve(iptablesBackendOf(iptables)),
    ...more,
  };
  const proxy = runProxy({
    client,
    nodeName: 'node01',
    nodeIps: ['172.30.0.11'],
    mode: 'iptables',
    clusterCidr: '10.244.0.0/16',
    healthzBindAddress: '',
    metricsBindAddress: '',
    flushCheckPeriod: 5,
    log: silentLog,
    host,
    ...options,
  });
  return { proxy, iptables, sysctl };
}

/** The first event for this reason, as soon as it is written. */
async function eventOf(client: FakeClient, reason: string): Promise<Event> {
  for (;;) {
    const found = (await client.list(EVENTS)).items.find((event) => event.reason === reason);
    if (found) return found;
    await new Promise(setImmediate);
  }
}

describe('the proxy', () => {
  it('writes the rules of what it finds, says Starting, and sets what the kernel needs', async () => {
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', '10.244.1.1')]);
    const { proxy, iptables, sysctl } = start(client);
    await proxy.synced;
    assert.match(iptables.dump(), /default\/web: cluster IP/);
    assert.match(iptables.dump(), /--to-destination 10\.244\.1\.1:9376/);
    assert.ok(proxy.lastSyncAt > 0);
    assert.equal(sysctl.values.get('net.ipv4.conf.all.route_localnet'), '1');
    assert.equal(sysctl.values.get('net.bridge.bridge-nf-call-iptables'), '1');
    const events = await client.list(EVENTS);
    assert.deepEqual(
      events.items.map((event) => event.reason),
      ['Starting'],
    );
    await proxy.stop();
  });

  it('writes nothing while one of the two lists is missing', async () => {
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', '10.244.1.1')]);
    client.failNext('list', new Error('not now'), ENDPOINT_SLICES);
    const { proxy, iptables } = start(client);
    await proxy.synced;
    for (const text of iptables.restored) assert.doesNotMatch(text, /has no endpoints/);
    await proxy.stop();
  });

  it('follows changes of Services and endpoints', async () => {
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', '10.244.1.1')]);
    const { proxy, iptables } = start(client);
    await proxy.synced;
    client.seed(slice('web', '10.244.1.2'));
    await iptables.until((dump) => dump.includes('10.244.1.2:9376') && !dump.includes('10.244.1.1:9376'));
    await client.create(SERVICES, service('other', '10.96.0.6') as Service);
    await iptables.until((dump) => dump.includes('default/other: has no endpoints'));
    await client.create(ENDPOINT_SLICES, slice('other', '10.244.1.3') as EndpointSlice);
    await iptables.until((dump) => dump.includes('default/other: cluster IP') && !dump.includes('has no endpoints'));
    await client.delete(SERVICES, 'web', 'default');
    await iptables.until((dump) => !dump.includes('default/web'));
    await proxy.stop();
  });

  it('leaves to other proxies what is labelled for them, also when the label comes and goes (3-002)', async () => {
    const label = 'service.kubernetes.io/service-proxy-name';
    const client = new FakeClient([
      service('web', '10.96.0.5'),
      slice('web', '10.244.1.1'),
      labelled(slice('web-headless', '10.244.1.9'), {
        'kubernetes.io/service-name': 'web',
        'service.kubernetes.io/headless': '',
      }),
      labelled(service('foreign', '10.96.0.6'), { [label]: 'mesh' }),
      slice('foreign', '10.244.1.2'),
    ]);
    const { proxy, iptables } = start(client);
    await proxy.synced;
    assert.match(iptables.dump(), /10\.244\.1\.1:9376/);
    assert.doesNotMatch(iptables.dump(), /default\/foreign|10\.96\.0\.6|10\.244\.1\.[29]/);
    await client.patch(SERVICES, 'web', 'default', 'merge', { metadata: { labels: { [label]: 'mesh' } } });
    await iptables.until((dump) => !dump.includes('default/web'));
    await client.patch(SERVICES, 'web', 'default', 'merge', { metadata: { labels: { [label]: null } } });
    await iptables.until((dump) => dump.includes('10.244.1.1:9376'));
    await proxy.stop();
  });

  it('mends a flush by another program', async () => {
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', '10.244.1.1')]);
    const { proxy, iptables } = start(client);
    await proxy.synced;
    const before = iptables.dump();
    for (const table of ['nat', 'filter', 'mangle']) iptables.flush(table, { delete: true });
    await iptables.until((dump) => dump === before);
    await proxy.stop();
  });

  it('tries a failed write again and then has everything', async () => {
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', '10.244.1.1')]);
    const iptables = new WatchedIptables();
    iptables.failNext = new HostError(['iptables-restore'], 'exit code 4', 4, 'xtables lock');
    const { proxy } = start(client, iptables);
    await proxy.synced;
    assert.match(iptables.dump(), /10\.244\.1\.1:9376/);
    await proxy.stop();
  });

  it('leaves the rules in place when it stops, and the next one adopts them', async () => {
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', '10.244.1.1')]);
    const first = start(client);
    await first.proxy.synced;
    await first.proxy.stop();
    const writes = first.iptables.restored.length;
    const second = start(client, first.iptables);
    await second.proxy.synced;
    assert.equal(first.iptables.restored.length, writes);
    await second.proxy.stop();
  });

  it('takes away what other modes left, once, when its own rules are in force', async () => {
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', '10.244.1.1')]);
    const iptables = new WatchedIptables();
    const cleaned: string[] = [];
    const done = Promise.withResolvers<undefined>();
    const { proxy } = start(client, iptables, {
      cleanup: ({ inForce }) => {
        cleaned.push(`${String(inForce)}: ${String(/10\.244\.1\.1:9376/.test(iptables.dump()))}`);
        done.resolve(undefined);
        return Promise.resolve({ removed: ['a table'], failures: [] });
      },
    });
    await proxy.synced;
    await done.promise;
    client.seed(slice('web', '10.244.1.2'));
    await iptables.until((dump) => dump.includes('10.244.1.2:9376'));
    await proxy.stop();
    assert.deepEqual(cleaned, ['iptables: true']);
  });

  it('tells people of a Service it had to leave something of out', async () => {
    const broken = service('web', '10.96.0.5') as KubeObject & { spec: { ports: { port: number }[] } };
    broken.spec.ports.push({ port: 0 });
    const client = new FakeClient([broken, slice('web', '10.244.1.1')]);
    const { proxy, iptables } = start(client);
    await proxy.synced;
    assert.match(iptables.dump(), /--to-destination 10\.244\.1\.1:9376/);
    const warning = await eventOf(client, 'FailedToProgramService');
    assert.equal(warning.involvedObject.name, 'web');
    assert.match(warning.message ?? '', /port 0 is not between 1 and 65535/);
    await proxy.stop();
  });

  it('tells people of a healthCheckNodePort it cannot have, and serves the Service all the same', async () => {
    const taken = await serve('127.0.0.1:0', () => ({ status: 200, type: 'text/plain', body: '' }));
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: taken.port };
    const local = service('web', '10.96.0.5');
    Object.assign(local.spec, spec);
    const client = new FakeClient([local, slice('web', '10.244.1.1')]);
    const { proxy, iptables } = start(client, undefined, {}, { nodePortAddresses: ['127.0.0.0/8'] });
    await proxy.synced;
    const warning = await eventOf(client, 'FailedToStartServiceHealthcheck');
    assert.equal(warning.involvedObject.kind, 'Service');
    assert.match(warning.message ?? '', /^node node01: healthCheckNodePort \d+ cannot be listened on: .*EADDRINUSE/);
    assert.match(iptables.dump(), /--to-destination 10\.244\.1\.1:9376/);
    await proxy.stop();
    taken.close();
  });

  it('refuses a cluster CIDR that is none', () => {
    const wrong = {
      client: new FakeClient(),
      nodeName: 'n',
      nodeIps: [],
      mode: 'iptables',
      clusterCidr: 'pods',
      log: silentLog,
    } as const;
    assert.throws(() => runProxy(wrong), /clusterCidr: "pods" is no range/);
  });

  it('prints in a dry run what it would write', async () => {
    const client = new FakeClient([service('web', '10.96.0.5'), slice('web', '10.244.1.1')]);
    const [dry] = await dryRun({
      client,
      nodeName: 'node01',
      nodeIps: ['172.30.0.11'],
      mode: 'iptables',
      clusterCidr: '10.244.0.0/16',
    });
    const { proxy, iptables } = start(client);
    await proxy.synced;
    assert.equal(iptables.restored[0], dry?.text);
    await proxy.stop();
  });
});
