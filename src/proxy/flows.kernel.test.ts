/**
 * UDP clients that never stop asking, through a whole proxy of both address families at once, with the kernel's own table of flows: whatever
 * becomes of a Service or of its endpoints, nobody is left talking to who is gone (3-136..3-140, trap T1). Run by scripts/in-outer-namespace.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
import { SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, Service } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import type { Family } from '../lib/ip.ts';
import { silentLog } from '../lib/log.ts';
import type { ProxyMode } from './backend.ts';
import { cleanup } from './cleanup.ts';
import { runProxy, type RunningProxy } from './run.ts';
import { inIPv6, twinOf } from './scenarios/ipv6.ts';
import { KernelWorld, type Machine } from './scenarios/kernel-world.ts';
import { WORLD, type PodName } from './scenarios/scenario.ts';

requireOuterNamespace();

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];
const CLUSTER_IP = '10.96.0.53';
const EXTERNAL_IP = '172.30.0.150';
const LOAD_BALANCER_IP = '172.30.0.165';
const NODE_PORT = 30_053;
/** ms. The kernel itself forgets a flow whose client is silent after 30 s at the soonest, and these are never silent. */
const PATIENCE = 5000;

interface Way {
  readonly name: string;
  readonly from: Machine;
  readonly to: string;
  readonly port: number;
  /** Source port: the same one is the same flow; 0 is another one each time. */
  readonly by: number;
}

const WAYS: readonly Way[] = [
  { name: 'cluster IP', from: 'client', to: CLUSTER_IP, port: 53, by: 5301 },
  { name: 'cluster IP from the node', from: 'node', to: CLUSTER_IP, port: 53, by: 5302 },
  { name: 'node port', from: 'outside', to: WORLD.node.ip, port: NODE_PORT, by: 5303 },
  { name: 'external IP', from: 'outside', to: EXTERNAL_IP, port: 53, by: 5304 },
  { name: 'load balancer IP', from: 'outside', to: LOAD_BALANCER_IP, port: 53, by: 5305 },
];

const inBoth = (ip: string): string[] => [ip, twinOf(ip)];

const SERVICE: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'dns', namespace: 'default' },
  spec: {
    type: 'LoadBalancer',
    clusterIP: CLUSTER_IP,
    clusterIPs: inBoth(CLUSTER_IP),
    externalIPs: inBoth(EXTERNAL_IP),
    ports: [{ port: 53, protocol: 'UDP', targetPort: 9376, nodePort: NODE_PORT }],
  },
  status: { loadBalancer: { ingress: inBoth(LOAD_BALANCER_IP).map((ip) => ({ ip })) } },
};

/** `-NAME` terminates but still serves. */
type Pod = PodName | `-${PodName}`;

function slices(pods: readonly Pod[], port = 9376): EndpointSlice[] {
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'dns-4', namespace: 'default', labels: { 'kubernetes.io/service-name': 'dns' } },
    addressType: 'IPv4',
    ports: [{ name: '', port, protocol: 'UDP' }],
    endpoints: pods.map((text) => {
      const isEnding = text.startsWith('-');
      const { ip, node } = WORLD.pods[text.replace(/^-/, '') as PodName];
      return {
        addresses: [ip],
        nodeName: node,
        conditions: { ready: !isEnding, serving: true, terminating: isEnding },
      };
    }),
  };
  const twin = inIPv6(slice);
  return [slice, { ...twin, metadata: { ...twin.metadata, name: 'dns-6' } }];
}

for (const mode of ['nftables', 'iptables', 'userspace'] as const satisfies readonly ProxyMode[]) {
  describe(`${mode}: a UDP client that never stops asking, in both families`, () => {
    let world: KernelWorld;
    let client: FakeClient;
    let proxy: RunningProxy;

    before(async () => {
      world = await KernelWorld.create();
    });
    after(async () => {
      await world.close();
    });
    beforeEach(async () => {
      client = new FakeClient([SERVICE]);
      setPods(['own-a']);
      await start();
    });
    afterEach(async () => {
      await proxy.stop();
      const { failures } = await cleanup({ log: silentLog });
      assert.deepEqual(failures, []);
      await world.onNode('conntrack', ['-F']);
    });

    async function start(): Promise<void> {
      proxy = runProxy({
        client,
        nodeName: WORLD.node.name,
        nodeIps: inBoth(WORLD.node.ip),
        mode,
        clusterCidr: `${WORLD.clusterCIDR},${twinOf(WORLD.clusterCIDR)}`,
        serviceClusterIpRange: `${WORLD.serviceCIDR},${twinOf(WORLD.serviceCIDR)}`,
        serviceNodePortRange: '30000-32767',
        healthzBindAddress: '',
        metricsBindAddress: '',
        log: silentLog,
      });
      await proxy.synced;
    }

    function setPods(pods: readonly Pod[], port?: number): void {
      for (const slice of slices(pods, port)) client.seed(slice);
    }

    const ask = async ({ from, to, port, by }: Way, family: Family): Promise<string> => {
      const host = family === 'IPv6' ? twinOf(to) : to;
      const probe = { host, port, protocol: 'UDP', until: [], tries: 1, timeout: 300, from: by } as const;
      const [answer = ''] = await world.ask(from, probe);
      return answer.split(' ')[0] ?? '';
    };

    /** Every client asks on until it hears this; fails when one of them is still told something else after `PATIENCE`. */
    async function expectAll(wanted: RegExp, ways = WAYS): Promise<void> {
      const deadline = performance.now() + PATIENCE;
      const pairs = ways.flatMap((way) => FAMILIES.map((family) => ({ way, family })));
      const heard = await Promise.all(
        pairs.map(async ({ way, family }) => {
          for (;;) {
            const answer = await ask(way, family);
            if (wanted.test(answer)) return '';
            if (performance.now() > deadline) return `${way.name}, ${family}: still ${answer}`;
            await pause(20);
          }
        }),
      );
      assert.deepEqual(
        heard.filter((one) => one !== ''),
        [],
      );
    }

    const nobody = /^(?:REJECT|DROP|E[A-Z]+)$/;

    it('goes over to the endpoint that came for the one that went', async () => {
      await expectAll(/^own-a:/);
      setPods(['far-a']);
      await expectAll(/^far-a:/);
    });

    it('is refused once the last endpoint went, and served by the first that comes again', async () => {
      await expectAll(/^own-a:/);
      setPods([]);
      await expectAll(nobody);
      setPods(['own-b']);
      await expectAll(/^own-b:/);
    });

    it('stays with an endpoint that ends but still serves, whatever new clients are given (3-138)', async () => {
      await expectAll(/^own-a:/);
      setPods(['-own-a', 'far-a']);
      // new clients find out when the change is in force
      await expectAll(
        /^far-a:/,
        WAYS.map((way) => ({ ...way, by: 0 })),
      );
      // a relay's way is no flow of the kernel: it lasts a quarter of a second
      if (mode !== 'userspace') {
        for (const way of WAYS)
          for (const family of FAMILIES) assert.match(await ask(way, family), /^own-a:/, way.name);
      }
      setPods(['far-a']);
      await expectAll(/^far-a:/);
    });

    it('follows a target port (3-140)', async () => {
      await expectAll(/^own-a:9376/);
      setPods(['own-a'], 8080);
      await expectAll(/^own-a:8080/);
    });

    it('hears no more of a Service that is deleted, and is served when it is there again', async () => {
      await expectAll(/^own-a:/);
      await client.delete(SERVICES, 'dns', 'default');
      await expectAll(nobody);
      client.seed(SERVICE);
      await expectAll(/^own-a:/);
    });

    it('hears no more of addresses and node ports a Service gave up', async () => {
      await expectAll(/^own-a:/);
      const ports = [{ port: 53, protocol: 'UDP', targetPort: 9376 }];
      const { clusterIP, clusterIPs } = SERVICE.spec;
      client.seed({
        ...SERVICE,
        spec: { type: 'ClusterIP', clusterIP, clusterIPs, ports } as Service['spec'],
        status: { loadBalancer: {} },
      });
      const [, , ...gone] = WAYS;
      await expectAll(nobody, gone);
      await expectAll(/^own-a:/, WAYS.slice(0, 2));
    });

    it('goes over also where endpoints changed while no proxy ran', async () => {
      await expectAll(/^own-a:/);
      await proxy.stop();
      setPods(['far-a']);
      await start();
      await expectAll(/^far-a:/);
    });

    it('hears no more of a cluster IP or node port whose Service was deleted while no proxy ran', async () => {
      await expectAll(/^own-a:/);
      await proxy.stop();
      await client.delete(SERVICES, 'dns', 'default');
      await start();
      await expectAll(nobody, WAYS.slice(0, 3));
    });

    it('that asked before there was a Service is served when there is one (3-139)', async () => {
      await client.delete(SERVICES, 'dns', 'default');
      await expectAll(nobody);
      client.seed(SERVICE);
      await expectAll(/^own-a:/);
    });
  });
}
