import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FakeConntrack, parseFlows } from '../host/conntrack.ts';
import { FlowKeeper } from './flow-keeper.ts';
import { loadScenario, scenarios } from './scenarios/index.ts';
import { sameFrontends, staleFlows, udpFrontends } from './stale-flows.ts';

const flow = (asked: string, answers: string) => {
  const [destination = '', port] = asked.split(':');
  const [replySource = '', replyPort] = answers.split(':');
  return { destination, port: Number(port), replySource, replyPort: Number(replyPort) };
};
const NODE = '172.30.0.11';
const serving = new Set(['10.244.1.5:53']);
const frontends = new Map([
  ['10.96.0.10:53', serving],
  ['*:30053', serving],
  ['10.96.0.11:53', new Set<string>()],
]);
const retired = new Set(['10.96.0.12:53', '*:30054']);

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
];
for (const [what, asked, answers, stale] of cases) {
  it(`a flow ${what} is ${stale ? 'stale' : 'left alone'}`, () => {
    assert.equal(staleFlows([flow(asked, answers)], frontends, retired, [NODE]).length, stale ? 1 : 0);
  });
}

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
  await assert.rejects(keeper.reconcile(plan, false));
  fail = false;
  assert.equal(await keeper.reconcile(plan, false), 1);
  assert.equal(await keeper.reconcile(plan, false), 0);
  assert.equal(asked, 2);
  assert.ok(sameFrontends(udpFrontends(plan), udpFrontends(plan)));
  assert.equal(await keeper.reconcile({ ...plan, servicePorts: [] }, false), 1);
});
