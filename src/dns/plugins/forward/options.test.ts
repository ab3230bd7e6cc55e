import assert from 'node:assert/strict';
import test from 'node:test';
import { diskImports } from '../../corefile/import-source.ts';
import { parseCorefile } from '../../corefile/parse.ts';
import type { Directive } from '../../corefile/directive.ts';
import { parseForward, type ForwardOptions } from './options.ts';

function directiveOf(text: string): Directive {
  const [block] = parseCorefile(`. {\n${text}\n}`, {
    file: 'Corefile',
    environment: () => undefined,
    imports: diskImports,
  });
  return block?.directives[0] ?? assert.fail('no directive');
}

/** Option lines of a `forward` to a server nobody asks. */
const parse = (...lines: string[]) => parseForward(directiveOf(`forward . 192.0.2.1 {\n${lines.join('\n')}\n}`));

const dns = (address: string, port = 53) => ({ transport: 'dns', address, port });
const tls = (address: string, port = 853) => ({ transport: 'tls', address, port });

for (const [text, from, to] of [
  ['forward . 10.0.0.1', '.', [dns('10.0.0.1')]],
  ['forward Example.ORG 10.0.0.1:5353', 'example.org.', [dns('10.0.0.1', 5353)]],
  ['forward 10.0.0.0/24 10.0.0.1', '0.0.10.in-addr.arpa.', [dns('10.0.0.1')]],
  ['forward . /etc/resolv.conf', '.', [{ file: '/etc/resolv.conf' }]],
  ['forward . ./servers.conf dns://10.0.0.1', '.', [{ file: './servers.conf' }, dns('10.0.0.1')]],
  [
    'forward . 2001:DB8::1 [2001:db8::2] [2001:db8::3]:5353',
    '.',
    [dns('2001:db8::1'), dns('2001:db8::2'), dns('2001:db8::3', 5353)],
  ],
  ['forward . fe80::1%eth0', '.', [dns('fe80::1%eth0')]],
  ['forward . tls://9.9.9.9 tls://9.9.9.10:8853', '.', [tls('9.9.9.9'), tls('9.9.9.10', 8853)]],
  ['forward . tls://9.9.9.9%dns.quad9.net', '.', [{ ...tls('9.9.9.9'), serverName: 'dns.quad9.net' }]],
  ['forward . tls://9.9.9.9%dns.quad9.net:10853', '.', [{ ...tls('9.9.9.9', 10_853), serverName: 'dns.quad9.net' }]],
] as const) {
  test(`${text}: asks as written`, () => {
    const options = parseForward(directiveOf(text));
    assert.deepEqual({ from: options.from, to: options.to }, { from, to });
  });
}

test('what is not said is as in CoreDNS', () => {
  const { place: _, to: __, ...rest } = parseForward(directiveOf('forward . 10.0.0.1'));
  assert.deepEqual(rest, {
    from: '.',
    except: [],
    forceTcp: false,
    preferUdp: false,
    expireMs: 10_000,
    maxIdle: 0,
    maxAgeMs: 0,
    maxFails: 2,
    maxAttempts: 0,
    policy: 'random',
    health: { intervalMs: 500, recursionDesired: true, name: '.' },
    maxConcurrent: 0,
    next: new Set(),
    nextOnNodata: false,
    failover: new Set(),
    failsFast: false,
    tls: {},
  });
});

const taken: readonly (readonly [string, Partial<ForwardOptions>])[] = [
  ['except example.org 10.0.0.0/8', { except: ['example.org.', '10.in-addr.arpa.'] }],
  ['except example.org\nexcept a.example', { except: ['example.org.', 'a.example.'] }],
  ['force_tcp', { forceTcp: true }],
  ['prefer_udp', { preferUdp: true }],
  ['expire 1m30s', { expireMs: 90_000 }],
  ['max_idle_conns 4', { maxIdle: 4 }],
  ['max_age 5m', { maxAgeMs: 300_000 }],
  ['max_fails 0', { maxFails: 0 }],
  ['max_connect_attempts 3', { maxAttempts: 3 }],
  ['policy round_robin', { policy: 'round_robin' }],
  ['policy sequential', { policy: 'sequential' }],
  ['health_check 2s', { health: { intervalMs: 2000, recursionDesired: true, name: '.' } }],
  [
    'health_check 2s no_rec domain Example.org',
    { health: { intervalMs: 2000, recursionDesired: false, name: 'example.org.' } },
  ],
  ['max_concurrent 1000', { maxConcurrent: 1000 }],
  ['next NXDOMAIN servfail', { next: new Set([3, 2]) }],
  ['next_on_nodata', { nextOnNodata: true }],
  ['failover SERVFAIL REFUSED', { failover: new Set([2, 5]) }],
  ['failfast_all_unhealthy_upstreams', { failsFast: true }],
  ['tls', { tls: {} }],
  ['tls ca.pem', { tls: { ca: 'ca.pem' } }],
  ['tls cert.pem key.pem', { tls: { cert: 'cert.pem', key: 'key.pem' } }],
  ['tls cert.pem key.pem ca.pem', { tls: { cert: 'cert.pem', key: 'key.pem', ca: 'ca.pem' } }],
  ['tls_servername dns.quad9.net', { serverName: 'dns.quad9.net' }],
];
for (const [text, expected] of taken) {
  test(`${text.replace('\n', ', ')}: is taken`, () => {
    const options = parse(text);
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(options[key as keyof ForwardOptions], value);
  });
}

const sixteen = Array.from({ length: 16 }, (_, at) => `10.0.0.${String(at + 1)}`).join(' ');
for (const [text, message] of [
  ['forward', /^Corefile:2: forward: expected a zone and the servers/],
  ['forward .', /^Corefile:2: forward: expected a zone and the servers/],
  [`forward . ${sixteen}`, /^Corefile:2: forward: more than 15 servers: 16$/],
  ['forward . dns.example', /^Corefile:2: forward: "dns.example": expected an IP address or a file/],
  ['forward . https://9.9.9.9', /^Corefile:2: forward: "https:\/\/9.9.9.9": Fairway asks over dns:.* not over https/],
  ['forward . 10.0.0.1:0', /^Corefile:2: .*expected an address, with a port from 1 to 65535/],
  ['forward . 10.0.0.1:99999', /^Corefile:2: .*with a port from 1 to 65535/],
  ['forward . 10.0.0.1%x', /^Corefile:2: .*only tls:\/\/ takes the name of a certificate/],
  ['forward . [::1', /^Corefile:2: forward: .*expected an address/],
  ['forward . tls://9.9.9.9%a {\ntls_servername b\n}', /^Corefile:2: .*contradict each other/],
  [`forward ${'a'.repeat(64)} 10.0.0.1`, /^Corefile:2: /],
  [
    'forward . 192.0.2.1 {\nmax_requests 3\n}',
    /^Corefile:3: forward: unknown option "max_requests", there are except, /,
  ],
  ['forward . 192.0.2.1 {\nexcept\n}', /^Corefile:3: except: expected zones$/],
  [
    'forward . 192.0.2.1 {\nforce_tcp\nforce_tcp yes\n}',
    /^Corefile:4: force_tcp: expected nothing behind it, found "yes"$/,
  ],
  ['forward . 192.0.2.1 {\nexpire -1s\n}', /^Corefile:3: expire: the time cannot be negative$/],
  ['forward . 192.0.2.1 {\nexpire 10\n}', /^Corefile:3: expire: expected a time such as 5s/],
  ['forward . 192.0.2.1 {\nmax_fails -1\n}', /^Corefile:3: max_fails: expected a whole number from 0/],
  [
    'forward . 192.0.2.1 {\npolicy best\n}',
    /^Corefile:3: policy: expected random, round_robin, sequential, found "best"$/,
  ],
  [
    'forward . 192.0.2.1 {\nhealth_check 1s often\n}',
    /^Corefile:3: health_check: expected no_rec or domain NAME, found "often"$/,
  ],
  [
    'forward . 192.0.2.1 {\nhealth_check 1s domain\n}',
    /^Corefile:3: health_check: expected no_rec or domain NAME, found "domain"$/,
  ],
  ['forward . 192.0.2.1 {\nnext WHATEVER\n}', /^Corefile:3: next: "WHATEVER" is no code, there are NOERROR, /],
  ['forward . 192.0.2.1 {\nfailover NOERROR\n}', /^Corefile:3: failover: NOERROR is an answer/],
  ['forward . 192.0.2.1 {\ntls a b c d\n}', /^Corefile:3: tls: expected CERT KEY CA/],
  ['forward . 192.0.2.1 {\nresolver 10.0.0.1\n}', /^Corefile:3: resolver: upstreams are named by address/],
  ['forward . 192.0.2.1 {\ndoh_method GET\n}', /^Corefile:3: doh_method: Fairway does not ask over HTTPS$/],
] as const) {
  test(`${text.replaceAll('\n', ' ')}: is refused with its line`, () => {
    assert.throws(() => parseForward(directiveOf(text)), { name: 'CorefileError', message });
  });
}
