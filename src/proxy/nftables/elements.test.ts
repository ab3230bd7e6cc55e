import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostError } from '../../host/exec.ts';
import type { Nft } from '../../host/nft.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import type { ServicePort } from '../plan/types.ts';
import { addressBytes, addressText, fieldsBytes, fieldsText } from './bytes.ts';
import { compileFrontend } from './compile-frontend.ts';
import { ElementStore, TransactionBuilder } from './elements.ts';
import { frontendsOf } from './frontends.ts';
import { jhash } from './jhash.ts';
import { keyText } from './render.ts';
import { assertSupported, SKIP_KERNEL_CHECK } from './requirements.ts';
import type { Field } from './schema.ts';
import { elementKey } from './text-elements.ts';

const servicePort = (more: Partial<ServicePort>): ServicePort => {
  const scenario = scenarios.find((one) => one.name === 'load-balancer-source-ranges');
  assert.ok(scenario);
  const [service] = loadScenario(scenario).plan.servicePorts;
  assert.ok(service);
  return { ...service, ...more };
};

describe('bytes', () => {
  for (const [text, hex] of [
    ['10.96.0.20', '0a600014'],
    ['255.255.255.255', 'ffffffff'],
    ['fd00::1', 'fd000000000000000000000000000001'],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
  ] as const) {
    it(`${text} there and back`, () => {
      assert.equal(Buffer.from(addressBytes(text), 'latin1').toString('hex'), hex);
      assert.equal(addressText(addressBytes(text)), text);
    });
  }
  for (const text of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.300.4', 'x']) {
    it(`"${text}" is no address`, () => {
      assert.throws(() => addressBytes(text), RangeError);
    });
  }
  it('fields are padded, ports in network order and numbers in the machine’s', () => {
    const fields: readonly Field[] = ['address', 'protocol', 'port', 'number'];
    const bytes = fieldsBytes('10.0.0.1 . sctp . 8080 . 32769', fields);
    assert.equal(Buffer.from(bytes, 'latin1').toString('hex'), '0a000001840000001f90000001800000');
    assert.equal(fieldsText(bytes, fields, 'IPv4'), '10.0.0.1 . sctp . 8080 . 32769');
  });
});

describe('source ranges', () => {
  const rangesIn = (sourceRanges: readonly string[], more: Partial<ServicePort> = {}): readonly string[] => {
    const service = servicePort({ sourceRanges, ...more });
    const store = new ElementStore();
    for (const frontend of frontendsOf(service)) compileFrontend(frontend, service, 'IPv4', store.emit);
    return [...(store.sets.get('firewall-allowed')?.keys() ?? [])].map((key) =>
      keyText('firewall-allowed', key, 'IPv4'),
    );
  };
  const at = '. 172.30.0.160 . tcp . 80';
  it('that lie within another are dropped: the kernel refuses overlaps', () => {
    assert.deepEqual(rangesIn(['10.1.0.0/16', '10.0.0.0/8', '10.1.2.0/24', '10.0.0.0/8', '11.0.0.1/32', '9.0.0.0/8']), [
      `9.0.0.0/8 ${at}`,
      `10.0.0.0/8 ${at}`,
      `11.0.0.1 ${at}`,
    ]);
  });
  it('with the node in them let the load balancer IPs in, once', () => {
    assert.deepEqual(rangesIn(['172.30.0.8/29'], { nodeInSourceRanges: true }), [
      `172.30.0.8/29 ${at}`,
      `172.30.0.160 ${at}`,
    ]);
    assert.deepEqual(rangesIn(['172.30.0.0/24'], { nodeInSourceRanges: true }), [`172.30.0.0/24 ${at}`]);
  });
  it('guard no node port and no external IP', () => {
    assert.deepEqual(rangesIn(['10.0.0.0/8'], { loadBalancerIPs: [], externalIPs: ['172.30.0.160'] }), []);
  });
  it('are read back from text, as ranges too', () => {
    for (const text of [`10.0.0.0/8 ${at}`, `11.0.0.1 ${at}`, `11.0.0.1-11.0.0.3 ${at}`])
      assert.equal(keyText('firewall-allowed', elementKey('firewall-allowed', text, 'IPv4'), 'IPv4'), text);
  });
});

it('a name that could end the text of nft does not get into it', () => {
  const service = servicePort({ name: 'default/we"b }\n: drop' });
  const store = new ElementStore();
  for (const frontend of frontendsOf(service)) compileFrontend(frontend, service, 'IPv4', store.emit);
  for (const value of store.sets.get('service-ips')?.values() ?? []) assert.match(value, /^[\w -]+\0[\w./?:-]+$/);
});

it('a name longer than a comment may be is cut', () => {
  const service = servicePort({ name: `default/${'x'.repeat(200)}:` });
  const store = new ElementStore();
  for (const frontend of frontendsOf(service)) compileFrontend(frontend, service, 'IPv4', store.emit);
  for (const value of store.sets.get('service-ips')?.values() ?? [])
    assert.ok((value.split('\0')[1] ?? '').length < 127);
});

describe('a transaction', () => {
  it('does nothing about what goes and comes back the same', () => {
    const builder = new TransactionBuilder();
    builder.remove('service-ips', 'a', 'drop');
    builder.remove('service-ips', 'b', 'drop');
    builder.add('service-ips', 'a', 'drop');
    builder.add('service-ips', 'b', 'goto x');
    assert.deepEqual(
      builder.build(),
      new Map([['service-ips', { remove: new Set(['b']), add: new Map([['b', 'goto x']]) }]]),
    );
  });
});

it('jhash is the kernel’s', () => {
  // as seen in the kernel (kernel.kernel.test.ts asks it again)
  assert.equal(jhash(`${'\0'.repeat(15)}\u0001`, 1), 2_309_708_270);
});

describe('requirements', () => {
  const nftOf = (version: readonly number[] | undefined) =>
    ({
      version: () =>
        version
          ? Promise.resolve(version)
          : Promise.reject(new HostError(['nft'], 'could not be started', undefined, '')),
    }) as unknown as Nft;
  const kernel = (stdout: string) => () => Promise.resolve({ stdout, stderr: '' });
  it('are met by new enough ones', () => assertSupported(nftOf([1, 0, 1]), kernel('5.13.0-1-amd64\n'), {}));
  for (const [what, version, release, message] of [
    ['no nft', undefined, '6.1.0', /needs the nft command: install it/],
    ['an old nft', [0, 9, 8], '6.1.0', /needs nft 1\.0\.1 or newer, and this is 0\.9\.8/],
    ['an old kernel', [1, 0, 6], '5.10.0-8', /needs Linux 5\.13 or newer, and this is 5\.10\.0-8/],
  ] as const) {
    it(`say what to do about ${what}`, async () => {
      await assert.rejects(assertSupported(nftOf(version), kernel(release), {}), message);
    });
  }
  it('take the word of whoever says that the kernel will do', () =>
    assertSupported(nftOf([1, 0, 6]), kernel('4.18.0'), { [SKIP_KERNEL_CHECK]: '1' }));
});
