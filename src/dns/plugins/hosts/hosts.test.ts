import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { corefileAsker } from '../../corefile-asker.ts';
import { FakeClock } from '../../../lib/clock.ts';

const INLINE = `
 10.0.0.1 a.test alias.a.test
 10.0.0.2 a.test
 fd00::1 a.test
 10.0.0.9 *.wild.test
 10.0.0.3 other.org`;

const V6 = `${'1.'.padEnd(60, '0.')}d.f.ip6.arpa.`;

const hosts = (args: string, options = '', behind = '') =>
  `. {\nhosts /nonexistent/hosts ${args} {${INLINE}\n${options}\n}\n${behind}\n}`;

for (const [why, text, question, expected] of [
  [
    'all addresses of the family',
    hosts(''),
    'A.test',
    'NOERROR aa|?A.test. A|A.test. 3600 IN A 10.0.0.1|A.test. 3600 IN A 10.0.0.2',
  ],
  ['IPv6', hosts(''), 'a.test AAAA', 'NOERROR aa|?a.test. AAAA|a.test. 3600 IN AAAA fd00::1'],
  ['NODATA for a family that it has not', hosts(''), 'other.org AAAA', 'NOERROR aa|?other.org. AAAA'],
  ['NODATA for another type', hosts('', 'fallthrough', 'whoami'), 'a.test TXT', 'NOERROR aa|?a.test. TXT'],
  [
    'another type from the next plugin',
    hosts('', 'fallthrough\nfallthrough_unsupported', 'template IN TXT {\n rcode NXDOMAIN\n}'),
    'a.test TXT',
    'NXDOMAIN aa|?a.test. TXT',
  ],
  ['SERVFAIL without fallthrough', hosts(''), 'b.test', 'SERVFAIL|?b.test. A'],
  [
    'the next plugin with fallthrough',
    hosts('', 'fallthrough', 'template IN A {\n rcode NXDOMAIN\n}'),
    'b.test',
    'NXDOMAIN aa|?b.test. A',
  ],
  ['fallthrough for other zones only', hosts('', 'fallthrough other.org', 'whoami'), 'b.test', 'SERVFAIL|?b.test. A'],
  [
    'a name of another zone from the next plugin',
    hosts('test', '', 'template IN A {\n rcode NXDOMAIN\n}'),
    'other.org',
    'NXDOMAIN aa|?other.org. A',
  ],
  ['a star for one label', hosts(''), 'x.wild.test', 'NOERROR aa|?x.wild.test. A|x.wild.test. 3600 IN A 10.0.0.9'],
  ['not for two', hosts(''), 'y.x.wild.test', 'SERVFAIL|?y.x.wild.test. A'],
  ['not for none', hosts(''), 'wild.test', 'SERVFAIL|?wild.test. A'],
  [
    'names of an address',
    hosts(''),
    '1.0.0.10.in-addr.arpa PTR',
    'NOERROR aa|?1.0.0.10.in-addr.arpa. PTR|1.0.0.10.in-addr.arpa. 3600 IN PTR a.test.|1.0.0.10.in-addr.arpa. 3600 IN PTR alias.a.test.',
  ],
  ['names of an IPv6 address', hosts(''), `${V6} PTR`, `NOERROR aa|?${V6} PTR|${V6} 3600 IN PTR a.test.`],
  [
    'an address without a name from the next plugin, even without fallthrough',
    hosts('', '', 'template IN PTR {\n rcode NXDOMAIN\n}'),
    '7.0.0.10.in-addr.arpa PTR',
    'NXDOMAIN aa|?7.0.0.10.in-addr.arpa. PTR',
  ],
  [
    'no reverse names',
    hosts('', 'no_reverse', 'template IN PTR {\n rcode NXDOMAIN\n}'),
    '1.0.0.10.in-addr.arpa PTR',
    'NXDOMAIN aa|?1.0.0.10.in-addr.arpa. PTR',
  ],
  ['a TTL', hosts('', 'ttl 60'), 'other.org', 'NOERROR aa|?other.org. A|other.org. 60 IN A 10.0.0.3'],
] as const) {
  test(`answers ${why}`, async () => {
    const asker = await corefileAsker(text);
    assert.equal((await asker.ask(question)).replaceAll('\n', '|'), expected);
    await asker.stop();
  });
}

for (const [option, expected] of [
  [
    '10.0.0.1',
    '"10.0.0.1" is neither an address with names nor an option, there are fallthrough, fallthrough_unsupported, no_reverse, reload, ttl',
  ],
  [
    '10.0.0 a.test',
    '"10.0.0" is neither an address with names nor an option, there are fallthrough, fallthrough_unsupported, no_reverse, reload, ttl',
  ],
] as const) {
  test(`refuses ${option}`, async () => {
    const message = `Corefile:3: hosts: ${expected}`;
    await assert.rejects(corefileAsker(`. {\nhosts {\n${option}\n}\n}`), { name: 'CorefileError', message });
  });
}

test('refuses a TTL of 0, a time that is none, and half an option', async () => {
  const refusal = (text: string, message: string) =>
    assert.rejects(corefileAsker(`. {\nhosts {\n${text}\n}\n}`), { name: 'CorefileError', message });
  await refusal('ttl 0', 'Corefile:3: ttl: expected a whole number from 1 to 65535, found "0"');
  await refusal('reload often', 'Corefile:3: reload: expected a time such as 5s, 1m30s or 100ms, found "often"');
  await refusal('fallthrough_unsupported', 'Corefile:2: hosts: fallthrough_unsupported needs fallthrough');
});

test('a file that changes is taken, one that goes leaves the Corefile, and who keeps packets is told', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hosts-'));
  const file = join(folder, 'hosts');
  await writeFile(file, '# comment\n192.0.2.1 f.test # first\nnonsense\n192.0.2.1\n');
  const clock = new FakeClock();
  const asker = await corefileAsker(`. {\nroot ${folder}\nhosts hosts {\n 192.0.2.2 f.test\n}\n}`, { clock });
  let told = 0;
  asker.runtime.changes.onChange(() => told++);
  const addresses = async () =>
    (await asker.answer('f.test'))?.message.answers.map((record) => record.type === 1 && record.address);
  try {
    assert.deepEqual(await addresses(), ['192.0.2.1', '192.0.2.2']);
    const again = async () => {
      const before = told;
      clock.advance(5000);
      while (told === before) await turn();
    };
    await writeFile(file, '192.0.2.3 f.test\n');
    await again();
    assert.deepEqual(await addresses(), ['192.0.2.3', '192.0.2.2']);
    assert.match(asker.runtime.metrics.render(), /\ncoredns_hosts_entries 2\n/);
    await rm(file);
    await again();
    assert.deepEqual(await addresses(), ['192.0.2.2']);
  } finally {
    await asker.stop();
    await rm(folder, { recursive: true });
  }
});
