import { serviceYaml, sliceYaml, type Scenario } from './scenario.ts';

const NODE = '172.30.0.11';
const IP = '10.96.0.60';
const LB = '172.30.0.160';

/** A load balancer Service on the shared address. */
const onSharedAddress = (name: string, clusterIP: string, port: number, ranges: string) =>
  serviceYaml(
    name,
    `  type: LoadBalancer\n  clusterIP: ${clusterIP}\n  loadBalancerSourceRanges: [${ranges}]\n  ports: [{ port: ${String(port)} }]`,
    `{ loadBalancer: { ingress: [{ ip: ${LB} }, { ip: 172.30.0.161 }] } }`,
  );

export const fieldScenarios: readonly Scenario[] = [
  {
    name: 'sctp',
    about: 'SCTP beside TCP on the same number (3-071).',
    yaml:
      serviceYaml(
        'sctp',
        `
  type: NodePort
  clusterIP: ${IP}
  ports:
  - { name: sctp, port: 80, nodePort: 30380, protocol: SCTP }
  - { name: tcp, port: 80, nodePort: 30380, protocol: TCP }`,
      ) +
      sliceYaml('sctp', '{ name: sctp, port: 9376, protocol: SCTP }, { name: tcp, port: 8080 }', ['own-a', 'far-a']) +
      serviceYaml('sctp-empty', '  clusterIP: 10.96.0.61\n  ports: [{ port: 80, protocol: SCTP }]'),
    packets: [
      { from: 'client', to: IP, port: 80, protocol: 'SCTP', expect: ['own-a', 'far-a'] },
      { from: 'own-a', to: IP, port: 80, protocol: 'SCTP', expect: ['own-a', 'far-a'], masqueraded: ['own-a'] },
      { from: 'node', to: IP, port: 80, protocol: 'SCTP', expect: ['own-a', 'far-a'], masqueraded: true },
      { from: 'outside', to: NODE, port: 30380, protocol: 'SCTP', expect: ['own-a', 'far-a'], masqueraded: true },
      { from: 'client', to: IP, port: 80, expect: ['own-a:8080', 'far-a:8080'] },
      { from: 'client', to: '10.96.0.61', port: 80, protocol: 'SCTP', expect: 'REJECT' },
    ],
  },
  {
    name: 'dual-stack',
    about: 'A Service of both families: each proxy takes its own address and its own slices (3-003, 3-006, 3-028).',
    yaml:
      serviceYaml(
        'both',
        `
  type: NodePort
  clusterIP: ${IP}
  clusterIPs: [${IP}, 'fd00:a:60::3c']
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  ports: [{ port: 80, nodePort: 30380 }]`,
      ) +
      sliceYaml('both', '{ port: 9376 }', ['own-a', 'far-a']) +
      `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: both-six, namespace: default, labels: { kubernetes.io/service-name: both } }
addressType: IPv6
ports: [{ port: 9376 }]
endpoints:
  - { addresses: ['fd00:a:f4:1::5'], nodeName: node01 }
  - { addresses: ['fd00:a:f4:2::5'], nodeName: node02 }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: both-names, namespace: default, labels: { kubernetes.io/service-name: both } }
addressType: FQDN
ports: [{ port: 9376 }]
endpoints: [{ addresses: [pods.test] }]
`,
    packets: [
      { from: 'client', to: IP, port: 80, expect: ['own-a', 'far-a'] },
      { from: 'outside', to: NODE, port: 30380, expect: ['own-a', 'far-a'], masqueraded: true },
    ],
  },
  {
    name: 'slices-overlap',
    about:
      'An endpoint in two slices is one, and the slice that still wants it wins; a slice being deleted says nothing (3-008, trap T22).',
    yaml:
      serviceYaml('web', `  clusterIP: ${IP}\n  ports: [{ port: 80 }]`) +
      sliceYaml('web', '{ port: 9376 }', ['own-a ready=false serving=true terminating=true', 'own-b']) +
      sliceYaml('web', '{ port: 9376 }', ['own-a']).replace('name: web-x', 'name: web-y') +
      sliceYaml('web', '{ port: 9376 }', ['far-a']).replace(
        'name: web-x',
        "name: web-z, deletionTimestamp: '2026-11-01T00:00:00Z'",
      ),
    packets: [{ from: 'client', to: IP, port: 80, expect: ['own-a', 'own-b'] }],
  },
  {
    name: 'load-balancer-shared-address',
    about: 'Two Services share two addresses, told apart by port, each with its own ranges (trap T21).',
    yaml:
      onSharedAddress('a', IP, 80, '172.30.0.192/26') +
      sliceYaml('a', '{ port: 9376 }', ['own-a']) +
      onSharedAddress('b', '10.96.0.61', 81, '10.244.1.9/32, 10.244.1.0/28') +
      sliceYaml('b', '{ port: 9376 }', ['own-b']),
    packets: [
      { from: 'outside', to: LB, port: 80, expect: ['own-a'], masqueraded: true },
      { from: 'outside', to: '172.30.0.161', port: 80, expect: ['own-a'], masqueraded: true },
      { from: 'outside', to: LB, port: 81, expect: 'DROP' },
      { from: 'client', to: LB, port: 81, expect: ['own-b'], masqueraded: true },
      { from: 'client', to: '172.30.0.161', port: 81, expect: ['own-b'], masqueraded: true },
      { from: 'client', to: LB, port: 80, expect: 'DROP' },
    ],
  },
  {
    name: 'external-ip-of-two',
    about:
      'Two Services claim one external IP and port: the first by name has it, and the other serves its own addresses.',
    yaml:
      serviceYaml('a', `  clusterIP: ${IP}\n  externalIPs: [172.30.0.150]\n  ports: [{ port: 80 }]`) +
      sliceYaml('a', '{ port: 9376 }', ['own-a']) +
      serviceYaml(
        'b',
        '  clusterIP: 10.96.0.61\n  externalIPs: [172.30.0.150]\n  ports: [{ port: 80 }, { name: other, port: 81 }]',
      ) +
      sliceYaml('b', '{ port: 9376 }, { name: other, port: 8080 }', ['own-b']),
    packets: [
      { from: 'outside', to: '172.30.0.150', port: 80, expect: ['own-a'], masqueraded: true },
      { from: 'outside', to: '172.30.0.150', port: 81, expect: ['own-b:8080'], masqueraded: true },
      { from: 'client', to: '10.96.0.61', port: 80, expect: ['own-b'] },
    ],
  },
  {
    name: 'node-process',
    about:
      'An endpoint that is a process of this node, as the API server is: reached from everywhere by cluster IP (3-070).',
    yaml: `${serviceYaml('api', `  clusterIP: ${IP}\n  ports: [{ port: 443 }]`)}---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: api-x, namespace: default, labels: { kubernetes.io/service-name: api } }
addressType: IPv4
ports: [{ port: 9376 }]
endpoints: [{ addresses: [${NODE}], nodeName: node01 }]
`,
    packets: [
      { from: 'client', to: IP, port: 443, expect: ['node'] },
      { from: 'node', to: IP, port: 443, expect: ['node'], masqueraded: true },
      { from: 'outside', to: IP, port: 443, expect: ['node'] },
    ],
  },
  {
    name: 'both-fields-local',
    about: 'Local for node ports and a load balancer with ranges at once (3-061, 3-067).',
    yaml:
      serviceYaml(
        'web',
        `
  type: LoadBalancer
  clusterIP: ${IP}
  externalTrafficPolicy: Local
  internalTrafficPolicy: Local
  loadBalancerSourceRanges: [172.30.0.192/26]
  sessionAffinity: ClientIP
  ports: [{ port: 80, nodePort: 30380 }]`,
        `{ loadBalancer: { ingress: [{ ip: ${LB} }] } }`,
      ) + sliceYaml('web', '{ port: 9376 }', ['own-b', 'far-a']),
    packets: [
      { from: 'outside', to: LB, port: 80, expect: ['own-b'] },
      { from: 'client', to: LB, port: 80, expect: 'DROP' },
      { from: 'outside', to: NODE, port: 30380, expect: ['own-b'] },
      { from: 'client', to: IP, port: 80, expect: ['own-b'] },
      { from: 'outside', to: NODE, port: 30380, remembered: 'own-b', expect: ['own-b'] },
    ],
  },
];
