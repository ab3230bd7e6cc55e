import assert from 'node:assert/strict';
import test from 'node:test';
import { corefileAsker } from '../../corefile-asker.ts';
import { recordingLog } from '../../recording-log.ts';

const ZONE = `
  template IN A a.test {
    answer "{{ .Name }} 60 IN A 192.0.2.1"
  }
  template IN ANY gone.test {
    rcode NXDOMAIN
  }
  template IN AAAA a.test {
    rcode NOERROR
  }
`;

for (const [why, directive, question, expected] of [
  [
    'the common format',
    'log',
    'a.test',
    'info 10.244.1.3:40000 - 7 "A IN a.test. udp 24 false 512" NOERROR qr,aa,rd 40 Ds',
  ],
  [
    'the combined format',
    'log . {combined}',
    'a.test',
    'info 10.244.1.3:40000 - 7 "A IN a.test. udp 24 false 512" NOERROR qr,aa,rd 40 Ds "0"',
  ],
  [
    'a format of its own',
    'log . "{proto} Request: {name} {type} {>id} {/kubernetes/client-namespace}"',
    'a.test',
    'info udp Request: a.test. A 7 -',
  ],
  ['a format without names', 'log "{name}"', 'a.test', 'info a.test.'],
  ['names of a zone', 'log a.test b.test "{name}"', 'x.a.test', 'info x.a.test.'],
  ['not those of another zone', 'log b.test', 'a.test', ''],
  [
    'denials',
    'log {\n class denial\n}',
    'gone.test',
    'info 10.244.1.3:40000 - 7 "A IN gone.test. udp 27 false 512" NXDOMAIN qr,aa,rd 27 Ds',
  ],
  ['a name without that type is a denial', 'log . "{type}" {\n class denial\n}', 'a.test AAAA', 'info AAAA'],
  ['successes are no denials', 'log {\n class denial\n}', 'a.test', ''],
  ['errors', 'log . "{rcode}" {\n class error\n}', 'none.test', 'info SERVFAIL'],
  ['several classes', 'log . "{rcode}" {\n class error\n class denial\n}', 'gone.test', 'info NXDOMAIN'],
  ['all, whatever else is named', 'log . "{rcode}" {\n class error all\n}', 'a.test', 'info NOERROR'],
  ['what is slow, whatever its class', 'log . "{rcode}" {\n class error\n minDuration 0s\n}', 'a.test', 'info NOERROR'],
  ['what is not slow is not', 'log . "{rcode}" {\n class error\n minDuration 1h\n}', 'a.test', ''],
  ['the first rule that fits', 'log a.test "first {name}"\nlog . "second {name}"', 'a.test', 'info first a.test.'],
] as const) {
  test(`logs ${why}`, async () => {
    const { lines, log } = recordingLog();
    const { ask } = await corefileAsker(`. {\n${directive}\n${ZONE}}`, { log });
    await ask(question);
    assert.equal(lines.join('\n').replace(/\d\.\d{9}s/, 'Ds'), expected);
  });
}

test('an IPv6 address has brackets, and EDNS is told', async () => {
  const { lines, log } = recordingLog();
  const { ask } = await corefileAsker(`. {\nlog . "{remote} {>do} {>bufsize}"\n${ZONE}}`, { log });
  await ask('a.test', { edns: { size: 4096, version: 0, dnssecOk: true } }, { address: '2001:db8::7' });
  assert.deepEqual(lines, ['info [2001:db8::7] true 4096']);
});

for (const [directive, expected] of [
  [
    'log . "{nope}"',
    'Corefile:2: log: unknown placeholder {nope}, there are {type} {name} {class} {proto} {remote} {port} {size} {rsize} {rcode} {duration} {>id} {>opcode} {>do} {>bufsize} {>rflags} and {/LABEL}',
  ],
  ['log {\n class most\n}', 'Corefile:3: log: unknown class "most", there are success, denial, error and all'],
  ['log {\n maxDuration 1s\n}', 'Corefile:3: log: unknown option "maxDuration", there are class, minDuration'],
  ['log {\n minDuration\n}', 'Corefile:3: minDuration: expected a time'],
] as const) {
  test(`refuses ${directive.replaceAll(/\s+/g, ' ')}`, async () => {
    await assert.rejects(corefileAsker(`. {\n${directive}\n}`), { name: 'CorefileError', message: expected });
  });
}
