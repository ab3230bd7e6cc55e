import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { atOnce } from '../../lib/in-turns.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import type { Plan, ServicePort } from '../plan/types.ts';
import { frameOf, LARGE_CLUSTER_ENDPOINTS } from './compile.ts';
import { shadowOfKernel } from './delta.ts';
import { ALL_FEATURES } from './features.ts';
import { RuleBook } from './rule-book.ts';

const planOf = (name: string): Plan => {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario, name);
  return loadScenario(scenario).plan;
};
const plan = planOf('cluster-ip');
const [port] = plan.servicePorts;
assert.ok(port);
const named = (service: string, more: Partial<ServicePort> = {}): ServicePort => ({
  ...port,
  service,
  name: `default/${service}:default`,
  clusterEndpoints: port.clusterEndpoints.slice(0, 1),
  servingAddresses: port.servingAddresses.slice(0, 1),
  ...more,
});
const bookOf = (...ports: ServicePort[]) =>
  atOnce(RuleBook.ofKernel(frameOf({ ...plan, servicePorts: ports }, ALL_FEATURES), ports, NOTHING_THERE)).book;
const NOTHING_THERE = shadowOfKernel({});
const change = (before: ServicePort[], after: ServicePort[]) =>
  new Map([[`default/${(before[0] ?? after[0])?.service ?? ''}`, { before, after }]]);
const [a, b, c] = [named('a'), named('b', { clusterIP: '10.96.0.21' }), named('c')];

describe('a rule book', () => {
  it('puts the rules of a Service that came between its neighbours', () => {
    assert.equal(
      bookOf(a, c).change(change([], [b]))?.text,
      [
        '*nat',
        ':KUBE-SVC-OBRA5OPXO3YMUJFU - [0:0]',
        ':KUBE-SEP-AQKYHQRSCXRHUMC7 - [0:0]',
        '-A KUBE-SVC-OBRA5OPXO3YMUJFU -m comment --comment "default/b:default cluster IP" -m tcp -p tcp -d 10.96.0.21 --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ',
        '-A KUBE-SVC-OBRA5OPXO3YMUJFU -m comment --comment "default/b:default -> 10.244.1.5:9376" -j KUBE-SEP-AQKYHQRSCXRHUMC7',
        '-A KUBE-SEP-AQKYHQRSCXRHUMC7 -m comment --comment "default/b:default" -s 10.244.1.5 -j KUBE-MARK-MASQ',
        '-A KUBE-SEP-AQKYHQRSCXRHUMC7 -m comment --comment "default/b:default" -m tcp -p tcp -j DNAT --to-destination 10.244.1.5:9376',
        '-I KUBE-SERVICES 2 -m comment --comment "default/b:default cluster IP" -m tcp -p tcp -d 10.96.0.21 --dport 80 -j KUBE-SVC-OBRA5OPXO3YMUJFU',
        'COMMIT',
        '',
      ].join('\n'),
    );
  });

  it('takes out the rules of a Service that went, before its chains', () => {
    const book = bookOf(a, b, c);
    assert.equal(
      book.change(change([b], []))?.text,
      [
        '*nat',
        ':KUBE-SVC-OBRA5OPXO3YMUJFU - [0:0]',
        ':KUBE-SEP-AQKYHQRSCXRHUMC7 - [0:0]',
        '-D KUBE-SERVICES -m comment --comment "default/b:default cluster IP" -m tcp -p tcp -d 10.96.0.21 --dport 80 -j KUBE-SVC-OBRA5OPXO3YMUJFU',
        '-X KUBE-SVC-OBRA5OPXO3YMUJFU',
        '-X KUBE-SEP-AQKYHQRSCXRHUMC7',
        'COMMIT',
        '',
      ].join('\n'),
    );
    assert.deepEqual(book.ruleSet(), bookOf(a, c).ruleSet());
  });

  it('writes nothing for a Service that is what it was', () => {
    assert.equal(bookOf(a, b).change(change([b], [{ ...b }]))?.text, '');
  });

  it('counts what it does to each table', () => {
    const delta = bookOf(a, c).change(change([], [b]));
    assert.deepEqual(delta?.tables.nat, { chains: 2, rules: 5, lines: 5 });
    assert.deepEqual(delta?.tables.filter, { chains: 0, rules: 0, lines: 0 });
  });

  it('leaves to a whole comparison what changes the comments of all endpoints (3-053)', () => {
    const many = Array.from({ length: LARGE_CLUSTER_ENDPOINTS }, (_, at) => `10.0.0.1:${String(at)}`);
    const book = bookOf(a);
    assert.equal(book.change(change([], [{ ...b, servingAddresses: many }])), undefined);
    assert.deepEqual(book.ruleSet(), bookOf(a).ruleSet(), 'and takes nothing over');
  });

  it('leaves to a whole comparison what changes very many Services', () => {
    const changes = Array.from({ length: 101 }, (_, at) => change([], [named(`s${String(at)}`)]));
    assert.equal(bookOf(a).change(new Map(changes.flatMap((one) => [...one]))), undefined);
  });
});
