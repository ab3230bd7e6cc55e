/** Random clusters: what is answered for every name there is, and for its neighbours, is what the written-out zone has. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Pod, Service } from '../../../api/types.ts';
import { CLASS_IN, RCODE, TYPE } from '../../wire/message.ts';
import { recordText } from '../../wire/record-text.ts';
import { answer } from './answer.ts';
import { fixedView } from './cluster-view.ts';
import { reverseName, writeZone, type OracleCluster, type OracleRules, type WrittenZone } from './oracle.ts';
import { rulesOf } from './rules.ts';

const NAMESPACES = ['default', 'kube-system', 'svc'] as const;
const NAMES = ['web', 'db', 'pod'] as const;
const HOSTS = ['web-0', 'web-1', 'db'] as const;
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1', 'fd00::2'] as const;
const TYPES = ['A', 'AAAA', 'SRV', 'PTR', 'TXT', 'MX', 'CNAME', 'ANY', 'HTTPS'] as const;
const NUMBERS = new Map<string, number>([...Object.entries(TYPE), ['HTTPS', 65]]);

const port = fc.record({
  name: fc.constantFrom(undefined, 'http', 'dns'),
  protocol: fc.constantFrom('TCP', 'UDP'),
  port: fc.constantFrom(53, 80),
});
/** Ports of a Service differ in name or number: those of real ones do. */
const ports = fc.uniqueArray(port, { maxLength: 3, selector: ({ name, protocol }) => `${String(name)} ${protocol}` });

const endpoint = fc.record({
  addresses: fc.constantFrom(...ADDRESSES).map((address) => [address]),
  hostname: fc.constantFrom(undefined, ...HOSTS),
  conditions: fc.constantFrom({}, { ready: true }, { ready: false }),
  targetRef: fc.constantFrom(undefined, { kind: 'Pod', name: 'pod-1' }, { kind: 'Pod', name: 'web-0' }),
});

const place = fc.record({ namespace: fc.constantFrom(...NAMESPACES), name: fc.constantFrom(...NAMES) });

const service = fc.oneof(
  fc.record({ clusterIP: fc.constant('None'), clusterIPs: fc.constant<string[]>(['None']), ports }),
  fc
    .record({
      ips: fc.uniqueArray(fc.integer({ min: 1, max: 250 }), { minLength: 1, maxLength: 2 }),
      six: fc.boolean(),
      ports,
    })
    .map(({ ips, six, ports: own }) => {
      const clusterIPs = ips.map((ip, at) => (six === (at === 0) ? `fd00::${String(ip)}` : `10.96.0.${String(ip)}`));
      return { clusterIP: clusterIPs[0] ?? '', clusterIPs, ports: own };
    }),
  fc
    .constantFrom(
      'www.example.com',
      'web.default.svc.cluster.local',
      'db.kube-system.svc.cluster.local',
      'nope.cluster.local',
    )
    .map((externalName) => ({ type: 'ExternalName', externalName })),
);

const withoutUndefined = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const cluster: fc.Arbitrary<OracleCluster> = fc
  .record({
    namespaces: fc.subarray([...NAMESPACES]),
    services: fc.uniqueArray(fc.tuple(place, service), {
      maxLength: 6,
      selector: ([{ namespace, name }]) => `${namespace}/${name}`,
    }),
    slices: fc.array(fc.tuple(place, fc.array(endpoint, { maxLength: 12 }), ports), { maxLength: 8 }),
    pods: fc.array(fc.tuple(place, fc.constantFrom(...ADDRESSES.slice(0, 3))), { maxLength: 3 }),
  })
  .map((drawn) => {
    const isThere = (namespace: string) => (drawn.namespaces as readonly string[]).includes(namespace);
    const taken = new Set<string>();
    const services = drawn.services.flatMap(([metadata, spec]): Service[] => {
      if (!isThere(metadata.namespace)) return [];
      // No cluster IP is given twice.
      const ips = 'clusterIPs' in spec ? spec.clusterIPs.filter((ip) => ip !== 'None') : [];
      if (ips.some((ip) => taken.has(ip))) return [];
      for (const ip of ips) taken.add(ip);
      return [{ metadata, spec }];
    });
    return withoutUndefined({
      namespaces: drawn.namespaces,
      services,
      slices: drawn.slices
        .filter(([{ namespace }]) => isThere(namespace))
        .map(([{ namespace, name }, endpoints, own], at): EndpointSlice => ({
          metadata: { name: `${name}-${String(at)}`, namespace, labels: { 'kubernetes.io/service-name': name } },
          addressType: 'IPv4',
          endpoints: endpoints as EndpointSlice['endpoints'],
          ports: own as NonNullable<EndpointSlice['ports']>,
        })),
      pods: drawn.pods
        .filter(([{ namespace }]) => isThere(namespace))
        .map(([{ namespace, name }, podIP]): Pod => ({
          metadata: { namespace, name },
          spec: { containers: [] },
          status: { podIP },
        })),
    });
  });

const rules: fc.Arbitrary<OracleRules> = fc
  .record({
    podsVerified: fc.boolean(),
    endpointPodNames: fc.boolean(),
    ignoreEmptyService: fc.boolean(),
    namespaces: fc.constantFrom(undefined, ['default'], ['svc', 'kube-system']),
  })
  .map(withoutUndefined);

/** Names that are like an existing one and may exist themselves. */
function neighbours(name: string): string[] {
  const [first = '', ...rest] = name.split('.');
  const behind = rest.join('.');
  return [
    name,
    behind,
    `x.${name}`,
    `x.${behind}`,
    `_x.${behind}`,
    `${first}x.${behind}`,
    `_tcp.${name}`,
    `${first}.x.${behind}`,
    `${first}.${name}`,
  ];
}

/** As a server does it that has the zone in a file: aliases are gone along as long as they stay in it. */
function lookedUp(zone: WrittenZone, name: string, type: string, before: readonly string[] = []): string[] {
  const records = zone.get(name);
  const own = (records?.get(type) ?? []).map((data) => `${name} ${type} ${data}`);
  const [alias] = type === 'A' || type === 'AAAA' ? (records?.get('CNAME') ?? []) : [];
  if (alias === undefined) return own;
  const line = `${name} CNAME ${alias}`;
  return before.includes(alias) || alias === name ? [line] : [line, ...lookedUp(zone, alias, type, [...before, name])];
}

test('random clusters are answered as their zone is written', () => {
  fc.assert(
    fc.property(cluster, rules, (objects, chosen) => {
      const zone = writeZone(objects, chosen);
      const view = fixedView(objects);
      const options = rulesOf({
        zones: ['cluster.local', 'in-addr.arpa', 'ip6.arpa'],
        pods: chosen.podsVerified ? 'verified' : 'disabled',
        endpointPodNames: chosen.endpointPodNames,
        ignoreEmptyService: chosen.ignoreEmptyService,
        ...(chosen.namespaces && { namespaces: chosen.namespaces }),
      });
      const written = [...zone.keys()];
      const forward = written.filter((name) => !name.endsWith('.arpa.')).flatMap(neighbours);
      const all = new Set([
        ...written,
        ...forward.filter((name) => name.endsWith('.cluster.local.')),
        ...ADDRESSES.map(reverseName),
      ]);
      for (const name of all) {
        for (const type of TYPES) {
          const found = answer(view, { name, type: NUMBERS.get(type) ?? 0, class: CLASS_IN }, options);
          assert.ok(!found.isOutside, name);
          const records = zone.get(name);
          assert.equal(found.rcode, records ? RCODE.NOERROR : RCODE.NXDOMAIN, `${name} ${type}`);
          const expected = lookedUp(zone, name, type);
          const got = found.answers.map((record) => recordText(record).replace(/ \d+ IN /, ' '));
          assert.deepEqual(got.sort(), expected.sort(), `${name} ${type}`);
          assert.equal(found.authorities.length, expected.length === 0 ? 1 : 0);
          for (const record of found.additionals) {
            const [kind = '', data = ''] = recordText(record).split(' IN ')[1]?.split(' ') ?? [];
            assert.ok(
              zone.get(record.name)?.get(kind)?.includes(data),
              `${name} ${type}: in addition ${recordText(record)}`,
            );
          }
        }
      }
    }),
    { numRuns: 150 },
  );
});
