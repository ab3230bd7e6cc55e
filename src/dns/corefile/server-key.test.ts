import assert from 'node:assert/strict';
import test from 'node:test';
import { parseServerKey } from './server-key.ts';

const place = { file: 'Corefile', line: 7 };

for (const [key, expected] of [
  ['.', ['. 53']],
  [':1053', ['. 1053']],
  ['.:53', ['. 53']],
  ['Example.ORG', ['example.org. 53']],
  ['example.org.:1053', ['example.org. 1053']],
  ['dns://example.org:5300', ['example.org. 5300']],
  ['DNS://.', ['. 53']],
  ['10.0.0.0/24', ['0.0.10.in-addr.arpa. 53']],
  ['10.0.0.7/24:1053', ['0.0.10.in-addr.arpa. 1053']],
  ['10.2.0.0/15', ['2.10.in-addr.arpa. 53', '3.10.in-addr.arpa. 53']],
  ['a\\..test', ['a\\..test. 53']],
  ['0.0.0.0/0', ['in-addr.arpa. 53']],
  ['192.0.2.1/32', ['1.2.0.192.in-addr.arpa. 53']],
  ['fd00::/16', ['0.0.d.f.ip6.arpa. 53']],
  ['2001:db8::/31', ['8.b.d.0.1.0.0.2.ip6.arpa. 53', '9.b.d.0.1.0.0.2.ip6.arpa. 53']],
  ['2001:db8::/32:5353', ['8.b.d.0.1.0.0.2.ip6.arpa. 5353']],
] as const) {
  test(`serves ${expected.join(' and ')} for ${key}`, () => {
    const keys = parseServerKey(key, place);
    assert.deepEqual(
      keys.map(({ zone, port }) => `${zone} ${String(port)}`),
      expected,
    );
  });
}

for (const [key, expected] of [
  ['tls://.', 'Corefile:7: tls://.: Fairway serves dns:// only, over UDP and TCP'],
  ['https://example.org:443', 'Corefile:7: https://example.org:443: Fairway serves dns:// only, over UDP and TCP'],
  ['.:70000', 'Corefile:7: .:70000: expected a port from 1 to 65535 behind the colon'],
  ['.:dns', 'Corefile:7: .:dns: expected a port from 1 to 65535 behind the colon'],
  ['10.0.0.0/33', 'Corefile:7: 10.0.0.0/33: expected a network such as 10.0.0.0/24 or fd00::/64'],
  ['cluster..local', 'Corefile:7: cluster..local: expected a domain name (empty label)'],
  ['.test', 'Corefile:7: .test: expected a domain name (empty label)'],
  [`${'a'.repeat(64)}.test`, `Corefile:7: ${'a'.repeat(64)}.test: expected a domain name (label too long)`],
] as const) {
  test(`refuses ${key.slice(0, 30)}`, () => {
    assert.throws(() => parseServerKey(key, place), { name: 'CorefileError', message: expected });
  });
}
