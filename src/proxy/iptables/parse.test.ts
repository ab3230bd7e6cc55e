import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import { compile } from './compile.ts';
import { diff, shadowOfKernel } from './delta.ts';
import { parse } from './parse.ts';
import { render } from './render.ts';
import { UnknownRuleError } from '../trace-outcome.ts';
import { trace } from './trace.ts';

const packet = { source: '10.0.0.1', destination: '10.0.0.2', port: 80, protocol: 'TCP', fromNode: false } as const;
const machine = { localIPs: ['172.30.0.11'] };

it('reads back what was rendered, so that nothing is left to write', () => {
  for (const scenario of scenarios) {
    const rules = compile(loadScenario(scenario).plan);
    assert.equal(diff(shadowOfKernel(parse(render(rules))), rules).text, '', scenario.name);
  }
});

it('knows its own rules in the words of iptables-save', () => {
  const scenario = scenarios.find((one) => one.name === 'session-affinity');
  assert.ok(scenario);
  const rules = compile(loadScenario(scenario).plan);
  // what iptables-save makes of them: other order, lengths, defaults and roundings
  const saved = render(rules)
    .replaceAll(
      /-m comment --comment ("[^"]*") -m tcp -p tcp -d (\S+) --dport 80/g,
      '-d $2/32 -p tcp -m comment --comment $1 -m tcp --dport 80',
    )
    .replaceAll(
      /-m recent --name (\S+) --rcheck --seconds 10 --reap/g,
      '-m recent --rcheck --seconds 10 --reap --name $1 --mask 255.255.255.255 --rsource',
    )
    .replaceAll(/-m recent --name (\S+) --set/g, '-m recent --set --name $1 --mask 255.255.255.255 --rsource')
    .replaceAll('0.3333333333', '0.33333333349')
    .replaceAll('--or-mark 0x00004000', '--set-xmark 0x4000/0x4000')
    .replaceAll('--xor-mark 0x00004000', '--set-xmark 0x4000/0x0')
    .replaceAll('0x00004000', '0x4000');
  assert.notEqual(saved, render(rules));
  assert.equal(diff(shadowOfKernel(parse(saved)), rules).text, '');
});

describe('rules of others', () => {
  const saved = (rule: string) =>
    `*nat\n:PREROUTING ACCEPT [3:180]\n:X - [0:0]\n[5:300] -A PREROUTING ${rule}\nCOMMIT\n`;
  for (const rule of [
    '-p tcp -m multiport --dports 80,81 -j X',
    '-j SNAT --to-source 1.2.3.4',
    '-m ipvs --ipvs -j X',
    '-g X',
    '! -p tcp -j X',
  ]) {
    it(`are kept as text and refused when a packet meets them: ${rule}`, () => {
      assert.throws(() => trace(parse(saved(rule)), machine, packet), UnknownRuleError);
    });
  }
  it('that cannot match are passed by', () => {
    assert.equal(trace(parse(saved('-s 9.9.9.9/32 -m weird --option 1 -j X')), machine, packet)[0]?.verdict, 'pass');
  });
  it('that call each other in a circle are refused', () => {
    const text = '*nat\n:PREROUTING ACCEPT [0:0]\n:X - [0:0]\n-A PREROUTING -j X\n-A X -j X\nCOMMIT\n';
    assert.throws(() => trace(parse(text), machine, packet), /circle/);
  });
  it('that jump nowhere are refused', () => {
    const text = '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j KUBE-GONE\nCOMMIT\n';
    assert.throws(() => trace(parse(text), machine, packet), /KUBE-GONE, which does not exist/);
  });
});

it('says on which line a text stops being iptables-save', () => {
  assert.throws(() => parse('*nat\n:X - [0:0]\nhello\n'), /^SyntaxError: line 3: not iptables-save text: hello$/);
});

it('gives each outcome its share of the packets', () => {
  const scenario = scenarios.find((one) => one.name === 'cluster-ip');
  assert.ok(scenario);
  const { plan } = loadScenario(scenario);
  const outcomes = trace(parse(render(compile(plan))), machine, {
    ...packet,
    source: '10.244.1.9',
    destination: '10.96.0.20',
  });
  assert.deepEqual(
    outcomes.map((one) => one.share.toFixed(3)),
    ['0.333', '0.333', '0.333'],
  );
  assert.deepEqual(
    outcomes[1]?.steps.map((step) => step.chain),
    [
      ...['PREROUTING', 'KUBE-SERVICES', 'KUBE-SVC-ODX2UBAZM7RQWOIU', 'KUBE-SEP-TKZFUYKNSRMALYNM'],
      ...['FORWARD', 'FORWARD', 'FORWARD', 'FORWARD', 'POSTROUTING', 'KUBE-POSTROUTING'],
    ],
  );
});
