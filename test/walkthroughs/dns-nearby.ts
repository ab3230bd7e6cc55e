/** Options of the Corefile that need to know who asks, on a cluster whose nodes are in different zones: `prefer_zone`, `zonal`, `autopath`. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { eventually, must, type Cluster } from '../support/cluster.ts';
import { RESOLVERS_IMAGE } from '../support/resolvers.ts';

const NODES = ['node01', 'node02'] as const;
const podOn = (node: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `near-${node}`, labels: { app: 'near' } },
  spec: {
    nodeName: node,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'c', image: RESOLVERS_IMAGE, imagePullPolicy: 'Never' }],
  },
});
const near = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'near' },
  spec: { clusterIP: 'None', selector: { app: 'near' }, ports: [{ name: 'http', port: 80 }] },
};

/** The images of the cluster have the resolvers in them. Leaves the Corefile of the start behind. */
export function describeNearby(cluster: Cluster): void {
  const resolve = (node: string, ...names: string[]) =>
    must(cluster.kubectl('exec', `near-${node}`, '--', 'resolve-glibc', ...names)).trim();
  const podIp = (node: string) => cluster.jsonpath('{.status.podIP}', 'pod', `near-${node}`);
  const dig = (node: string, ...args: string[]) => {
    const ip = cluster.jsonpath(`{.status.addresses[?(@.type=="InternalIP")].address}`, 'node', node);
    return must(cluster.outside('dig', '+short', `@${ip}`, ...args)).trim();
  };
  const configMap = ['-n', 'kube-system', 'configmap', 'coredns'];
  const corefile = () => cluster.jsonpath('{.data.Corefile}', ...configMap);
  const change = (text: string) =>
    cluster.get('patch', ...configMap, '--type=merge', '-p', JSON.stringify({ data: { Corefile: text } }));

  describe('who asks matters', () => {
    let start = '';
    before(() => {
      start = corefile();
      for (const [at, node] of NODES.entries())
        cluster.get('label', 'node', node, `topology.kubernetes.io/zone=zone-${String(at)}`);
      cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [near, ...NODES.map(podOn)] }));
      cluster.get('wait', '--for=condition=Ready', 'pod', '-l', 'app=near', '--timeout=60s');
    });

    test('without an option everyone gets all endpoints', async () => {
      const all = NODES.map(podIp).sort();
      await eventually(() => {
        for (const node of NODES) assert.deepEqual(dig(node, 'near.default.svc.cluster.local').split('\n').sort(), all);
      });
    });

    for (const options of ['prefer_zone', 'prefer_zone\n        pods verified']) {
      test(`each Pod gets the endpoints of its own zone: ${options.replace(/\n\s+/, ', ')}`, async () => {
        change(start.replace('pods insecure', options));
        await eventually(() => {
          for (const node of NODES) {
            const ip = podIp(node);
            const known = dig(node, `${ip.replaceAll('.', '-')}.default.pod.cluster.local`);
            assert.equal(known, options.includes('pods verified') ? ip : '', 'the Corefile is not taken yet');
            assert.equal(resolve(node, 'near'), `near ${ip}`);
          }
        }, 20_000);
      });
    }

    test('a Pod names the zone it wants (4-041), and its search path is gone along for it (4-053)', async () => {
      const [first, second] = NODES.map(podIp);
      change(
        start
          .replace('pods insecure', 'pods verified\n        zonal')
          .replace(/^( *)kubernetes /m, '$1autopath @kubernetes\n$&'),
      );
      await eventually(() => {
        assert.equal(dig('node01', 'zone-1.pin._zone.near.default.svc.cluster.local'), second);
        assert.equal(dig('node02', 'zone-0.prefer._zone.near.default.svc.cluster.local'), first);
        // Of itself only the first element of the list is tried by a resolver that is answered.
        const name = 'kube-dns.kube-system.default.svc.cluster.local.';
        assert.equal(resolve('node01', name), `${name} 10.96.0.10`);
      }, 20_000);
      change(start);
    });
  });
}
