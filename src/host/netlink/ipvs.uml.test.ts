import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { exec } from '../exec.ts';
import { createIpvs, type Ipvs, type IpvsChange, type VirtualServer } from './ipvs.ts';
import { createAddressLinks } from './links.ts';

requireOuterNamespace();

let ipvs: Ipvs;
before(() => {
  ipvs = createIpvs();
});
beforeEach(async () => {
  await ipvs.flush();
});
after(() => {
  ipvs.close();
});

const saved = async () => (await exec('ipvsadm', ['--save', '--numeric'])).stdout.trim().split('\n').sort();

const web: VirtualServer = { protocol: 'TCP', address: '10.96.0.1', port: 80, scheduler: 'rr' };
const sticky: VirtualServer = {
  protocol: 'UDP',
  address: '10.96.0.1',
  port: 53,
  scheduler: 'wlc',
  persistence: 10_800,
};
const six: VirtualServer = { protocol: 'TCP', address: 'fd00:96::1', port: 80, scheduler: 'sh', schedulerFlags: 3 };
const sctp: VirtualServer = { protocol: 'SCTP', address: '10.96.0.2', port: 7, scheduler: 'lc' };
const add = (service: VirtualServer): IpvsChange => ({ op: 'add-service', service });

test('what is written ipvsadm shows, and what it shows is read back', async () => {
  const refused = await ipvs.apply([
    ...[web, sticky, six, sctp].map(add),
    { op: 'add-destination', service: web, destination: { address: '10.1.0.1', port: 8080, weight: 1 } },
    { op: 'add-destination', service: web, destination: { address: '10.1.0.2', port: 8080, weight: 1 } },
    { op: 'add-destination', service: six, destination: { address: 'fd00:1::1', port: 8080, weight: 1 } },
  ]);
  assert.deepEqual(refused, []);
  assert.deepEqual(await saved(), [
    '-A --sctp-service 10.96.0.2:7 -s lc',
    '-A -t 10.96.0.1:80 -s rr',
    '-A -t [fd00:96::1]:80 -s sh -b sh-fallback,sh-port',
    '-A -u 10.96.0.1:53 -s wlc -p 10800',
    '-a -t 10.96.0.1:80 -r 10.1.0.1:8080 -m -w 1',
    '-a -t 10.96.0.1:80 -r 10.1.0.2:8080 -m -w 1',
    '-a -t [fd00:96::1]:80 -r [fd00:1::1]:8080 -m -w 1',
  ]);
  const byName = (a: VirtualServer, b: VirtualServer) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  assert.deepEqual([...(await ipvs.services())].sort(byName), [web, sticky, six, sctp].sort(byName));
  const idle = { weight: 1, activeConnections: 0, inactiveConnections: 0 };
  assert.deepEqual(await ipvs.destinations(six), [{ address: 'fd00:1::1', port: 8080, ...idle }]);
  assert.equal((await ipvs.destinations(web)).length, 2);
});

test('what ipvsadm made is changed and deleted', async () => {
  const input = '-A -t 10.96.0.1:80 -s rr -p 60\n-a -t 10.96.0.1:80 -r 10.1.0.1:8080 -m -w 1\n-A -f 7 -s rr\n';
  await exec('ipvsadm', ['--restore'], { input });
  assert.deepEqual(await ipvs.services(), [{ ...web, persistence: 60 }]);
  const destination = { address: '10.1.0.1', port: 8080, weight: 0 };
  assert.deepEqual(
    await ipvs.apply([
      { op: 'set-service', service: { ...web, scheduler: 'mh' } },
      { op: 'set-destination', service: web, destination },
    ]),
    [],
  );
  assert.deepEqual(await saved(), [
    '-A -f 7 -s rr',
    '-A -t 10.96.0.1:80 -s mh',
    '-a -t 10.96.0.1:80 -r 10.1.0.1:8080 -m -w 0',
  ]);
  await ipvs.apply([{ op: 'delete-destination', service: web, destination }]);
  assert.deepEqual(await ipvs.destinations(web), []);
  await ipvs.apply([{ op: 'delete-service', service: web }]);
  assert.deepEqual(await saved(), ['-A -f 7 -s rr']);
});

test('each refusal names its change and its errno, and the others are done', async () => {
  const destination = { address: '10.1.0.1', port: 8080, weight: 1 };
  const refused = await ipvs.apply([
    add(web),
    add(web),
    add({ ...sctp, scheduler: 'nonsense' }),
    { op: 'delete-service', service: sticky },
    { op: 'delete-destination', service: web, destination },
    { op: 'add-destination', service: sticky, destination },
    { op: 'add-destination', service: web, destination },
  ]);
  assert.deepEqual(
    refused.map(({ request: { op, service }, code }) => [op, service.port, code]),
    [
      ['add-service', 80, 'EEXIST'],
      ['add-service', 7, 'ENOENT'],
      ['delete-service', 53, 'ESRCH'],
      ['delete-destination', 80, 'ENOENT'],
      ['add-destination', 53, 'ESRCH'],
    ],
  );
  assert.deepEqual(await saved(), ['-A -t 10.96.0.1:80 -s rr', '-a -t 10.96.0.1:80 -r 10.1.0.1:8080 -m -w 1']);
  assert.deepEqual(await ipvs.destinations(sticky), []);
});

test('timeouts are told and set, and 0 keeps what is', async () => {
  await ipvs.setTimeouts({ tcp: 900, tcpFin: 120, udp: 300 });
  await ipvs.setTimeouts({ tcp: 800, tcpFin: 0, udp: 0 });
  assert.deepEqual(await ipvs.timeouts(), { tcp: 800, tcpFin: 120, udp: 300 });
  assert.match((await exec('ipvsadm', ['--list', '--timeout'])).stdout, /800 120 300/);
});

test('2,500 services with 4 real servers each are written and read', async () => {
  const services = Array.from({ length: 2500 }, (_, i) => ({
    ...web,
    address: `10.96.${String(i >> 8)}.${String(i & 255)}`,
  }));
  const ports = [1, 2, 3, 4];
  const changes = services.flatMap((service): IpvsChange[] => [
    add(service),
    ...ports.map(
      (port) => ({ op: 'add-destination', service, destination: { address: '10.1.0.1', port, weight: 1 } }) as const,
    ),
  ]);
  const start = performance.now();
  assert.deepEqual(await ipvs.apply(changes), []);
  const written = performance.now();
  assert.equal((await ipvs.services()).length, 2500);
  for (const service of services) assert.equal((await ipvs.destinations(service)).length, 4);
  console.log(`written in ${(written - start).toFixed(0)} ms, read in ${(performance.now() - written).toFixed(0)} ms`);
});

test('a dummy device is made once, without ARP, and holds addresses while it is down', async () => {
  const links = createAddressLinks();
  assert.equal(await links.makeDummy('kube-test0'), true);
  assert.equal(await links.makeDummy('kube-test0'), false);
  assert.deepEqual(await links.flags('kube-test0'), { up: false, noArp: true });
  assert.deepEqual(await links.changeAddresses('kube-test0', [{ op: 'add', address: '10.96.0.1' }]), []);
  assert.deepEqual(await links.addresses('kube-test0', 'IPv4'), new Set(['10.96.0.1']));
  await links.deleteLink('kube-test0');
  assert.equal(await links.flags('kube-test0'), undefined);
  links.close();
});
