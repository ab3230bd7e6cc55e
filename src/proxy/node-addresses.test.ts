import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ApiError } from '../api/api-error.ts';
import { NODES } from '../api/kinds.ts';
import type { Node } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { nodeIpsOf, unknownNode, waitForNode, withLocalAddresses } from './node-addresses.ts';

type Address = [type: string, address: string];
const nodeWith = (...addresses: Address[]): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node01' },
  status: { addresses: addresses.map(([type, address]) => ({ type, address })) },
});
const I = 'InternalIP';
const E = 'ExternalIP';

const CASES: [what: string, addresses: Address[], bind: string, ips: string[]][] = [
  [
    'its first InternalIP',
    [
      ['Hostname', 'node01'],
      [I, '172.30.0.11'],
      [I, '172.30.0.12'],
    ],
    '0.0.0.0',
    ['172.30.0.11', '172.30.0.12'],
  ],
  ['the ExternalIP where there is no other', [[E, '192.0.2.1']], '0.0.0.0', ['192.0.2.1']],
  [
    'the InternalIP before an ExternalIP',
    [
      [E, '192.0.2.1'],
      [I, '172.30.0.11'],
    ],
    '0.0.0.0',
    ['172.30.0.11'],
  ],
  [
    'one of each family, the first family first',
    [
      [I, 'fd00::11'],
      [I, '172.30.0.11'],
    ],
    '0.0.0.0',
    ['fd00::11', '172.30.0.11'],
  ],
  [
    'the family of the bind address first',
    [
      [I, '172.30.0.11'],
      [I, 'fd00::11'],
    ],
    '::',
    ['fd00::11', '172.30.0.11'],
  ],
  [
    'the bind address before all',
    [
      [I, '172.30.0.11'],
      [I, 'fd00::11'],
    ],
    '10.9.9.9',
    ['10.9.9.9', 'fd00::11', '172.30.0.11'],
  ],
  [
    'an address that is none left out',
    [
      [I, 'here'],
      [I, '172.30.0.11'],
    ],
    '0.0.0.0',
    ['172.30.0.11'],
  ],
  ['loopback where nothing is known', [], '0.0.0.0', ['127.0.0.1']],
  ['loopback of the family wished for', [], '::', ['::1']],
  ['the bind address alone', [], 'fd00::9', ['fd00::9']],
];
for (const [what, addresses, bind, ips] of CASES) {
  it(`a node has ${what}`, () => {
    assert.deepEqual(nodeIpsOf(nodeWith(...addresses), bind), ips);
  });
}

it('what else is bound on the node belongs to it, of its families and but for loopback, link-local and kube-ipvs0', () => {
  const local = [
    ['lo', '127.0.0.1'],
    ['eth0', '172.30.0.11'],
    ['eth0', 'fe80::1%eth0'],
    ['cni0', '10.244.1.1'],
    ['eth0', '169.254.1.1'],
    ['eth0', 'fd00::7'],
    ['kube-ipvs0', '10.96.0.1'],
  ].map(([name = '', address = '']) => ({ interface: name, address }));
  assert.deepEqual(withLocalAddresses(['172.30.0.11'], local), ['172.30.0.11', '10.244.1.1']);
  assert.deepEqual(withLocalAddresses(['172.30.0.11', 'fd00::11'], local), [
    ...['172.30.0.11', 'fd00::11', '10.244.1.1', 'fd00::7'],
  ]);
});

/** A clock on which waiting takes no time. */
class HastyClock extends FakeClock {
  onPause: () => void = () => undefined;
  override after(ms: number, callback: () => void): () => void {
    this.onPause();
    const cancel = super.after(ms, callback);
    queueMicrotask(() => {
      this.advance(ms);
    });
    return cancel;
  }
}

const waitFor = (client: FakeClient, clock: HastyClock, patience = 30_000) =>
  waitForNode({ client, nodeName: 'node01', patience, log: silentLog, clock });

it('waits until the Node is there and has an address', async () => {
  const client = new FakeClient();
  const clock = new HastyClock();
  const steps = [() => client.seed(nodeWith()), () => client.seed(nodeWith([I, '172.30.0.11']))];
  clock.onPause = () => {
    steps.shift()?.();
  };
  const node = await waitFor(client, clock);
  assert.equal(node?.status?.addresses?.length, 1);
  assert.equal(clock.now(), 2000);
});

it('gives up after its patience, and at once where asking again is of no use', async () => {
  const clock = new HastyClock();
  assert.equal(await waitFor(new FakeClient(), clock), undefined);
  assert.equal(clock.now(), 30_000);
  const client = new FakeClient();
  client.failNext('get', new ApiError({ code: 403, reason: 'Forbidden', message: 'not you' }), NODES);
  await assert.rejects(waitFor(client, new HastyClock()), /not you/);
  client.failNext('get', new Error('connect ECONNREFUSED'), NODES);
  await assert.rejects(waitFor(client, new HastyClock(), 0), /ECONNREFUSED/);
});

it('says which Nodes there are', async () => {
  const client = new FakeClient([nodeWith([I, '172.30.0.11'])]);
  assert.equal(
    await unknownNode(client, 'laptop'),
    'there is no Node laptop with an address (there is: node01); say which one this is with --hostname-override NAME',
  );
  assert.match(await unknownNode(new FakeClient(), 'laptop'), /there is none yet/);
});
