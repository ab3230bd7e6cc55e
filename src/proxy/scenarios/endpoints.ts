import { serviceYaml, sliceYaml, type Scenario } from './scenario.ts';

const IP = '10.96.0.40';
const service = (more = '') => serviceYaml('web', `  clusterIP: ${IP}\n${more}  ports: [{ port: 80 }]`);
const slice = (...endpoints: string[]) => sliceYaml('web', '{ port: 9376 }', endpoints);

export const endpointScenarios: readonly Scenario[] = [
  {
    name: 'internal-policy-local',
    about: 'internalTrafficPolicy Local: no packet to the cluster IP leaves the node (3-013, 3-056).',
    yaml: service('  internalTrafficPolicy: Local\n') + slice('own-a', 'far-a'),
    packets: [
      { from: 'client', to: IP, port: 80, expect: ['own-a'] },
      { from: 'node', to: IP, port: 80, expect: ['own-a'], masqueraded: true },
    ],
  },
  {
    name: 'internal-policy-local-without-local-pods',
    about: 'internalTrafficPolicy Local with Pods elsewhere only: dropped (3-024, 3-057).',
    yaml: service('  internalTrafficPolicy: Local\n') + slice('far-a'),
    packets: [
      { from: 'client', to: IP, port: 80, expect: 'DROP' },
      { from: 'node', to: IP, port: 80, expect: 'DROP' },
    ],
  },
  {
    name: 'both-policies-local',
    about: 'Both policies Local: one pool for cluster IP and outside, the other for short cuts (3-015, 3-016).',
    yaml:
      serviceYaml(
        'web',
        `  type: NodePort\n  clusterIP: ${IP}\n  internalTrafficPolicy: Local\n  externalTrafficPolicy: Local\n  ports: [{ port: 80, nodePort: 30380 }]`,
      ) + slice('own-b', 'far-b'),
    packets: [
      { from: 'client', to: IP, port: 80, expect: ['own-b'] },
      { from: 'outside', to: '172.30.0.11', port: 30380, expect: ['own-b'] },
      { from: 'client', to: '172.30.0.11', port: 30380, expect: ['own-b', 'far-b'] },
    ],
  },
  {
    name: 'not-ready',
    about: 'An endpoint that is not ready gets nothing.',
    yaml: service() + slice('own-a ready=false', 'own-b'),
    packets: [{ from: 'client', to: IP, port: 80, expect: ['own-b'] }],
  },
  {
    name: 'terminating-fallback',
    about: 'All endpoints terminate: those that still serve get new connections (3-012).',
    yaml:
      service() +
      slice(
        'own-a ready=false serving=true terminating=true',
        'own-b ready=false serving=false terminating=true',
        'far-a ready=false serving=true terminating=true',
      ),
    packets: [{ from: 'client', to: IP, port: 80, expect: ['own-a', 'far-a'] }],
  },
  {
    name: 'terminating-with-ready',
    about: 'One ready endpoint is enough to leave the terminating ones in peace (3-012).',
    yaml: service() + slice('own-a ready=false serving=true terminating=true', 'far-a'),
    packets: [{ from: 'client', to: IP, port: 80, expect: ['far-a'] }],
  },
  {
    name: 'terminating-local-fallback',
    about: 'Under Local the fall-back looks at this node alone (3-013).',
    yaml:
      serviceYaml(
        'web',
        `  type: NodePort\n  clusterIP: ${IP}\n  externalTrafficPolicy: Local\n  ports: [{ port: 80, nodePort: 30380 }]`,
      ) + slice('own-a ready=false serving=true terminating=true', 'far-a'),
    packets: [
      { from: 'outside', to: '172.30.0.11', port: 30380, expect: ['own-a'] },
      { from: 'client', to: IP, port: 80, expect: ['far-a'] },
    ],
  },
  {
    name: 'zone-hints',
    about: 'Every ready endpoint has a zone hint and ours is among them: stay in the zone (3-017).',
    nodeLabels: { 'topology.kubernetes.io/zone': 'zone-a' },
    yaml: service() + slice('own-a forZones=zone-a', 'own-b forZones=zone-b', 'far-a forZones=zone-a,zone-b'),
    packets: [{ from: 'client', to: IP, port: 80, expect: ['own-a', 'far-a'] }],
  },
  {
    name: 'zone-hints-incomplete',
    about: 'One endpoint without a hint: hints are ignored (3-017).',
    nodeLabels: { 'topology.kubernetes.io/zone': 'zone-a' },
    yaml: service() + slice('own-a forZones=zone-a', 'own-b'),
    packets: [{ from: 'client', to: IP, port: 80, expect: ['own-a', 'own-b'] }],
  },
  {
    name: 'node-hints',
    about: 'Node hints win over zone hints (3-017).',
    nodeLabels: { 'topology.kubernetes.io/zone': 'zone-a' },
    yaml: service() + slice('own-a forZones=zone-a forNodes=node01', 'far-a forZones=zone-a forNodes=node02'),
    packets: [{ from: 'client', to: IP, port: 80, expect: ['own-a'] }],
  },
  {
    name: 'zone-hints-node-without-zone',
    about: 'A node without a zone label uses all (3-019).',
    yaml: service() + slice('own-a forZones=zone-a', 'far-a forZones=zone-b'),
    packets: [{ from: 'client', to: IP, port: 80, expect: ['own-a', 'far-a'] }],
  },
  {
    name: 'session-affinity',
    about: 'A client stays with its endpoint (3-051).',
    yaml:
      service('  sessionAffinity: ClientIP\n  sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } }\n') +
      slice('own-a', 'own-b', 'far-a'),
    packets: [
      { from: 'client', to: IP, port: 80, remembered: 'own-b', expect: ['own-b'] },
      { from: 'own-a', to: IP, port: 80, remembered: 'own-a', expect: ['own-a'], masqueraded: true },
      { from: 'client', to: IP, port: 80, remembered: 'far-b', expect: ['own-a', 'own-b', 'far-a'] },
    ],
  },
];
