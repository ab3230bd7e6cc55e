import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FakeSysctl } from '../../host/sysctl.ts';
import { conntrackLimits, defaultConntrackSettings, type ConntrackSettings } from './conntrack-settings.ts';
import { prepareKernel } from './kernel-settings.ts';
import { reservedPorts } from './reserved-ports.ts';

const short = (name: string) => name.replace('net.netfilter.nf_conntrack_', '');
const LIMITS: [what: string, settings: Partial<ConntrackSettings>, cores: number, expected: Record<string, number>][] =
  [
    [
      'few cores: the least',
      {},
      2,
      { max: 131_072, buckets: 32_768, tcp_timeout_established: 86_400, tcp_timeout_close_wait: 3600 },
    ],
    [
      'more cores: by cores',
      {},
      16,
      { max: 524_288, buckets: 131_072, tcp_timeout_established: 86_400, tcp_timeout_close_wait: 3600 },
    ],
    [
      'very many cores: capped',
      {},
      512,
      { max: 1_048_576, buckets: 262_144, tcp_timeout_established: 86_400, tcp_timeout_close_wait: 3600 },
    ],
    [
      'a least above the cap',
      { min: 2_000_000 },
      512,
      { max: 2_000_000, buckets: 500_000, tcp_timeout_established: 86_400, tcp_timeout_close_wait: 3600 },
    ],
    [
      '0 per core leaves it, and the least counts no more',
      { maxPerCore: 0 },
      8,
      { tcp_timeout_established: 86_400, tcp_timeout_close_wait: 3600 },
    ],
    [
      'UDP where asked',
      { maxPerCore: 0, tcpEstablishedTimeout: 0, tcpCloseWaitTimeout: 0, udpTimeout: 20, udpStreamTimeout: 60 },
      8,
      { udp_timeout: 20, udp_timeout_stream: 60 },
    ],
  ];
for (const [what, settings, cores, expected] of LIMITS) {
  it(`limits of conntrack: ${what}`, () => {
    const limits = conntrackLimits({ ...defaultConntrackSettings, ...settings }, cores);
    assert.deepEqual(Object.fromEntries(limits.map(({ name, value }) => [short(name), value])), expected);
  });
}

const CT = 'net.netfilter.nf_conntrack_';
const kernel = (values: Record<string, string>, readOnly: readonly string[] = []) =>
  new FakeSysctl(
    {
      'net.ipv4.conf.all.route_localnet': '0',
      'net.bridge.bridge-nf-call-iptables': '1',
      [`${CT}tcp_be_liberal`]: '0',
      ...values,
    },
    readOnly,
  );
const needs = { families: ['IPv4'], localhostByRules: false, cores: 2 } as const;

it('raises what is lower, sets what differs, and leaves what is higher', async () => {
  const sysctl = kernel({ [`${CT}max`]: '65536', [`${CT}buckets`]: '262144', [`${CT}tcp_timeout_close_wait`]: '60' });
  const { warnings, dropInvalid } = await prepareKernel(sysctl, needs);
  assert.deepEqual(warnings, []);
  assert.equal(dropInvalid, false);
  assert.equal(sysctl.values.get(`${CT}max`), '131072');
  assert.equal(sysctl.values.get(`${CT}buckets`), '262144');
  assert.equal(sysctl.values.get(`${CT}tcp_timeout_close_wait`), '3600');
});

it('where the kernel lets nothing be written, says so in one sentence and drops INVALID packets', async () => {
  const values = { [`${CT}max`]: '65536', [`${CT}tcp_timeout_established`]: '432000' };
  const sysctl = kernel(values, [...Object.keys(values), `${CT}tcp_be_liberal`]);
  const { warnings, dropInvalid } = await prepareKernel(sysctl, needs);
  assert.deepEqual(warnings, [
    `${CT}max stays 65536 (wanted 131072), ${CT}tcp_timeout_established stays 432000 (wanted 86400): not to be written here, going on with what there is`,
  ]);
  assert.equal(dropInvalid, true);
});

it('does not make conntrack liberal where it is told not to', async () => {
  const sysctl = kernel({});
  const told = { ...needs, conntrack: { tcpBeLiberal: false } };
  assert.equal((await prepareKernel(sysctl, told)).dropInvalid, true);
  assert.equal(sysctl.values.get(`${CT}tcp_be_liberal`), '0');
  sysctl.values.set(`${CT}tcp_be_liberal`, '1');
  assert.equal((await prepareKernel(sysctl, told)).dropInvalid, false);
});

it('says what will not work without a setting that cannot be made', async () => {
  const sysctl = new FakeSysctl({}, []);
  const { warnings } = await prepareKernel(sysctl, { ...needs, localhostByRules: true, families: ['IPv4', 'IPv6'] });
  assert.deepEqual(
    warnings.map((line) => line.split(' ')[0]),
    ['net.ipv4.conf.all.route_localnet', 'net.bridge.bridge-nf-call-iptables', 'net.bridge.bridge-nf-call-ip6tables'],
  );
});

const PORTS: [what: string, local: string, reserved: string, nodePorts: string, wanted: string | undefined][] = [
  ['the defaults do not meet', '32768\t60999', '', '30000-32767', undefined],
  ['they meet', '32768\t60999', '', '30000-40000', '30000-40000'],
  ['others have reserved some', '1024 65535', '8080,9000-9100', '30000-32767', '8080,9000-9100,30000-32767'],
  ['it is done already', '1024 65535', '8080,20000-40000', '30000-32767', undefined],
  ['no port would be left', '30000 32767', '', '20000-40000', undefined],
  ['the kernel says nothing', '', '', '30000-32767', undefined],
  ['no range', '1024 65535', '', 'all', undefined],
];
for (const [what, local, reserved, nodePorts, wanted] of PORTS) {
  it(`node ports are kept from outgoing connections where ${what}: ${wanted ?? 'nothing to do'}`, () => {
    assert.equal(reservedPorts(local, reserved, nodePorts), wanted);
  });
}

it('reserves node ports, and says what may happen where it may not', async () => {
  const local = { 'net.ipv4.ip_local_port_range': '1024 65535', 'net.ipv4.ip_local_reserved_ports': '' };
  const told = { ...needs, nodePortRange: '30000-32767' };
  const sysctl = kernel(local);
  assert.deepEqual((await prepareKernel(sysctl, told)).warnings, []);
  assert.equal(sysctl.values.get('net.ipv4.ip_local_reserved_ports'), '30000-32767');
  const stubborn = kernel(local, Object.keys(local));
  assert.match(
    (await prepareKernel(stubborn, told)).warnings.join(),
    /connections of this node may take node ports as their own/,
  );
});
