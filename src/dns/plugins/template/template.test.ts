import assert from 'node:assert/strict';
import test from 'node:test';
import { corefileAsker } from '../../corefile-asker.ts';
import { compileTemplate } from './go-template.ts';

const IP = String.raw`match (^|[.])ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$`;

for (const [why, text, question, expected] of [
  ['everything is NXDOMAIN', '. {\ntemplate ANY ANY {\n rcode NXDOMAIN\n}\n}', 'a.test MX', 'NXDOMAIN aa|?a.test. MX'],
  [
    'groups by name',
    `. {\ntemplate IN A example {\n ${IP}\n answer "{{ .Name }} 60 IN A {{ .Group.a }}.{{ .Group.b}}.{{.Group.c}}.{{ index .Group \\"d\\" }}"\n}\n}`,
    'x.IP-10-0-0-7.example',
    'NOERROR aa|?x.IP-10-0-0-7.example. A|x.ip-10-0-0-7.example. 60 IN A 10.0.0.7',
  ],
  [
    'no expression fits: SERVFAIL',
    `. {\ntemplate IN A example {\n ${IP}\n answer "{{ .Name }} 60 IN A 10.0.0.1"\n}\n}`,
    'a.example',
    'SERVFAIL|?a.example. A',
  ],
  [
    'no expression fits: the next template',
    `. {\ntemplate IN A example {\n ${IP}\n rcode REFUSED\n fallthrough\n}\ntemplate IN A {\n answer "{{ .Name }} 60 IN A 10.0.0.1"\n}\n}`,
    'a.example',
    'NOERROR aa|?a.example. A|a.example. 60 IN A 10.0.0.1',
  ],
  [
    'fallthrough for other zones only',
    `. {\ntemplate IN A example {\n ${IP}\n fallthrough other.example\n}\nwhoami\n}`,
    'a.example',
    'SERVFAIL|?a.example. A',
  ],
  [
    'another type: the next plugin',
    '. {\ntemplate IN A {\n rcode REFUSED\n}\ntemplate IN AAAA {\n rcode NXDOMAIN\n}\n}',
    'a.test AAAA',
    'NXDOMAIN aa|?a.test. AAAA',
  ],
  [
    'another zone: the next plugin',
    '. {\ntemplate IN A a.test {\n rcode REFUSED\n}\ntemplate IN A {\n rcode NXDOMAIN\n}\n}',
    'b.test',
    'NXDOMAIN aa|?b.test. A',
  ],
  [
    'numbers to another base',
    String.raw`. {
template IN A example {
 match "^ip0a(?P<b>[a-f0-9]{2})(?P<c>[a-f0-9]{2})(?P<d>[a-f0-9]{2})[.]example[.]$"
 answer "{{ .Name }} 60 IN A 10.{{ parseInt .Group.b 16 8 }}.{{ parseInt .Group.c 16 8 }}.{{ parseInt .Group.d 16 8 }}"
}
}`,
    'ip0a7b7b7f.example',
    'NOERROR aa|?ip0a7b7b7f.example. A|ip0a7b7b7f.example. 60 IN A 10.123.123.127',
  ],
  [
    'parts of the match, zone, class and authority',
    String.raw`. {
template IN ANY example.com {
 match "example\.com\.(dc1\.example\.com\.)$"
 rcode NXDOMAIN
 authority "{{ index .Match 1 }} 60 {{ .Class }} SOA ns.{{ .Zone }} hostmaster.{{ index .Match 1 }} (1 60 60 60 60)"
}
}`,
    'x.example.com.dc1.example.com',
    'NXDOMAIN aa|?x.example.com.dc1.example.com. A|;dc1.example.com. 60 IN SOA ns.example.com. hostmaster.dc1.example.com. 1 60 60 60 60',
  ],
  [
    'additional records, and several answers',
    '. {\ntemplate IN MX {\n answer "{{ .Name }} 60 IN MX 10 {{ .Name }}" "{{ .Name }} 60 IN MX 20 b.test"\n additional "{{ .Name }} 60 IN A 10.0.0.1"\n}\n}',
    'a.test MX',
    'NOERROR aa|?a.test. MX|a.test. 60 IN MX 10 a.test.|a.test. 60 IN MX 20 b.test.|+a.test. 60 IN A 10.0.0.1',
  ],
  [
    'an alias is followed',
    '. {\ntemplate IN ANY foogle.com {\n answer "foogle.com 60 IN CNAME google.com"\n}\ntemplate IN A google.com {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n}\n}',
    'foogle.com',
    'NOERROR aa|?foogle.com. A|foogle.com. 60 IN CNAME google.com.|google.com. 60 IN A 192.0.2.1',
  ],
  [
    'who asks',
    '. {\ntemplate IN TXT {\n answer "{{ .Name }} 0 {{ .Class }} {{ .Type }} {{ .Remote }}"\n}\n}',
    'a.test TXT',
    'NOERROR aa|?a.test. TXT|a.test. 0 IN TXT "10.244.1.3"',
  ],
  [
    'a record that is none: SERVFAIL',
    '. {\ntemplate IN A {\n answer "{{ .Name }} 60 IN A {{ .Type }}"\n}\n}',
    'a.test',
    'SERVFAIL|?a.test. A',
  ],
  ['SERVFAIL as it is told', '. {\ntemplate IN A {\n rcode SERVFAIL\n}\n}', 'a.test', 'SERVFAIL|?a.test. A'],
] as const) {
  test(`answers: ${why}`, async () => {
    const { ask } = await corefileAsker(text);
    assert.equal((await ask(question)).replaceAll('\n', '|'), expected);
  });
}

test('metadata is there where the plugin of that name is', async () => {
  const answerOf = async (before: string) => {
    const text = `. {\n${before}\ntemplate IN TXT {\n answer "{{ .Name }} 0 IN TXT <{{ .Meta \\"kubernetes/client-namespace\\" }}>"\n}\n}`;
    return (await (await corefileAsker(text)).ask('a.test TXT')).split('\n').at(-1);
  };
  assert.equal(await answerOf(''), 'a.test. 0 IN TXT "<>"');
});

test('an extended error goes to who can read it', async () => {
  const { answer } = await corefileAsker(
    '. {\ntemplate ANY ANY invalid {\n rcode NXDOMAIN\n ederror 21 "Blocked"\n}\n}',
  );
  const edns = { size: 1232, version: 0, dnssecOk: false };
  const options = (await answer('a.invalid', { edns }))?.message.edns?.options;
  assert.deepEqual(options, [{ code: 15, bytes: Buffer.from('\0\x15Blocked') }]);
  assert.equal((await answer('a.invalid'))?.message.edns, undefined);
});

test('matches and failures are counted', async () => {
  const { ask, runtime } = await corefileAsker('. {\ntemplate IN A {\n answer "x A y"\n}\n}');
  await ask('a.test');
  const text = runtime.metrics.render();
  const labels = 'server="dns://:53",zone=".",view="",class="IN",type="A"';
  assert.ok(text.includes(`coredns_template_matches_total{${labels}} 1\n`), text);
  assert.ok(text.includes(`coredns_template_rr_failures_total{${labels},section="answer",template="x A y"} 1\n`), text);
});

const DATA = {
  fields: { Name: 'a.', Zone: '.' },
  match: ['a.', 'b'],
  group: { g: 'G' },
  meta: (label: string) => `<${label}>`,
};

for (const [text, expected] of [
  ['no action', 'no action'],
  ['x {{- .Name -}} y', 'xa.y'],
  ['{{/* why */}}{{ `raw` }}{{ "q\\"t" }}', 'rawq"t'],
  ['{{ parseInt (index .Match 1) 16 8 }}', '11'],
  ['{{ .Meta "a/b" }}{{ .Group.g }}{{ .Group.none }}', '<a/b>G'],
  ['}} {{ .Name }}', '}} a.'],
] as const) {
  test(`fills in ${text}`, () => {
    assert.equal(compileTemplate(text)(DATA), expected);
  });
}

for (const [option, expected] of [
  ['answer "{{ if .Name }}x{{ end }}"', '"if" is not served by Fairway in templates, there are index, parseInt'],
  ['answer "{{ .Name | printf }}"', '"|" is not served by Fairway in templates'],
  [
    'answer "{{ .Message.Id }}"',
    '".Message.Id" is not served by Fairway in templates, there are .Zone, .Name, .Class, .Type, .Remote, .Group.NAME, .Meta "LABEL", index .Match N',
  ],
  ['answer "{{ .Name"', 'an "{{" is never closed'],
  ['answer "{{ .Name .Zone }}"', '".Zone" is left over in {{ .Name .Zone }}'],
  ['answer "{{ }}"', '{{ }} says nothing'],
  ['answer "{{ parseInt .Name 10 }}"', 'parseInt needs more behind it'],
  ['rcode NOPE', '"NOPE" is no code such as NXDOMAIN'],
  ['match (', 'error parsing regexp: missing closing ): `(`: "("'],
] as const) {
  test(`refuses ${option}`, async () => {
    const name = option.split(' ')[0] ?? '';
    await assert.rejects(corefileAsker(`. {\ntemplate IN A {\n ${option}\n}\n}`), {
      name: 'CorefileError',
      message: `Corefile:3: ${name}: ${expected}`,
    });
  });
}

test('refuses what is no class, no type and no option', async () => {
  const refusal = async (text: string, message: string) =>
    assert.rejects(corefileAsker(`. {\n${text}\n}`), { name: 'CorefileError', message });
  await refusal('template IN', 'Corefile:2: template: expected a class and a type, found "IN"');
  await refusal('template XX A', 'Corefile:2: template: "XX" is no class, there are IN, CH, HS and ANY');
  await refusal('template IN NOPE', 'Corefile:2: template: "NOPE" is no type of records');
  await refusal(
    'template IN A {\n reply x\n}',
    'Corefile:3: template: unknown option "reply", there are match, answer, additional, authority, rcode, ederror, fallthrough, upstream',
  );
});
