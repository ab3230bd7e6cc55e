import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Service } from '../../../api/types.ts';
import { TYPE } from '../../wire/message.ts';
import { answerIn } from './answer.ts';
import { fixedView } from './cluster-view.ts';
import { inWords } from './in-words.ts';
import { parseName } from './names.ts';
import { rulesOf } from './rules.ts';

const service = (name: string, spec: Service['spec']): Service => ({ metadata: { name, namespace: 'shop' }, spec });
const slice = (name: string, of: string, ready: readonly boolean[], first = 1): EndpointSlice => ({
  metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
  addressType: 'IPv4',
  endpoints: ready.map((isReady, at) => ({
    addresses: [`10.244.0.${String(at + first)}`],
    conditions: { ready: isReady },
  })),
  ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
});
const ports = [{ name: 'http', protocol: 'TCP' as const, port: 80 }];

const view = fixedView({
  namespaces: ['shop'],
  services: [
    service('web', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'], ports }),
    service('db', { clusterIP: 'None', ports }),
    service('idle', { clusterIP: 'None', ports }),
    service('bare', { clusterIP: 'None', ports }),
    service('out', { type: 'ExternalName', externalName: 'www.example.org' }),
  ],
  slices: [slice('db-b', 'db', [true, false]), slice('db-a', 'db', [true], 9), slice('idle-a', 'idle', [false], 7)],
});
const rules = rulesOf({ zones: ['cluster.local', 'in-addr.arpa'] });

const SHOP = 'shop.svc.cluster.local.';
const CASES: readonly [name: string, type: keyof typeof TYPE, words: string][] = [
  [`web.${SHOP}`, 'A', '1 record: Service shop/web with cluster IP 10.96.0.7'],
  [`web.${SHOP}`, 'AAAA', 'no AAAA record: Service shop/web with cluster IP 10.96.0.7'],
  [`_http._tcp.web.${SHOP}`, 'SRV', '1 record: Service shop/web with cluster IP 10.96.0.7'],
  [`_https._tcp.web.${SHOP}`, 'SRV', 'NXDOMAIN: Service shop/web has no port _https._tcp, it has _http._tcp'],
  [`db.${SHOP}`, 'A', '2 records: headless Service shop/db with 2 of 3 endpoints ready, in EndpointSlice db-a, db-b'],
  [`idle.${SHOP}`, 'A', 'NXDOMAIN: headless Service shop/idle with 0 of 1 endpoints ready, in EndpointSlice idle-a'],
  [`bare.${SHOP}`, 'A', 'NXDOMAIN: headless Service shop/bare with no EndpointSlice'],
  [`out.${SHOP}`, 'A', '1 record: Service shop/out is an alias for www.example.org'],
  [`nope.${SHOP}`, 'A', 'NXDOMAIN: there is no Service shop/nope'],
  ['web.nope.svc.cluster.local.', 'A', 'NXDOMAIN: there is no Service nope/web, nor such a namespace'],
  [SHOP, 'A', 'no A record: namespace shop'],
  ['nope.svc.cluster.local.', 'A', 'NXDOMAIN: there is no namespace nope'],
  ['a.b.c.d.svc.cluster.local.', 'A', 'NXDOMAIN: no name of the cluster is made like this'],
  ['cluster.local.', 'SOA', '1 record: a name of the zone itself'],
  ['7.0.96.10.in-addr.arpa.', 'PTR', '1 record: 10.96.0.7 is the cluster IP of Service shop/web'],
  ['2.0.244.10.in-addr.arpa.', 'A', 'NXDOMAIN: 10.244.0.2 is an endpoint in EndpointSlice db-b'],
  ['8.0.244.10.in-addr.arpa.', 'PTR', 'NXDOMAIN: no Service and no endpoint has 10.244.0.8'],
];

test('endpoints that come before others are told by their zone, and only where zones make a difference', () => {
  const near = slice('db-c', 'db', [true, true]);
  near.endpoints = near.endpoints?.map((endpoint, at) => ({ ...endpoint, zone: `z${String(at)}` }));
  const zoned = fixedView({
    namespaces: ['shop'],
    services: [service('db', { clusterIP: 'None', ports }), service('idle', { clusterIP: 'None', ports })],
    slices: [near, slice('idle-a', 'idle', [true, true])],
  });
  const preferring = rulesOf({ zones: ['cluster.local'], preferZone: true });
  const words = (name: string, askerZone?: string) => {
    const { target, zone } = parseName(name, preferring.zones, preferring.zonal);
    assert.ok(zone);
    const found = answerIn(zone, target, zoned, { name, type: TYPE.A, class: 1 }, preferring, askerZone);
    return inWords(target, zoned, found, TYPE.A, askerZone);
  };
  const db = 'headless Service shop/db with 2 of 2 endpoints ready, in EndpointSlice db-c';
  assert.equal(words(`db.${SHOP}`, 'z1'), `1 record: ${db}, those in zone z1 preferred`);
  assert.equal(words(`db.${SHOP}`), `2 records: ${db}`);
  assert.match(words(`idle.${SHOP}`, 'z1'), /in EndpointSlice idle-a$/);
});

for (const [name, type, words] of CASES) {
  test(`${name} ${type} is told as: ${words}`, () => {
    const { target, zone } = parseName(name, rules.zones, rules.zonal);
    assert.ok(zone);
    const found = answerIn(zone, target, view, { name, type: TYPE[type], class: 1 }, rules);
    assert.equal(inWords(target, view, found, TYPE[type]), words);
  });
}
