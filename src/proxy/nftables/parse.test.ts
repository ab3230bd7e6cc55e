import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import { UnknownRuleError } from '../trace-outcome.ts';
import { compile } from './compile.ts';
import { nftablesMode } from './mode.ts';
import { parse, type ParsedTable } from './parse.ts';
import { elementText, render } from './render.ts';
import { trace } from './trace.ts';

const only = (text: string): ParsedTable => {
  const [table] = parse(text);
  assert.ok(table);
  return table;
};

it('reads back every chain and element that was rendered', () => {
  for (const family of ['IPv4', 'IPv6'] as const) {
    for (const scenario of scenarios) {
      const compiled = compile(loadScenario(scenario, { family, traits: nftablesMode.traits(family) }).plan);
      const table = only(render(compiled));
      assert.equal(table.family, family);
      assert.deepEqual(
        [...table.chains.values()].map(({ name, rules }) => ({ name, rules })),
        compiled.chains.map(({ name, rules }) => ({ name, rules })),
      );
      for (const [set, elements] of compiled.elements) {
        const texts = [...elements].map(([key, value]) =>
          elementText(set, key, value, family).replace(/ comment "[^"]*"/, ''),
        );
        const read = [...(table.sets.get(set)?.elements.values() ?? [])];
        assert.deepEqual(
          read.map(({ key, value }) => (value === '' ? key : `${key} : ${value}`)),
          texts,
        );
      }
    }
  }
});

it('reads elements as nft lists them: several on a line, with times and comments', () => {
  const text = `table ip kube-proxy {
	map m {
		type ipv4_addr : verdict
		elements = { 1.1.1.1 timeout 1h2m3s expires 4s5ms : drop, 2.2.2.2 comment "a, b { }" : goto x,
			     3.3.3.3 : jump y }
	}
	set s {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8, 11.0.0.1-11.0.0.3 }
	}
}
`;
  const table = only(text);
  assert.deepEqual(
    [...(table.sets.get('m')?.elements.values() ?? [])],
    [
      { key: '1.1.1.1', value: 'drop', comment: '', timeout: 3_723_000, expires: 4005 },
      { key: '2.2.2.2', value: 'goto x', comment: 'a, b { }', timeout: 0, expires: 0 },
      { key: '3.3.3.3', value: 'jump y', comment: '', timeout: 0, expires: 0 },
    ],
  );
  assert.deepEqual([...(table.sets.get('s')?.elements.keys() ?? [])], ['10.0.0.0/8', '11.0.0.1-11.0.0.3']);
});

describe('text that is none of ours', () => {
  for (const [text, line] of [
    ['hello', 1],
    ['table ip x {\n\thello\n}', 2],
    ['table ip x {', 1],
    ['table ip x {\n\tset s {\n\t\telements = { a b c }\n\t}\n}', 3],
  ] as const) {
    it(`is refused with its line: ${JSON.stringify(text)}`, () => {
      assert.throws(() => parse(text), new RegExp(`^SyntaxError: line ${String(line)}`));
    });
  }
});

describe('a rule of others', () => {
  const packet = { source: '10.0.0.1', destination: '10.0.0.2', port: 80, protocol: 'TCP', fromNode: false } as const;
  const machine = { localIPs: ['172.30.0.11'] };
  const withRule = (rule: string) =>
    only(`table ip x {
	chain c {
		type nat hook prerouting priority dstnat - 10; policy accept;
		${rule}
	}
	chain d {
		goto d
	}
}
`);
  for (const rule of [
    'tcp dport 80 drop',
    'ip saddr 10.0.0.1 queue to 1',
    'ip daddr @nobody drop',
    'goto gone',
    'jump d',
  ])
    it(`that is not understood is not guessed at: ${rule}`, () => {
      assert.throws(() => trace(withRule(rule), machine, packet), UnknownRuleError);
    });
  it('that cannot match is passed by, whatever stands behind', () => {
    const [outcome] = trace(withRule('ip saddr 9.9.9.9 weird thing'), machine, packet);
    assert.equal(outcome?.verdict, 'pass');
  });
});

it('says which rules and elements decided, and the share of each way', () => {
  const scenario = scenarios.find((one) => one.name === 'cluster-ip');
  assert.ok(scenario);
  const { plan } = loadScenario(scenario, { traits: nftablesMode.traits('IPv4') });
  const packet = {
    source: '10.244.1.9',
    destination: '10.96.0.20',
    port: 80,
    protocol: 'TCP',
    fromNode: false,
  } as const;
  const [outcomes = []] = nftablesMode.trace(plan, [packet]);
  assert.deepEqual(
    outcomes.map((one) => `${one.share.toFixed(3)} ${one.destination}`),
    ['0.333 10.244.1.5:9376', '0.333 10.244.1.6:9376', '0.333 10.244.2.5:9376'],
  );
  assert.deepEqual(
    outcomes[0]?.steps.slice(0, 4).map(({ chain, rule }) => `${chain}: ${rule}`),
    [
      'filter-prerouting-pre-dnat: ct state new jump firewall-check',
      'nat-prerouting: jump services',
      'services: ip daddr . meta l4proto . th dport vmap @service-ips { 10.96.0.20 . tcp . 80 comment "default/hostnames:default" : goto cluster-ip-3 }',
      'cluster-ip-3: dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 3 map @service-endpoints { 10.96.0.20 . tcp . 80 . 0 : 10.244.1.5 . 9376 }',
    ],
  );
});
