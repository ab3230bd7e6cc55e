import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldErrorMessage } from '../field-error.ts';
import { SERVICES } from '../kinds.ts';
import { initIpFamilies } from '../service-families.ts';
import { strategyFor } from '../strategies.ts';
import { create, manifest, stored, update } from '../testing.ts';
import type { Service } from '../types.ts';

const headless = 'spec: {clusterIP: None, selector: {a: b}}';

const refused: [why: string, yaml: string, errors: string[]][] = [
  ['no ports', 'spec: {}', ['spec.ports: Required value']],
  [
    'an unknown type',
    'spec: {type: Magic, ports: [{port: 80}]}',
    [
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ],
  [
    'port 0',
    'spec: {ports: [{port: 0}]}',
    [
      'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    'port 65536',
    'spec: {ports: [{port: 65536, targetPort: 80}]}',
    ['spec.ports[0].port: Invalid value: 65536: must be between 1 and 65535, inclusive'],
  ],
  [
    'two unnamed ports',
    'spec: {ports: [{port: 1}, {port: 2}]}',
    ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
  ],
  [
    'two ports of one name',
    'spec: {ports: [{port: 1, name: a}, {port: 2, name: a}]}',
    ['spec.ports[1].name: Duplicate value: "a"'],
  ],
  [
    'a port name with capitals',
    'spec: {ports: [{port: 1, name: A}]}',
    [
      `spec.ports[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
    ],
  ],
  [
    'an unknown protocol',
    'spec: {ports: [{port: 1, protocol: ICMP}]}',
    ['spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
  ],
  [
    'one port twice',
    'spec: {ports: [{port: 1, name: a}, {port: 1, name: b}]}',
    [
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,"TargetPort":0,"NodePort":0}',
    ],
  ],
  [
    'a bad targetPort name',
    'spec: {ports: [{port: 1, targetPort: "UPPER_and_too_long_"}]}',
    [
      'spec.ports[0].targetPort: Invalid value: "UPPER_and_too_long_": must be no more than 15 bytes',
      'spec.ports[0].targetPort: Invalid value: "UPPER_and_too_long_": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    ],
  ],
  [
    'a nodePort on a ClusterIP',
    'spec: {ports: [{port: 1, nodePort: 30000}]}',
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    'one nodePort twice',
    'spec: {type: NodePort, ports: [{port: 1, name: a, nodePort: 30000}, {port: 2, name: b, nodePort: 30000}]}',
    ['spec.ports[1].nodePort: Duplicate value: 30000'],
  ],
  [
    'headless NodePort',
    'spec: {type: NodePort, clusterIP: None, ports: [{port: 1}]}',
    ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'],
  ],
  [
    'headless LoadBalancer',
    'spec: {type: LoadBalancer, clusterIP: None, ports: [{port: 1}]}',
    ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services'],
  ],
  ['ExternalName without a name', 'spec: {type: ExternalName}', ['spec.externalName: Required value']],
  [
    'ExternalName with addresses',
    'spec: {type: ExternalName, externalName: a.b, clusterIP: 10.0.0.1, ipFamilies: [IPv4], ipFamilyPolicy: SingleStack}',
    [
      'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
      'spec.ipFamilies: Forbidden: may not be set for ExternalName services',
      'spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services',
    ],
  ],
  [
    'a cluster IP that is none',
    'spec: {clusterIP: 1.2.3, ports: [{port: 1}]}',
    ['spec.clusterIPs[0]: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [
    'a cluster IP with leading zeros',
    'spec: {clusterIP: 10.096.0.1, ports: [{port: 1}]}',
    ['spec.clusterIPs[0]: Invalid value: "10.096.0.1": must not have leading 0s'],
  ],
  [
    'an IPv4-mapped cluster IP',
    'spec: {clusterIP: "::ffff:10.0.0.1", ports: [{port: 1}]}',
    ['spec.clusterIPs[0]: Invalid value: "::ffff:10.0.0.1": must not be an IPv4-mapped IPv6 address'],
  ],
  [
    'clusterIPs without clusterIP',
    'spec: {clusterIPs: [10.0.0.1], ports: [{port: 1}]}',
    ['spec.clusterIPs: Invalid value: ["10.0.0.1"]: must be empty when `clusterIP` is not specified'],
  ],
  [
    'clusterIPs that contradict clusterIP',
    'spec: {clusterIP: 10.0.0.2, clusterIPs: [10.0.0.1], ports: [{port: 1}]}',
    ['spec.clusterIPs: Invalid value: ["10.0.0.1"]: first value must match `clusterIP`'],
  ],
  [
    'two cluster IPs of one family',
    'spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 10.0.0.2], ports: [{port: 1}]}',
    ['spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family'],
  ],
  [
    'None with company',
    'spec: {clusterIP: None, clusterIPs: [None, 10.0.0.2], ports: [{port: 1}]}',
    [`spec.clusterIPs: Invalid value: ["None","10.0.0.2"]: 'None' must be the first and only value`],
  ],
  [
    'an address of the other family',
    'spec: {clusterIP: 10.0.0.1, ipFamilies: [IPv6], ports: [{port: 1}]}',
    ['spec.clusterIPs[0]: Invalid value: "10.0.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`'],
  ],
  [
    'a family twice',
    'spec: {ipFamilies: [IPv4, IPv4], ports: [{port: 1}]}',
    ['spec.ipFamilies[1]: Duplicate value: "IPv4"'],
  ],
  [
    'an unknown family',
    'spec: {ipFamilies: [IPv5], ports: [{port: 1}]}',
    ['spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"'],
  ],
  [
    'an unknown family policy',
    'spec: {ipFamilyPolicy: Both, ports: [{port: 1}]}',
    [
      'spec.ipFamilyPolicy: Unsupported value: "Both": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
    ],
  ],
  [
    'an unknown affinity',
    'spec: {sessionAffinity: Cookie, ports: [{port: 1}]}',
    ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
  ],
  [
    'an affinity timeout of 0',
    'spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}, ports: [{port: 1}]}',
    [
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400',
    ],
  ],
  [
    'an affinity timeout of 86401',
    'spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}, ports: [{port: 1}]}',
    [
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400',
    ],
  ],
  [
    'a loopback external IP',
    'spec: {externalIPs: [127.0.0.1], ports: [{port: 1}]}',
    ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ],
  [
    'an unspecified external IP',
    'spec: {externalIPs: [0.0.0.0], ports: [{port: 1}]}',
    ['spec.externalIPs[0]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)'],
  ],
  [
    'link-local external IPs',
    'spec: {externalIPs: [169.254.1.1, "fe80::1", 224.0.0.5, "ff02::1"], ports: [{port: 1}]}',
    [
      'spec.externalIPs[0]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
      'spec.externalIPs[1]: Invalid value: "fe80::1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
      'spec.externalIPs[2]: Invalid value: "224.0.0.5": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
      'spec.externalIPs[3]: Invalid value: "ff02::1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
    ],
  ],
  [
    'externalTrafficPolicy on a ClusterIP',
    'spec: {externalTrafficPolicy: Local, ports: [{port: 1}]}',
    ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
  ],
  [
    'an unknown externalTrafficPolicy',
    'spec: {type: NodePort, externalTrafficPolicy: Zone, ports: [{port: 1}]}',
    ['spec.externalTrafficPolicy: Unsupported value: "Zone": supported values: "Cluster", "Local"'],
  ],
  [
    'an unknown internalTrafficPolicy',
    'spec: {internalTrafficPolicy: Zone, ports: [{port: 1}]}',
    ['spec.internalTrafficPolicy: Unsupported value: "Zone": supported values: "Cluster", "Local"'],
  ],
  [
    'an unknown trafficDistribution',
    'spec: {trafficDistribution: Near, ports: [{port: 1}]}',
    [
      'spec.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"',
    ],
  ],
  [
    'healthCheckNodePort without Local',
    'spec: {type: LoadBalancer, healthCheckNodePort: 30001, ports: [{port: 1}]}',
    [
      "spec.healthCheckNodePort: Invalid value: 30001: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
  ],
  [
    'source ranges on a ClusterIP',
    'spec: {loadBalancerSourceRanges: [10.0.0.0/8], ports: [{port: 1}]}',
    ["spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"],
  ],
  [
    'a source range that is none',
    'spec: {type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.1, 10.0.0.1/8, 010.0.0.0/8], ports: [{port: 1}]}',
    [
      'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      'spec.LoadBalancerSourceRanges[1]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length',
      'spec.LoadBalancerSourceRanges[2]: Invalid value: "010.0.0.0/8": must not have leading 0s in IP or prefix length',
    ],
  ],
  [
    'a bad range in the annotation',
    'metadata: {annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: "10.0.0.0/8, x"}}\nspec: {type: LoadBalancer, ports: [{port: 1}]}',
    [
      'metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
  ],
  [
    'load balancer fields on a ClusterIP',
    'spec: {loadBalancerClass: a/b, allocateLoadBalancerNodePorts: true, ports: [{port: 1}]}',
    [
      "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
  ],
  [
    'the kubelet port behind a load balancer',
    'spec: {type: LoadBalancer, ports: [{port: 10250}]}',
    ['spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet'],
  ],
  [
    'topology annotations that contradict',
    'metadata: {annotations: {service.kubernetes.io/topology-mode: Auto, service.kubernetes.io/topology-aware-hints: Disabled}}\nspec: {ports: [{port: 1}]}',
    [
      'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified',
    ],
  ],
  [
    'a selector value with blanks',
    'spec: {selector: {a: "b c"}, ports: [{port: 1}]}',
    [
      `spec.selector: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    ],
  ],
];
for (const [why, yaml, errors] of refused) {
  test(`a Service with ${why} is refused`, () => {
    assert.deepEqual(create(SERVICES, yaml).errors, errors);
  });
}

const accepted: [what: string, yaml: string][] = [
  ['headless without ports', headless],
  ['a name that begins with a digit', 'metadata: {name: 1st}\nspec: {ports: [{port: 1}]}'],
  ['one port for two protocols', 'spec: {ports: [{port: 53, name: a}, {port: 53, name: b, protocol: UDP}]}'],
  [
    'one nodePort for two protocols',
    'spec: {type: NodePort, ports: [{port: 53, name: a, nodePort: 30053}, {port: 53, name: b, protocol: UDP, nodePort: 30053}]}',
  ],
  ['an absolute external name', 'spec: {type: ExternalName, externalName: example.com.}'],
  [
    'an affinity timeout of 86400',
    'spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}}, ports: [{port: 1}]}',
  ],
  [
    'padded source ranges',
    'spec: {type: LoadBalancer, loadBalancerSourceRanges: [" 10.0.0.0/8 "], ports: [{port: 1}]}',
  ],
  ['a domain-prefixed appProtocol', 'spec: {ports: [{port: 1, appProtocol: kubernetes.io/h2c}]}'],
];
for (const [what, yaml] of accepted) {
  test(`a Service with ${what} is accepted`, () => {
    assert.deepEqual(create(SERVICES, yaml).errors, []);
  });
}

test('a name with a dot is refused', () => {
  assert.match(
    create(SERVICES, 'metadata: {name: a.b}\nspec: {ports: [{port: 1}]}').errors[0] ?? '',
    /^metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label/,
  );
});

test('defaults fill a ClusterIP', () => {
  const { object } = create(
    SERVICES,
    'spec: {ports: [{port: 80}]}\nstatus: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}',
  );
  assert.deepEqual(object.spec, {
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
  });
  assert.deepEqual(object.status, { loadBalancer: {} });
  assert.equal(object.metadata.generation, undefined);
});

test('defaults fill a LoadBalancer and session affinity', () => {
  const { spec } = create(
    SERVICES,
    'spec: {type: LoadBalancer, sessionAffinity: ClientIP, ports: [{port: 80}]}',
  ).object;
  assert.equal(spec.externalTrafficPolicy, 'Cluster');
  assert.equal(spec.allocateLoadBalancerNodePorts, true);
  assert.deepEqual(spec.sessionAffinityConfig, { clientIP: { timeoutSeconds: 10800 } });
});

test('a ClusterIP with external addresses has an external traffic policy', () => {
  assert.equal(
    create(SERVICES, 'spec: {externalIPs: [1.2.3.4], ports: [{port: 80}]}').object.spec.externalTrafficPolicy,
    'Cluster',
  );
});

const nodePort = stored(
  SERVICES,
  'spec: {type: NodePort, clusterIP: 10.96.0.5, ipFamilies: [IPv4], ipFamilyPolicy: SingleStack, ports: [{port: 80, name: web, nodePort: 30080}, {port: 443, name: tls, nodePort: 30443}]}',
);
const loadBalancer = stored(
  SERVICES,
  'spec: {type: LoadBalancer, loadBalancerClass: a/b, externalTrafficPolicy: Local, healthCheckNodePort: 31000, clusterIP: 10.96.0.6, loadBalancerSourceRanges: [10.0.0.0/8], ports: [{port: 80, nodePort: 30080}]}',
);
const clusterIp = stored(
  SERVICES,
  'spec: {clusterIP: 10.96.0.7, ipFamilies: [IPv4], ipFamilyPolicy: SingleStack, ports: [{port: 80}]}',
);

test('NodePort to ClusterIP drops the node ports and the external policy (1-024, 1-026)', () => {
  const { object, errors } = update(SERVICES, nodePort, ({ spec }) => {
    spec.type = 'ClusterIP';
  });
  assert.deepEqual(errors, []);
  assert.deepEqual(
    object.spec.ports?.map((port) => port.nodePort),
    [undefined, undefined],
  );
  assert.equal(object.spec.externalTrafficPolicy, undefined);
  assert.equal(object.spec.clusterIP, '10.96.0.5');
});

test('NodePort to ClusterIP with a node port changed by hand is refused (1-024)', () => {
  const { errors } = update(SERVICES, nodePort, ({ spec }) => {
    spec.type = 'ClusterIP';
    spec.ports![0]!.nodePort = 30081;
  });
  assert.deepEqual(errors[0], "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'");
});

test('LoadBalancer to ClusterIP drops its own fields and the status, but not the source ranges (1-025, 1-028)', () => {
  const old = structuredClone(loadBalancer);
  old.status = { loadBalancer: { ingress: [{ ip: '1.2.3.4', ipMode: 'VIP' }] } };
  const { object, errors } = update(SERVICES, old, ({ spec }) => {
    spec.type = 'ClusterIP';
  });
  const { spec } = object;
  assert.deepEqual(
    [spec.loadBalancerClass, spec.allocateLoadBalancerNodePorts, spec.healthCheckNodePort, spec.externalTrafficPolicy],
    [undefined, undefined, undefined, undefined],
  );
  assert.deepEqual(object.status, { loadBalancer: {} });
  assert.deepEqual(errors, [
    "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
  ]);
});

test('to ExternalName the addresses go, unless the client changed them (1-022)', () => {
  const toName = ({ spec }: Service) => {
    spec.type = 'ExternalName';
    spec.externalName = 'example.com';
  };
  const { object, errors } = update(SERVICES, clusterIp, toName);
  assert.deepEqual(errors, []);
  assert.deepEqual(
    [object.spec.clusterIP, object.spec.clusterIPs, object.spec.ipFamilies, object.spec.ipFamilyPolicy],
    [undefined, undefined, undefined, undefined],
  );
  const changed = update(SERVICES, clusterIp, (service) => {
    toName(service);
    service.spec.clusterIP = '10.96.0.8';
  });
  assert.deepEqual(changed.errors, ['spec.clusterIPs: Forbidden: may not be set for ExternalName services']);
});

test('an empty clusterIP on update keeps the stored one (1-035)', () => {
  const { object, errors } = update(SERVICES, clusterIp, ({ spec }) => {
    delete spec.clusterIP;
    delete spec.clusterIPs;
    delete spec.ipFamilies;
    delete spec.ipFamilyPolicy;
  });
  assert.deepEqual(errors, []);
  assert.deepEqual(object.spec, clusterIp.spec);
});

test('clusterIP may not change, nor become headless (1-034, 1-036)', () => {
  for (const address of ['10.96.0.99', 'None']) {
    const { errors } = update(SERVICES, clusterIp, ({ spec }) => {
      spec.clusterIP = address;
    });
    assert.deepEqual(errors, [`spec.clusterIPs[0]: Invalid value: ["${address}"]: may not change once set`]);
  }
});

test('node ports are kept by port name, but not one that another port now claims (1-063)', () => {
  const kept = update(SERVICES, nodePort, ({ spec }) => {
    spec.ports = [
      { port: 8080, name: 'web' },
      { port: 443, name: 'tls' },
      { port: 1, name: 'new' },
    ];
  }).object;
  assert.deepEqual(
    kept.spec.ports?.map((port) => port.nodePort),
    [30080, 30443, undefined],
  );
  const swapped = update(SERVICES, nodePort, ({ spec }) => {
    spec.ports = [
      { port: 80, name: 'web' },
      { port: 443, name: 'tls', nodePort: 30080 },
    ];
  }).object;
  assert.deepEqual(
    swapped.spec.ports?.map((port) => port.nodePort),
    [undefined, 30080],
  );
});

test('loadBalancerClass and healthCheckNodePort may not change while they are needed (1-078, 1-082)', () => {
  const { errors } = update(SERVICES, loadBalancer, ({ spec }) => {
    spec.loadBalancerClass = 'a/c';
    spec.healthCheckNodePort = 31001;
  });
  assert.deepEqual(errors, [
    'spec.loadBalancerClass: Invalid value: "a/c": may not change once set',
    'spec.healthCheckNodePort: Forbidden: field is immutable',
  ]);
});

test('addresses that were stored before stay acceptable when unchanged (1-033)', () => {
  const old = structuredClone(clusterIp);
  old.spec.externalIPs = ['010.1.1.1'];
  assert.deepEqual(update(SERVICES, old, () => undefined).errors, []);
  assert.deepEqual(update(SERVICES, old, ({ spec }) => spec.externalIPs?.push('011.1.1.1')).errors, [
    'spec.externalIPs[1]: Invalid value: "011.1.1.1": must not have leading 0s',
  ]);
});

test('metadata that the server owns cannot be changed (1-013)', () => {
  const { errors } = update(SERVICES, clusterIp, ({ metadata }) => {
    metadata.uid = 'other';
    metadata.name = 'renamed';
  });
  assert.deepEqual(errors, [
    'metadata.name: Invalid value: "renamed": field is immutable',
    'metadata.uid: Invalid value: "other": field is immutable',
  ]);
});

test('warnings tell what is ignored and what is deprecated (1-071, 1-076, 1-084 to 1-086)', () => {
  const { warnings } = strategyFor(SERVICES);
  const of = (yaml: string) => warnings(create(SERVICES, yaml).object);
  assert.deepEqual(of('spec: {ports: [{port: 1}]}'), []);
  assert.deepEqual(of('spec: {clusterIP: None, sessionAffinity: ClientIP, loadBalancerIP: 1.2.3.4}'), [
    'spec.loadBalancerIP is ignored for headless services',
    'spec.SessionAffinity is ignored for headless services',
  ]);
  assert.deepEqual(of('spec: {externalName: a.b, trafficDistribution: PreferClose, externalIPs: [1.2.3.4]}'), [
    'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
    'spec.externalName is ignored when spec.type is not "ExternalName"',
    'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
  ]);
});

const statuses: [why: string, base: Service, ingress: object[], errors: string[]][] = [
  [
    'an entry on a ClusterIP',
    clusterIp,
    [{ ip: '1.2.3.4', ipMode: 'VIP' }],
    ["status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"],
  ],
  ['a good entry', loadBalancer, [{ ip: '1.2.3.4', ipMode: 'Proxy' }, { hostname: 'a.b' }], []],
  [
    'an IP as a host name',
    loadBalancer,
    [{ hostname: '1.2.3.4' }],
    ['status.loadBalancer.ingress[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'],
  ],
  [
    'ipMode without ip',
    loadBalancer,
    [{ hostname: 'a.b', ipMode: 'VIP' }],
    ['status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when `ip` is not set'],
  ],
  [
    'an unknown ipMode',
    loadBalancer,
    [{ ip: '1.2.3.4', ipMode: 'X' }],
    ['status.loadBalancer.ingress[0].ipMode: Unsupported value: "X": supported values: "Proxy", "VIP"'],
  ],
];
for (const [why, base, ingress, errors] of statuses) {
  test(`a status with ${why} has ${errors.length} errors, and leaves the spec alone`, () => {
    const service = structuredClone(base);
    service.status = { loadBalancer: { ingress } } as Service['status'];
    service.spec.selector = { changed: 'yes' };
    const strategy = strategyFor(SERVICES);
    strategy.applyDefaults(service);
    strategy.prepareForStatusUpdate(service, base);
    assert.deepEqual(service.spec, base.spec);
    assert.deepEqual(strategy.validateStatusUpdate(service, base).map(fieldErrorMessage), errors);
  });
}

type Families = ('IPv4' | 'IPv6')[];
interface FamilyCase {
  name: string;
  yaml: string;
  cluster: Families;
  expected?: { policy: string; families: Families };
  errors?: string[];
}
const familyCases: FamilyCase[] = [
  {
    name: 'single stack by default',
    yaml: 'spec: {ports: [{port: 1}]}',
    cluster: ['IPv4'],
    expected: { policy: 'SingleStack', families: ['IPv4'] },
  },
  {
    name: 'the family of the given address',
    yaml: 'spec: {clusterIP: "fd00::1", ports: [{port: 1}]}',
    cluster: ['IPv4', 'IPv6'],
    expected: { policy: 'SingleStack', families: ['IPv6'] },
  },
  {
    name: 'PreferDualStack on one family',
    yaml: 'spec: {ipFamilyPolicy: PreferDualStack, ports: [{port: 1}]}',
    cluster: ['IPv4'],
    expected: { policy: 'PreferDualStack', families: ['IPv4'] },
  },
  {
    name: 'PreferDualStack on two',
    yaml: 'spec: {ipFamilyPolicy: PreferDualStack, ports: [{port: 1}]}',
    cluster: ['IPv4', 'IPv6'],
    expected: { policy: 'PreferDualStack', families: ['IPv4', 'IPv6'] },
  },
  {
    name: 'headless without selector takes both',
    yaml: 'spec: {clusterIP: None}',
    cluster: ['IPv4'],
    expected: { policy: 'RequireDualStack', families: ['IPv4', 'IPv6'] },
  },
  {
    name: 'headless with selector',
    yaml: headless,
    cluster: ['IPv4'],
    expected: { policy: 'SingleStack', families: ['IPv4'] },
  },
  {
    name: 'RequireDualStack on one family',
    yaml: 'spec: {ipFamilyPolicy: RequireDualStack, ports: [{port: 1}]}',
    cluster: ['IPv4'],
    errors: [
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
  },
  {
    name: 'a family the cluster has not',
    yaml: 'spec: {ipFamilies: [IPv6], ports: [{port: 1}]}',
    cluster: ['IPv4'],
    errors: ['spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
  },
  {
    name: 'an address of a family the cluster has not',
    yaml: 'spec: {clusterIP: "fd00::1", ports: [{port: 1}]}',
    cluster: ['IPv4'],
    errors: ['spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster'],
  },
  {
    name: 'two families and no policy',
    yaml: 'spec: {ipFamilies: [IPv4, IPv6], ports: [{port: 1}]}',
    cluster: ['IPv4', 'IPv6'],
    errors: [
      "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    ],
  },
];
for (const { name, yaml, cluster, expected, errors = [] } of familyCases) {
  test(`IP families: ${name}`, () => {
    const { object } = create(SERVICES, yaml);
    assert.deepEqual(initIpFamilies(object, undefined, cluster).map(fieldErrorMessage), errors);
    if (expected) assert.deepEqual({ policy: object.spec.ipFamilyPolicy, families: object.spec.ipFamilies }, expected);
  });
}

test('SingleStack on a dual-stack Service drops the second of each list (1-047)', () => {
  const old = stored(
    SERVICES,
    'spec: {clusterIP: 10.96.0.5, clusterIPs: [10.96.0.5, "fd00::5"], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack, ports: [{port: 1}]}',
  );
  const { object, errors } = update(SERVICES, old, ({ spec }) => {
    spec.ipFamilyPolicy = 'SingleStack';
  });
  assert.deepEqual(errors, []);
  assert.deepEqual(initIpFamilies(object, old, ['IPv4', 'IPv6']), []);
  assert.deepEqual([object.spec.clusterIPs, object.spec.ipFamilies], [['10.96.0.5'], ['IPv4']]);
});

test('a second address may only go with SingleStack (1-047)', () => {
  const old = stored(
    SERVICES,
    'spec: {clusterIP: 10.96.0.5, clusterIPs: [10.96.0.5, "fd00::5"], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack, ports: [{port: 1}]}',
  );
  const { object, errors } = update(SERVICES, old, ({ spec }) => {
    spec.clusterIPs = ['10.96.0.5'];
    spec.ipFamilies = ['IPv4'];
  });
  assert.deepEqual(errors, []);
  assert.deepEqual(initIpFamilies(object, old, ['IPv4', 'IPv6']).map(fieldErrorMessage), [
    'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be \'SingleStack\' to release the secondary cluster IP',
    'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be \'SingleStack\' to release the secondary IP family',
  ]);
});

test('PreferDualStack is not upgraded merely because the cluster was (1-049)', () => {
  const old = stored(
    SERVICES,
    'spec: {clusterIP: 10.96.0.5, ipFamilies: [IPv4], ipFamilyPolicy: PreferDualStack, ports: [{port: 1}]}',
  );
  const { object } = update(SERVICES, old, ({ metadata }) => {
    metadata.labels = { a: 'b' };
  });
  assert.deepEqual(initIpFamilies(object, old, ['IPv4', 'IPv6']), []);
  assert.deepEqual(object.spec.ipFamilies, ['IPv4']);
});

test('a manifest that came without a spec is refused, not crashed on', () => {
  assert.deepEqual(create(SERVICES, '{}').errors, ['spec.ports: Required value']);
  assert.equal(manifest(SERVICES, '{}').spec, undefined);
});
