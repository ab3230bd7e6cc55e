import assert from 'node:assert/strict';
import test from 'node:test';
import type { EndpointSlice, Service } from '../../../api/types.ts';
import { answer } from './answer.ts';
import { fixedView } from './cluster-view.ts';
import { rulesOf } from './rules.ts';
import { CLASS_IN } from '../../wire/message.ts';
import { parseType, rcodeName, recordText } from '../../wire/record-text.ts';

const service = (name: string, spec: Service['spec'], namespace = 'default'): Service => ({
  metadata: { name, namespace },
  spec,
});

type Endpoint = EndpointSlice['endpoints'][number];

const slice = (
  of: string,
  endpoints: Endpoint[] | null,
  ports: EndpointSlice['ports'] = [],
  addressType = 'IPv4',
): EndpointSlice => ({
  metadata: { name: `${of}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': of } },
  addressType,
  endpoints: endpoints as Endpoint[],
  ports,
});

const http = { name: 'http', protocol: 'TCP', port: 80 };
const headless = { clusterIP: 'None', clusterIPs: ['None'] };

const view = fixedView({
  namespaces: ['default', 'kube-system', 'empty'],
  services: [
    service(
      'kube-dns',
      { clusterIP: '10.96.0.10', ports: [{ name: 'dns', protocol: 'UDP', port: 53 }] },
      'kube-system',
    ),
    service('web', {
      clusterIP: '10.96.0.7',
      clusterIPs: ['10.96.0.7'],
      ports: [http, { name: 'metrics', protocol: 'UDP', port: 9100 }],
    }),
    service('plain', { clusterIP: '10.96.0.8', ports: [{ protocol: 'TCP', port: 81 }] }),
    service('dual', { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9', 'fd00::9'], ports: [http] }),
    service('six', { clusterIP: 'fd00::0:6', clusterIPs: ['fd00::0:6'], ports: [http] }),
    service('set', {
      ...headless,
      ports: [
        { ...http, targetPort: 8080 },
        { name: 'db', port: 5432 },
      ],
    }),
    service('set6', { ...headless, ports: [http] }),
    service('unready', { ...headless, ports: [http] }),
    service('nobody', { ...headless, ports: [http] }),
    service('out', { type: 'ExternalName', externalName: 'www.example.com' }),
    service('alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
    service('twice', { type: 'ExternalName', externalName: 'alias.default.svc.cluster.local.' }),
    service('loop', { type: 'ExternalName', externalName: 'loop.default.svc.cluster.local' }),
  ],
  slices: [
    slice('web', [{ addresses: ['10.244.1.5'], conditions: { ready: true } }], [http]),
    slice(
      'set',
      [
        { addresses: ['10.244.1.2'], hostname: 'set-0', conditions: { ready: true } },
        { addresses: ['10.244.2.3'], conditions: {} },
        {
          addresses: ['10.244.2.4'],
          hostname: 'set-2',
          conditions: { ready: false, serving: true, terminating: true },
        },
      ],
      [
        { name: 'http', protocol: 'TCP', port: 8080 },
        { name: 'db', protocol: 'TCP', port: 5432 },
      ],
    ),
    slice('set6', [{ addresses: ['fd01::'], conditions: { ready: true } }], [http], 'IPv6'),
    slice('unready', [{ addresses: ['10.244.3.3'], hostname: 'u', conditions: { ready: false } }], [http]),
    slice('nobody', null),
  ],
});

const SOA = 'cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5';

const rules = rulesOf({ zones: ['cluster.local', 'in-addr.arpa', 'ip6.arpa'], pods: 'insecure' });

/** `dig` in a word: the code unless it is NOERROR, the answers, then what else there is. */
function ask(name: string, type: string): string[] {
  const question = { name, type: parseType(type) ?? 0, class: CLASS_IN };
  const found = answer(view, question, rules);
  if (found.isOutside) return ['OUTSIDE'];
  const { rcode, answers, authorities, additionals, follow } = found;
  const soa = name.endsWith('arpa.') ? SOA.replaceAll('cluster.local', /[^.]+[.]arpa/.exec(name)?.[0] ?? '') : SOA;
  assert.deepEqual(authorities.map(recordText), answers.length === 0 ? [soa] : [], 'the SOA stands in for answers');
  return [
    ...(rcode === 0 ? [] : [rcodeName(rcode)]),
    ...answers.map(recordText),
    ...additionals.map((record) => `+ ${recordText(record)}`),
    ...(follow === undefined ? [] : [`FOLLOW ${follow}`]),
  ];
}

const NODATA: string[] = [];
const web = 'web.default.svc.cluster.local.';
const set = 'set.default.svc.cluster.local.';

const rows: [row: string, name: string, type: string, expected: string[]][] = [
  ['4-001 version', 'dns-version.cluster.local.', 'TXT', ['dns-version.cluster.local. 28800 IN TXT "1.1.0"']],
  ['4-001 version has no address', 'dns-version.cluster.local.', 'A', NODATA],
  [
    '4-002 any case, answered as asked',
    'WEB.Default.SVC.cluster.LOCAL.',
    'A',
    ['WEB.Default.SVC.cluster.LOCAL. 5 IN A 10.96.0.7'],
  ],
  ['4-003 cluster IP', web, 'A', [`${web} 5 IN A 10.96.0.7`]],
  ['4-004 IPv6', 'six.default.svc.cluster.local.', 'AAAA', ['six.default.svc.cluster.local. 5 IN AAAA fd00::6']],
  [
    '4-004 dual stack, IPv4',
    'dual.default.svc.cluster.local.',
    'A',
    ['dual.default.svc.cluster.local. 5 IN A 10.96.0.9'],
  ],
  [
    '4-004 dual stack, IPv6',
    'dual.default.svc.cluster.local.',
    'AAAA',
    ['dual.default.svc.cluster.local. 5 IN AAAA fd00::9'],
  ],
  ['4-005 no such family', web, 'AAAA', NODATA],
  [
    '4-006 without endpoints',
    'plain.default.svc.cluster.local.',
    'A',
    ['plain.default.svc.cluster.local. 5 IN A 10.96.0.8'],
  ],
  [
    '4-007 SRV',
    `_http._tcp.${web}`,
    'SRV',
    [`_http._tcp.${web} 5 IN SRV 0 100 80 ${web}`, `+ ${web} 5 IN A 10.96.0.7`],
  ],
  [
    '4-007 SRV by protocol',
    `_metrics._udp.${web}`,
    'SRV',
    [`_metrics._udp.${web} 5 IN SRV 0 100 9100 ${web}`, `+ ${web} 5 IN A 10.96.0.7`],
  ],
  ['4-007 another protocol', `_metrics._tcp.${web}`, 'SRV', ['NXDOMAIN']],
  ['4-007 another type', `_http._tcp.${web}`, 'A', NODATA],
  ['4-008 unnamed port', '_._tcp.plain.default.svc.cluster.local.', 'SRV', ['NXDOMAIN']],
  [
    '4-009 both families in addition',
    '_http._tcp.dual.default.svc.cluster.local.',
    'SRV',
    [
      '_http._tcp.dual.default.svc.cluster.local. 5 IN SRV 0 100 80 dual.default.svc.cluster.local.',
      '+ dual.default.svc.cluster.local. 5 IN A 10.96.0.9',
      '+ dual.default.svc.cluster.local. 5 IN AAAA fd00::9',
    ],
  ],
  ['4-010 PTR', '7.0.96.10.in-addr.arpa.', 'PTR', [`7.0.96.10.in-addr.arpa. 5 IN PTR ${web}`]],
  [
    '4-010 PTR, IPv6',
    `9.${'0.'.repeat(27)}0.0.d.f.ip6.arpa.`,
    'PTR',
    [`9.${'0.'.repeat(27)}0.0.d.f.ip6.arpa. 5 IN PTR dual.default.svc.cluster.local.`],
  ],
  ['4-010 another type', '7.0.96.10.in-addr.arpa.', 'A', NODATA],
  ['4-011 headless, ready ones only', set, 'A', [`${set} 5 IN A 10.244.1.2`, `${set} 5 IN A 10.244.2.3`]],
  ['4-011 headless, other family', set, 'AAAA', NODATA],
  ['4-012 hostname', `set-0.${set}`, 'A', [`set-0.${set} 5 IN A 10.244.1.2`]],
  ['4-012 hostname of one not ready', `set-2.${set}`, 'A', ['NXDOMAIN']],
  ['4-013 name made of the address', `10-244-2-3.${set}`, 'A', [`10-244-2-3.${set} 5 IN A 10.244.2.3`]],
  [
    '4-013 name made of an IPv6 address',
    'fd01--0.set6.default.svc.cluster.local.',
    'AAAA',
    ['fd01--0.set6.default.svc.cluster.local. 5 IN AAAA fd01::'],
  ],
  [
    '4-014 headless SRV has the target port',
    `_http._tcp.${set}`,
    'SRV',
    [
      `_http._tcp.${set} 5 IN SRV 0 50 8080 set-0.${set}`,
      `_http._tcp.${set} 5 IN SRV 0 50 8080 10-244-2-3.${set}`,
      `+ set-0.${set} 5 IN A 10.244.1.2`,
      `+ 10-244-2-3.${set} 5 IN A 10.244.2.3`,
    ],
  ],
  ['4-015 PTR of an endpoint', '2.1.244.10.in-addr.arpa.', 'PTR', [`2.1.244.10.in-addr.arpa. 5 IN PTR set-0.${set}`]],
  ['4-015 PTR of one not ready', '3.3.244.10.in-addr.arpa.', 'PTR', ['NXDOMAIN']],
  [
    '4-015 PTR of an endpoint behind a cluster IP',
    '5.1.244.10.in-addr.arpa.',
    'PTR',
    [`5.1.244.10.in-addr.arpa. 5 IN PTR 10-244-1-5.${web}`],
  ],
  [
    '4-016 ExternalName',
    'out.default.svc.cluster.local.',
    'A',
    ['out.default.svc.cluster.local. 5 IN CNAME www.example.com.', 'FOLLOW www.example.com.'],
  ],
  [
    '4-016 asked for the alias itself',
    'out.default.svc.cluster.local.',
    'CNAME',
    ['out.default.svc.cluster.local. 5 IN CNAME www.example.com.'],
  ],
  [
    '4-016 ExternalName into the cluster',
    'alias.default.svc.cluster.local.',
    'A',
    [`alias.default.svc.cluster.local. 5 IN CNAME ${web}`, `${web} 5 IN A 10.96.0.7`],
  ],
  [
    '4-016 by way of another',
    'twice.default.svc.cluster.local.',
    'A',
    [
      'twice.default.svc.cluster.local. 5 IN CNAME alias.default.svc.cluster.local.',
      `alias.default.svc.cluster.local. 5 IN CNAME ${web}`,
      `${web} 5 IN A 10.96.0.7`,
    ],
  ],
  ['4-018 endpoint of a Service with a cluster IP', `10-244-1-5.${web}`, 'A', [`10-244-1-5.${web} 5 IN A 10.244.1.5`]],
  ['4-020 apex', 'cluster.local.', 'A', NODATA],
  ['4-020 apex SOA', 'cluster.local.', 'SOA', [SOA]],
  ['4-020 branches', 'svc.cluster.local.', 'A', NODATA],
  ['4-020 branches', 'pod.cluster.local.', 'A', NODATA],
  ['4-021 a namespace', 'empty.svc.cluster.local.', 'A', NODATA],
  ['4-021 no such namespace', 'nope.svc.cluster.local.', 'A', ['NXDOMAIN']],
  ['4-021 no such service', 'nope.default.svc.cluster.local.', 'A', ['NXDOMAIN']],
  ['4-021 too many labels', `a.b.c.${web}`, 'A', ['NXDOMAIN']],
  ['4-021 no such tree', 'nope.cluster.local.', 'A', ['NXDOMAIN']],
  ['4-022 headless, none ready', 'unready.default.svc.cluster.local.', 'A', ['NXDOMAIN']],
  ['4-022 headless, none at all', 'nobody.default.svc.cluster.local.', 'A', ['NXDOMAIN']],
  [
    '4-026 NS',
    'cluster.local.',
    'NS',
    ['cluster.local. 5 IN NS ns.dns.cluster.local.', '+ ns.dns.cluster.local. 5 IN A 10.96.0.10'],
  ],
  ['4-026 the server itself', 'ns.dns.cluster.local.', 'A', ['ns.dns.cluster.local. 5 IN A 10.96.0.10']],
  ['4-028 MX', web, 'MX', NODATA],
  [
    '4-030 weights',
    web,
    'SRV',
    [`${web} 5 IN SRV 0 50 80 ${web}`, `${web} 5 IN SRV 0 50 9100 ${web}`, `+ ${web} 5 IN A 10.96.0.7`],
  ],
  ['4-033 pod', '10-1-2-3.default.pod.cluster.local.', 'A', ['10-1-2-3.default.pod.cluster.local. 5 IN A 10.1.2.3']],
  [
    '4-033 pod, IPv6',
    'fd00--1.default.pod.cluster.local.',
    'AAAA',
    ['fd00--1.default.pod.cluster.local. 5 IN AAAA fd00::1'],
  ],
  ['4-033 pod in no namespace', '10-1-2-3.nope.pod.cluster.local.', 'A', ['NXDOMAIN']],
  ['4-033 no address', 'web-0.default.pod.cluster.local.', 'A', ['NXDOMAIN']],
  ['4-043 ExternalName SRV', 'out.default.svc.cluster.local.', 'SRV', NODATA],
  ['other names', 'www.example.com.', 'A', ['OUTSIDE']],
  ['other names that look alike', 'notcluster.local.', 'A', ['OUTSIDE']],
  ['a reverse name of no address', '1.10.in-addr.arpa.', 'PTR', ['NXDOMAIN']],
];

for (const [row, name, type, expected] of rows) {
  test(`${row}: ${name} ${type}`, () => {
    assert.deepEqual(ask(name, type), expected);
  });
}

test('an alias to itself is followed no further', () => {
  const name = 'loop.default.svc.cluster.local.';
  assert.deepEqual(ask(name, 'A'), [`${name} 5 IN CNAME ${name}`]);
});
