import { serviceYaml, sliceYaml, type Scenario } from './scenario.ts';

const CLUSTER_IP = '10.96.0.20';

const hostnames = serviceYaml(
  'hostnames',
  `
  clusterIP: ${CLUSTER_IP}
  ports: [{ name: default, port: 80, targetPort: 9376, protocol: TCP }]`,
);

export const clusterIpScenarios: readonly Scenario[] = [
  {
    name: 'cluster-ip',
    about: 'The hostnames Service of tutorials: three endpoints, each its share (3-050, 3-052, 3-056, 3-058).',
    yaml: hostnames + sliceYaml('hostnames', '{ name: default, port: 9376 }', ['own-a', 'own-b', 'far-a']),
    packets: [
      { from: 'client', to: CLUSTER_IP, port: 80, expect: ['own-a', 'own-b', 'far-a'] },
      { from: 'own-a', to: CLUSTER_IP, port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: ['own-a'] },
      { from: 'node', to: CLUSTER_IP, port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'outside', to: CLUSTER_IP, port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: CLUSTER_IP, port: 81, expect: 'pass', guarded: 'REJECT' },
      { from: 'node', to: CLUSTER_IP, port: 81, expect: 'pass', guarded: 'REJECT' },
      { from: 'outside', to: CLUSTER_IP, port: 81, expect: 'pass', guarded: 'REJECT' },
      { from: 'client', to: '10.96.0.99', port: 80, expect: 'pass', guarded: 'DROP' },
      { from: 'client', to: CLUSTER_IP, port: 80, protocol: 'UDP', expect: 'pass', guarded: 'REJECT' },
      { from: 'client', to: '10.244.1.5', port: 9376, expect: 'pass' },
    ],
  },
  {
    name: 'cluster-ip-unnamed-port',
    about: 'A port without a name keeps its colon in comments and hashes.',
    yaml:
      serviceYaml('nginx-service', `  clusterIP: 10.96.0.21\n  ports: [{ port: 8000, targetPort: 9376 }]`) +
      sliceYaml('nginx-service', '{ port: 9376 }', ['own-a']),
    packets: [
      { from: 'client', to: '10.96.0.21', port: 8000, expect: ['own-a'] },
      { from: 'own-a', to: '10.96.0.21', port: 8000, expect: ['own-a'], masqueraded: true },
    ],
  },
  {
    name: 'cluster-ip-two-ports',
    about: 'Ports are told apart by name and protocol; the same number in TCP and UDP is two ports (3-005).',
    yaml:
      serviceYaml(
        'dns',
        `
  clusterIP: 10.96.0.22
  ports:
  - { name: dns, port: 53, protocol: UDP, targetPort: 9376 }
  - { name: dns-tcp, port: 53, protocol: TCP, targetPort: 8080 }
  - { name: metrics, port: 9153, protocol: TCP, targetPort: 9376 }`,
      ) +
      sliceYaml(
        'dns',
        '{ name: dns, port: 9376, protocol: UDP }, { name: dns-tcp, port: 8080 }, { name: metrics, port: 9376 }',
        ['own-a', 'far-a'],
      ),
    packets: [
      { from: 'client', to: '10.96.0.22', port: 53, protocol: 'UDP', expect: ['own-a', 'far-a'] },
      { from: 'client', to: '10.96.0.22', port: 53, expect: ['own-a:8080', 'far-a:8080'] },
      { from: 'client', to: '10.96.0.22', port: 9153, expect: ['own-a', 'far-a'] },
      {
        from: 'own-a',
        to: '10.96.0.22',
        port: 53,
        protocol: 'UDP',
        expect: ['own-a', 'far-a'],
        masqueraded: ['own-a'],
      },
      { from: 'client', to: '10.96.0.22', port: 9153, protocol: 'UDP', expect: 'pass', guarded: 'REJECT' },
    ],
  },
  {
    name: 'cluster-ip-masquerade-all',
    about: 'masqueradeAll hides every client of a cluster IP (3-058).',
    options: { masqueradeAll: true },
    yaml: hostnames + sliceYaml('hostnames', '{ name: default, port: 9376 }', ['own-b']),
    packets: [
      { from: 'client', to: CLUSTER_IP, port: 80, expect: ['own-b'], masqueraded: true },
      { from: 'outside', to: CLUSTER_IP, port: 80, expect: ['own-b'], masqueraded: true },
    ],
  },
  {
    name: 'no-cluster-cidr',
    about: 'Without a way to tell Pods, nothing is masqueraded but hairpins (3-162).',
    options: { detectLocal: { by: 'nothing' } },
    yaml: hostnames + sliceYaml('hostnames', '{ name: default, port: 9376 }', ['own-a', 'own-b']),
    packets: [
      { from: 'client', to: CLUSTER_IP, port: 80, expect: ['own-a', 'own-b'] },
      { from: 'own-a', to: CLUSTER_IP, port: 80, expect: ['own-a', 'own-b'], masqueraded: ['own-a'] },
    ],
  },
  {
    name: 'no-endpoints',
    about: 'Nobody to answer: refused at once on every address, not lost in a time-out (3-023, 3-057).',
    yaml:
      serviceYaml(
        'empty',
        `
  type: LoadBalancer
  clusterIP: 10.96.0.23
  externalIPs: [172.30.0.150]
  ports: [{ name: http, port: 80, nodePort: 30380 }, { name: udp, port: 80, nodePort: 30380, protocol: UDP }]`,
        '{ loadBalancer: { ingress: [{ ip: 172.30.0.160 }] } }',
      ) + sliceYaml('empty', '{ name: http, port: 9376 }', ['own-a ready=false serving=false']),
    packets: [
      { from: 'client', to: '10.96.0.23', port: 80, expect: 'REJECT' },
      { from: 'node', to: '10.96.0.23', port: 80, expect: 'REJECT' },
      { from: 'client', to: '10.96.0.23', port: 80, protocol: 'UDP', expect: 'REJECT' },
      { from: 'outside', to: '10.96.0.23', port: 80, expect: 'REJECT' },
      { from: 'outside', to: '172.30.0.11', port: 30380, expect: 'REJECT' },
      { from: 'node', to: '172.30.0.11', port: 30380, expect: 'REJECT' },
      { from: 'outside', to: '172.30.0.11', port: 30380, protocol: 'UDP', expect: 'REJECT' },
      { from: 'client', to: '172.30.0.150', port: 80, expect: 'REJECT' },
      { from: 'node', to: '172.30.0.150', port: 80, expect: 'REJECT' },
      { from: 'outside', to: '172.30.0.150', port: 80, expect: 'REJECT' },
      { from: 'outside', to: '172.30.0.160', port: 80, expect: 'REJECT' },
    ],
  },
  {
    name: 'skipped-services',
    about: 'Headless, ExternalName, without an address, or claimed by another proxy: no rule at all (3-002, 3-003).',
    yaml: `---
apiVersion: v1
kind: Service
metadata: { name: other-proxy, namespace: default, labels: { service.kubernetes.io/service-proxy-name: mine } }
spec: { clusterIP: 10.96.0.24, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: headless, namespace: default }
spec: { clusterIP: None, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: elsewhere, namespace: default }
spec: { type: ExternalName, externalName: example.com, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: six, namespace: default }
spec: { clusterIP: 'fd00::1', clusterIPs: ['fd00::1'], ports: [{ port: 80 }] }
`,
    packets: [{ from: 'client', to: '10.96.0.24', port: 80, expect: 'pass', guarded: 'DROP' }],
  },
];
