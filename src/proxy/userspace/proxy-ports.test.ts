import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePortRange, ProxyPorts } from './proxy-ports.ts';
import { parseRelays } from './relay-text.ts';

describe('a port range', () => {
  const cases: [text: string, low: number, high: number][] = [
    ['', 32768, 60999],
    ['0-0', 32768, 60999],
    ['40000-40010', 40000, 40010],
    ['40000+10', 40000, 40010],
    ['7-7', 7, 7],
  ];
  for (const [text, low, high] of cases) {
    it(`"${text}" is ${String(low)} to ${String(high)}`, () => {
      assert.deepEqual(parsePortRange(text), { low, high });
    });
  }
  for (const text of ['x', '5-4', '1-70000', '0-5', '1,2', '-3']) {
    it(`"${text}" is refused`, () => {
      assert.throws(() => parsePortRange(text), /^RangeError: proxyPortRange: ".+" is no range such as/);
    });
  }
});

it('the same name prefers the same port, whoever asks first', () => {
  const [a, b] = [new ProxyPorts({ low: 1000, high: 1999 }), new ProxyPorts({ low: 1000, high: 1999 })];
  const names = ['default/one: TCP', 'default/two: TCP', 'default/three: TCP'];
  const first = names.map((name) => a.choose(name));
  const second = names.toReversed().map((name) => b.choose(name));
  assert.deepEqual(second.reverse(), first);
});

it('no two have one port, what cannot be used is passed over, and a full range gives nothing', () => {
  const ports = new ProxyPorts({ low: 10, high: 13 });
  assert.equal(new Set(['a', 'b', 'c'].map((name) => ports.choose(name, new Set([11])))).size, 3);
  assert.equal(ports.isTaken(11), false);
  assert.equal(ports.choose('d', new Set([11])), undefined);
  assert.equal(ports.portOf('d'), undefined);
  ports.release('b');
  assert.notEqual(ports.choose('d', new Set([11])), undefined);
});

it('the port of an older proxy is taken again where it is in the range and free', () => {
  const ports = new ProxyPorts({ low: 10, high: 20 });
  assert.equal(ports.choose('a', undefined, 17), 17);
  assert.notEqual(ports.choose('b', undefined, 17), 17);
  assert.notEqual(ports.choose('c', undefined, 99), 99);
});

it('relays are read out of a text, and all other lines passed over', () => {
  const text = [
    '# relay default/web: TCP 41000 (Local, a client stays for 10 s) -> [fd00::1]:80 [fd00::2]:80',
    '*nat',
    '# relay default/none: UDP 41001 (Cluster) ->',
    '# a remark',
  ].join('\n');
  assert.deepEqual(
    parseRelays(text).map(({ name, protocol, port, hasAffinity, endpoints }) => [
      name,
      protocol,
      port,
      hasAffinity,
      endpoints,
    ]),
    [
      ['default/web:', 'TCP', 41000, true, ['[fd00::1]:80', '[fd00::2]:80']],
      ['default/none:', 'UDP', 41001, false, []],
    ],
  );
});
