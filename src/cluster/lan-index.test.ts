import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseIndex, linkMac, type HostLink } from './lan-index.ts';

const link = (name: string, address: string, mac = '0a:00:00:00:00:01'): HostLink => ({
  name,
  mac,
  addresses: [address],
});
const cases: [title: string, links: HostLink[], preferred: number | undefined, index: number | undefined][] = [
  ['the first on a plain host', [link('eth0', '192.168.1.5/24')], undefined, 0],
  ['the next beside another cluster', [link('fairway0', '172.30.0.1/24')], undefined, 1],
  ['the next beside an address of that range', [link('br0', '172.30.0.9/24')], undefined, 1],
  ['not one inside a wider network', [link('docker1', '172.30.0.1/17')], undefined, 128],
  ['none where everything is taken', [link('docker1', '172.16.0.1/12')], undefined, undefined],
  ['its own again', [link('fairway3', '172.30.3.1/24', linkMac('one'))], 3, 3],
  ['another where its own was taken meanwhile', [link('fairway3', '172.30.3.1/24', linkMac('two'))], 3, 0],
];
for (const [title, links, preferred, index] of cases) {
  test(`a cluster gets ${title}`, () => {
    assert.equal(chooseIndex('one', links, preferred), index);
  });
}

test('a link is known by its address', () => {
  assert.match(linkMac('one'), /^02:fa(:[0-9a-f]{2}){4}$/);
  assert.notEqual(linkMac('one'), linkMac('two'));
});
