import assert from 'node:assert/strict';
import test from 'node:test';
import { readResolvConf } from './resolv-conf.ts';

const lines = (...addresses: string[]) => addresses.map((address) => `nameserver ${address}\n`).join('');
const many = Array.from({ length: 17 }, (_, at) => `10.0.0.${String(at + 1)}`);

for (const [why, text, own, addresses, remarks] of [
  [
    'servers are the nameserver lines that are addresses',
    'search x\n nameserver\t192.0.2.1 # one\nnameserver 2001:DB8::1;two\nnameserver junk\n# nameserver 10.0.0.9\n',
    [],
    ['192.0.2.1', '2001:db8::1'],
    [],
  ],
  ['each once', lines('192.0.2.1', '192.0.2.1'), [], ['192.0.2.1'], []],
  ['a link-local server keeps its link', lines('fe80::1%eth0'), [], ['fe80::1%eth0'], []],
  [
    'this server itself is not asked, and named',
    lines('10.96.0.10', '192.0.2.1'),
    ['10.96.0.10'],
    ['192.0.2.1'],
    [/10\.96\.0\.10, which is this server itself: it is not asked/],
  ],
  [
    'the loopback link is this server where that listens everywhere',
    lines('127.0.0.1', '::1'),
    ['0.0.0.0', '::'],
    [],
    [/127\.0\.0\.1, which is this server itself/, /::1, which is this server itself/],
  ],
  [
    'a server on this machine may be another, and is named',
    lines('127.0.0.1'),
    ['10.96.0.10'],
    ['127.0.0.1'],
    [/127\.0\.0\.1, a server on this machine: if that one forwards to this server/],
  ],
  [
    'a stub of systemd-resolved is asked only if nothing better is known',
    lines('127.0.0.53'),
    ['10.96.0.10'],
    ['127.0.0.53'],
    [],
  ],
  ['more than 15 are not asked', lines(...many), [], many.slice(0, 15), [/names 17 servers: the first 15 are asked/]],
  ['an empty file names nobody', '', [], [], []],
] as const) {
  test(why, () => {
    const conf = readResolvConf(text, '/etc/resolv.conf', own);
    assert.deepEqual(
      conf.upstreams,
      addresses.map((address) => ({ transport: 'dns', address, port: 53 })),
    );
    assert.equal(conf.hasStub, text.includes('127.0.0.53'));
    assert.equal(conf.remarks.length, remarks.length, conf.remarks.join('\n'));
    for (const [at, remark] of remarks.entries()) assert.match(conf.remarks[at] ?? '', remark);
  });
}
