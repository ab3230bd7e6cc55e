import { serviceYaml, sliceYaml, type Scenario } from './scenario.ts';

const NODE = '172.30.0.11';
const all = sliceYaml('web', '{ port: 9376 }', ['own-a', 'own-b', 'far-a']);
const far = sliceYaml('web', '{ port: 9376 }', ['far-a', 'far-b']);

const nodePort = (more = '') =>
  serviceYaml('web', `  type: NodePort\n  clusterIP: 10.96.0.30\n${more}  ports: [{ port: 80, nodePort: 30380 }]`);

const loadBalancer = (more = '', ingress = '{ ip: 172.30.0.160 }') =>
  serviceYaml(
    'web',
    `  type: LoadBalancer\n  clusterIP: 10.96.0.30\n${more}  ports: [{ port: 80, nodePort: 30380 }]`,
    `{ loadBalancer: { ingress: [${ingress}] } }`,
  );

export const externalScenarios: readonly Scenario[] = [
  {
    name: 'node-port',
    about: 'Every node answers, with its own address as source (3-062, 3-066, 3-068).',
    yaml: nodePort() + all,
    packets: [
      { from: 'outside', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'node', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'node', to: '127.0.0.1', port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'own-a', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: '10.96.0.30', port: 80, expect: ['own-a', 'own-b', 'far-a'] },
      { from: 'outside', to: NODE, port: 30381, expect: 'pass' },
    ],
  },
  {
    name: 'node-port-without-local-pods',
    about: 'A node with no Pod of the Service answers too.',
    yaml: nodePort() + far,
    packets: [{ from: 'outside', to: NODE, port: 30380, expect: ['far-a', 'far-b'], masqueraded: true }],
  },
  {
    name: 'node-port-udp',
    about: 'UDP on a node port.',
    yaml:
      serviceYaml(
        'web',
        '  type: NodePort\n  clusterIP: 10.96.0.30\n  ports: [{ port: 80, nodePort: 30380, protocol: UDP }]',
      ) + sliceYaml('web', '{ port: 9376, protocol: UDP }', ['own-a', 'far-a']),
    packets: [
      { from: 'outside', to: NODE, port: 30380, protocol: 'UDP', expect: ['own-a', 'far-a'], masqueraded: true },
      { from: 'node', to: NODE, port: 30380, protocol: 'UDP', expect: ['own-a', 'far-a'], masqueraded: true },
    ],
  },
  {
    name: 'node-port-addresses',
    about: 'nodePortAddresses limits where node ports answer (3-065, 3-163).',
    options: { nodePortAddresses: ['172.30.0.0/24'] },
    yaml: nodePort() + all,
    packets: [
      { from: 'outside', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: '10.244.1.1', port: 30380, expect: 'pass' },
      { from: 'node', to: '127.0.0.1', port: 30380, expect: 'pass' },
    ],
  },
  {
    name: 'node-port-not-on-localhost',
    about: 'localhostNodePorts off keeps node ports away from loopback (3-065).',
    options: { localhostNodePorts: 'off' },
    yaml: nodePort() + all,
    packets: [
      { from: 'node', to: '127.0.0.1', port: 30380, expect: 'pass' },
      { from: 'outside', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
    ],
  },
  {
    name: 'external-policy-local',
    about:
      'externalTrafficPolicy Local: own Pods only, client address kept; the cluster itself is served by all (3-067..3-069).',
    yaml: nodePort('  externalTrafficPolicy: Local\n') + all,
    packets: [
      { from: 'outside', to: NODE, port: 30380, expect: ['own-a', 'own-b'] },
      { from: 'client', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'] },
      { from: 'own-a', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: ['own-a'] },
      { from: 'node', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: '10.96.0.30', port: 80, expect: ['own-a', 'own-b', 'far-a'] },
    ],
  },
  {
    name: 'external-policy-local-without-local-pods',
    about: 'externalTrafficPolicy Local with Pods elsewhere only: outside is dropped, inside served (3-024).',
    yaml: nodePort('  externalTrafficPolicy: Local\n') + far,
    packets: [
      { from: 'outside', to: NODE, port: 30380, expect: 'DROP' },
      { from: 'client', to: NODE, port: 30380, expect: ['far-a', 'far-b'] },
      { from: 'node', to: NODE, port: 30380, expect: ['far-a', 'far-b'], masqueraded: true },
    ],
  },
  {
    name: 'external-ips',
    about: 'externalIPs answer on the port of the Service (3-059).',
    yaml: serviceYaml('web', '  clusterIP: 10.96.0.30\n  externalIPs: [172.30.0.150]\n  ports: [{ port: 80 }]') + all,
    packets: [
      { from: 'outside', to: '172.30.0.150', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: '172.30.0.150', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'node', to: '172.30.0.150', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
    ],
  },
  {
    name: 'external-ips-local',
    about: 'externalIPs under externalTrafficPolicy Local, with and without own Pods (3-024, 3-059).',
    yaml:
      serviceYaml(
        'web',
        '  clusterIP: 10.96.0.30\n  externalIPs: [172.30.0.150]\n  externalTrafficPolicy: Local\n  ports: [{ port: 80 }]',
      ) +
      all +
      serviceYaml(
        'far',
        '  clusterIP: 10.96.0.31\n  externalIPs: [172.30.0.151]\n  externalTrafficPolicy: Local\n  ports: [{ port: 80 }]',
      ) +
      sliceYaml('far', '{ port: 9376 }', ['far-a']),
    packets: [
      { from: 'outside', to: '172.30.0.150', port: 80, expect: ['own-a', 'own-b'] },
      { from: 'outside', to: '172.30.0.151', port: 80, expect: 'DROP' },
      { from: 'client', to: '172.30.0.151', port: 80, expect: ['far-a'] },
      { from: 'node', to: '172.30.0.151', port: 80, expect: ['far-a'], masqueraded: true },
    ],
  },
  {
    name: 'load-balancer',
    about: 'The address a load balancer announced; ipMode Proxy is not ours (3-021, 3-060).',
    yaml:
      loadBalancer(
        '',
        '{ ip: 172.30.0.160, ipMode: VIP }, { ip: 172.30.0.161, ipMode: Proxy }, { hostname: lb.test }',
      ) + all,
    packets: [
      { from: 'outside', to: '172.30.0.160', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: '172.30.0.160', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'outside', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: '172.30.0.161', port: 80, expect: 'pass' },
    ],
  },
  {
    name: 'load-balancer-source-ranges',
    about: 'loadBalancerSourceRanges guards the load balancer address alone, never node ports (3-061, 3-063).',
    yaml: loadBalancer('  loadBalancerSourceRanges: [" 172.30.0.192/26", "10.244.1.9/32"]\n') + all,
    packets: [
      { from: 'outside', to: '172.30.0.160', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'client', to: '172.30.0.160', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'own-a', to: '172.30.0.160', port: 80, expect: 'DROP' },
      { from: 'node', to: '172.30.0.160', port: 80, expect: 'DROP' },
      { from: 'own-a', to: NODE, port: 30380, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
    ],
  },
  {
    name: 'load-balancer-source-ranges-with-node',
    about: 'A range with the node in it lets the node in (3-061).',
    yaml: loadBalancer('  loadBalancerSourceRanges: [172.30.0.8/29]\n') + all,
    packets: [
      { from: 'node', to: '172.30.0.160', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'outside', to: '172.30.0.160', port: 80, expect: 'DROP' },
    ],
  },
  {
    name: 'load-balancer-open-range',
    about: 'A range of everything is no firewall (3-020).',
    yaml: loadBalancer('  loadBalancerSourceRanges: [10.0.0.0/8, 0.0.0.0/0]\n') + all,
    packets: [
      { from: 'outside', to: '172.30.0.160', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
    ],
  },
  {
    name: 'load-balancer-source-ranges-also-external',
    about:
      'Who writes the load balancer address under externalIPs too does not open it to those its ranges keep out (3-061).',
    yaml:
      loadBalancer('  externalIPs: [172.30.0.160, 172.30.0.150]\n  loadBalancerSourceRanges: [10.244.1.9/32]\n') + all,
    packets: [
      { from: 'client', to: '172.30.0.160', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
      { from: 'outside', to: '172.30.0.160', port: 80, expect: 'DROP' },
      { from: 'own-a', to: '172.30.0.160', port: 80, expect: 'DROP' },
      { from: 'outside', to: '172.30.0.150', port: 80, expect: ['own-a', 'own-b', 'far-a'], masqueraded: true },
    ],
  },
  {
    name: 'load-balancer-local',
    about: 'A load balancer with externalTrafficPolicy Local and a health check port (3-064, 3-067).',
    yaml:
      loadBalancer('  externalTrafficPolicy: Local\n  healthCheckNodePort: 31000\n') +
      sliceYaml('web', '{ port: 9376 }', ['own-a', 'far-a']),
    packets: [
      { from: 'outside', to: '172.30.0.160', port: 80, expect: ['own-a'] },
      { from: 'client', to: '172.30.0.160', port: 80, expect: ['own-a', 'far-a'] },
      { from: 'outside', to: NODE, port: 30380, expect: ['own-a'] },
    ],
  },
];
