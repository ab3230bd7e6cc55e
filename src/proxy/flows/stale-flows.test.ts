import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FakeConntrack, parseFlows } from '../../host/conntrack.ts';
import { FlowKeeper } from './flow-keeper.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import type { PlanUpdate, ServicePort } from '../plan/types.ts';
import { staleFlows } from './stale-flows.ts';
import { UdpFrontends } from './udp-frontends.ts';

const flow = (asked: string, answers: string) => {
  const [destination = '', port] = asked.split(':');
  const [replySource = '', replyPort] = answers.split(':');
  return { destination, port: Number(port), replySource, replyPort: Number(replyPort) };
};
const NODE = '172.30.0.11';
/** The fields that count. */
const port = (clusterIP: string, nodePort: number | undefined, servingAddresses: readonly string[]) =>
  ({
    protocol: 'UDP',
    clusterIP,
    port: 53,
    nodePort,
    servingAddresses,
    externalIPs: [],
    loadBalancerIPs: [],
  }) as unknown as ServicePort;
const updateOf = (before: readonly ServicePort[], after: readonly ServicePort[]): PlanUpdate => ({
  changed: new Map([['default/dns', { before, after }]]),
  problems: [],
  get plan(): never {
    throw new Error('nobody may look at all Services');
  },
});
const served = [port('10.96.0.10', 30053, ['10.244.1.5:53']), port('10.96.0.11', undefined, [])];
const deleted = [port('10.96.0.12', 30054, ['10.244.1.6:53'])];
const frontends = new UdpFrontends();
frontends.follow(updateOf([], [...served, ...deleted]));
frontends.follow(updateOf(deleted, []));
const known = { serviceCIDRs: ['10.97.0.0/16'], nodePortRange: '30000-32767' };
const node = { name: 'node01', ips: [NODE], labels: {} };

const cases: [what: string, asked: string, answers: string, stale: boolean][] = [
  ['to a serving endpoint', '10.96.0.10:53', '10.244.1.5:53', false],
  ['to an endpoint that is gone', '10.96.0.10:53', '10.244.1.6:53', true],
  ['to the right Pod, but its old port', '10.96.0.10:53', '10.244.1.5:5353', true],
  ['never translated, and now somebody serves', '10.96.0.10:53', '10.96.0.10:53', true],
  ['by node port to an endpoint that is gone', `${NODE}:30053`, '10.244.1.6:53', true],
  ['by node port to a serving endpoint', `${NODE}:30053`, '10.244.1.5:53', false],
  ['to the same number on a machine elsewhere', '8.8.8.8:30053', '8.8.8.8:30053', false],
  ['no endpoint serves any more', '10.96.0.11:53', '10.244.1.6:53', true],
  ['no endpoint serves, never translated', '10.96.0.11:53', '10.96.0.11:53', false],
  ['the Service was deleted', '10.96.0.12:53', '10.244.1.6:53', true],
  ['the node port was taken away', `${NODE}:30054`, '10.244.1.6:53', true],
  ['nobody knows this address', '1.1.1.1:53', '1.1.1.1:53', false],
  ['a Service had that cluster IP before we began', '10.97.0.1:53', '10.244.1.6:53', true],
  ['somebody else translated', '192.168.0.1:53', '10.244.1.6:53', false],
  ['a node port no Service has leads to, which may be a host port', `${NODE}:30099`, '10.244.1.6:53', false],
];
for (const [what, asked, answers, stale] of cases) {
  it(`a flow ${what} is ${stale ? 'stale' : 'left alone'}`, () => {
    const context = { node, options: known, isFirst: false };
    assert.equal(staleFlows([flow(asked, answers)], frontends, context).length, stale ? 1 : 0);
  });
}

it('a flow of a node port no Service has is stale when we begin: an older Service left it', () => {
  const context = { node, options: known, isFirst: true };
  assert.equal(staleFlows([flow(`${NODE}:30099`, '10.244.1.6:53')], frontends, context).length, 1);
  assert.equal(staleFlows([flow(`${NODE}:8053`, '10.244.1.6:53')], frontends, context).length, 0);
});

it('a flow that a relay answers is left alone as long as somebody serves behind it', () => {
  const context = { node, options: known, isFirst: false, isRelayPort: (port: number) => port === 45123 };
  const cases: [asked: string, answers: string, stale: number][] = [
    ['10.96.0.10:53', `${NODE}:45123`, 0],
    [`${NODE}:30053`, '10.244.1.1:45123', 0],
    ['10.96.0.10:53', `${NODE}:45124`, 1],
    ['10.96.0.11:53', `${NODE}:45123`, 1],
    ['10.96.0.12:53', `${NODE}:45123`, 1],
  ];
  for (const [asked, answers, stale] of cases) {
    assert.equal(staleFlows([flow(asked, answers)], frontends, context).length, stale, `${asked} ${answers}`);
  }
});

it('where two Services claim one address, its flows are judged by the first of them, as rules are; when it goes, by the next', () => {
  const claim = (service: string, clusterIP: string, endpoint: string): ServicePort => ({
    ...port(clusterIP, undefined, [endpoint]),
    namespace: 'default',
    service,
    externalIPs: ['172.30.0.150'],
  });
  const [a, b] = [claim('a', '10.96.0.13', '10.244.1.5:53'), claim('b', '10.96.0.14', '10.244.1.6:53')];
  const update = (key: string, before: readonly ServicePort[], after: readonly ServicePort[]): PlanUpdate => ({
    ...{ changed: new Map([[key, { before, after }]]), problems: [] },
    plan: undefined as never,
  });
  const context = { node, options: known, isFirst: false };
  const flows = [flow('172.30.0.150:53', '10.244.1.5:53'), flow('172.30.0.150:53', '10.244.1.6:53')];
  for (const order of [
    [a, b],
    [b, a],
  ]) {
    const books = new UdpFrontends();
    for (const one of order) books.follow(update(`default/${one.service}`, [], [one]));
    assert.deepEqual(staleFlows(flows, books, context), [flows[1]]);
    books.follow(update('default/a', [a], []));
    assert.deepEqual(staleFlows(flows, books, context), [flows[0]]);
    books.follow(update('default/b', [b], []));
    assert.deepEqual(staleFlows(flows, books, context), flows);
  }
});

it('reads what conntrack prints, each kind of flow once', () => {
  const text = [
    'udp      17 29 src=10.244.1.9 dst=10.96.0.10 sport=40000 dport=53 src=10.244.1.5 dst=10.244.1.9 sport=53 dport=40000 mark=0 use=1',
    'udp      17 29 src=10.244.1.9 dst=10.96.0.10 sport=40001 dport=53 [UNREPLIED] src=10.244.1.5 dst=10.244.1.9 sport=53 dport=40001 mark=0 use=1',
    'udp      17 29 src=fd00::1 dst=fd00::2 sport=1 dport=2 src=fd00::2 dst=fd00::1 sport=2 dport=1 mark=0 use=1',
    'nonsense',
  ].join('\n');
  assert.deepEqual(parseFlows(text), [
    flow('10.96.0.10:53', '10.244.1.5:53'),
    { destination: 'fd00::2', port: 2, replySource: 'fd00::2', replyPort: 2 },
  ]);
});

it('asks the kernel only when something about UDP changed, and again after a failure', async () => {
  const scenario = scenarios.find((one) => one.name === 'cluster-ip-two-ports');
  assert.ok(scenario);
  const { plan } = loadScenario(scenario);
  const conntrack = new FakeConntrack([
    flow('10.96.0.22:53', '10.244.9.9:9376'),
    flow('10.96.0.22:53', '10.244.1.5:9376'),
  ]);
  let asked = 0;
  const list = conntrack.listUdp.bind(conntrack);
  let fail = true;
  conntrack.listUdp = () => {
    asked++;
    return fail ? Promise.reject(new Error('no')) : list();
  };
  const keeper = new FlowKeeper(conntrack);
  const context = { node: plan.node, options: plan.options };
  const all = plan.servicePorts;
  keeper.follow(updateOf([], all));
  await assert.rejects(keeper.reconcile(context, false));
  fail = false;
  assert.equal(await keeper.reconcile(context, false), 1);
  keeper.follow(
    updateOf(
      all.filter((one) => one.protocol === 'TCP'),
      all.filter((one) => one.protocol === 'TCP'),
    ),
  );
  assert.equal(await keeper.reconcile(context, false), 0);
  assert.equal(asked, 2);
  keeper.follow(updateOf(all, []));
  assert.equal(await keeper.reconcile(context, false), 1);
});

it('takes flows of the node port range for those of an older Service only in its first look that works', async () => {
  const scenario = scenarios.find((one) => one.name === 'cluster-ip-two-ports');
  assert.ok(scenario);
  const { plan } = loadScenario(scenario);
  const hostPort = flow(`${NODE}:30099`, '10.244.1.6:53');
  const conntrack = new FakeConntrack([hostPort]);
  const remove = conntrack.deleteUdp.bind(conntrack);
  conntrack.deleteUdp = () => Promise.reject(new Error('no'));
  const keeper = new FlowKeeper(conntrack);
  const context = { node: { ...plan.node, ips: [NODE] }, options: { ...plan.options, ...known } };
  await assert.rejects(keeper.reconcile(context, true));
  conntrack.deleteUdp = remove;
  assert.equal(await keeper.reconcile(context, true), 1);
  conntrack.flows = [hostPort];
  assert.equal(await keeper.reconcile(context, true), 0);
});
