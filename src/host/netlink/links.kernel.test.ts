import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { exec } from '../exec.ts';
import { createAddressLinks, type AddressLinks } from './links.ts';
import { MessageWriter, NLM_F_DUMP, NLM_F_REQUEST } from './message-writer.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.ts';

requireOuterNamespace();

// one end of a veth: not every kernel has dummy devices (see ipvs.uml.test.ts for those)
const device = 'held0';
let links: AddressLinks;
before(() => {
  links = createAddressLinks();
});
beforeEach(async () => {
  await exec('ip', ['link', 'delete', device]).catch(() => undefined);
  await exec('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', 'held1']);
});
after(async () => {
  await exec('ip', ['link', 'delete', device]).catch(() => undefined);
  links.close();
});

async function shown(family: '-4' | '-6'): Promise<readonly string[]> {
  const { stdout } = await exec('ip', ['-json', family, 'address', 'show', 'dev', device]);
  const [link] = JSON.parse(stdout) as { addr_info?: { local: string; prefixlen: number }[] }[];
  return (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${String(prefixlen)}`).sort();
}

test('addresses of both families come and go, as ip shows them', async () => {
  const add = (address: string) => ({ op: 'add', address }) as const;
  const changes = [add('10.96.0.1'), add('10.96.0.10'), add('fd00:96::a')];
  assert.deepEqual(await links.changeAddresses(device, changes), []);
  assert.deepEqual(await shown('-4'), ['10.96.0.1/32', '10.96.0.10/32']);
  assert.deepEqual(await shown('-6'), ['fd00:96::a/128']);
  assert.deepEqual(await links.addresses(device, 'IPv4'), new Set(['10.96.0.1', '10.96.0.10']));
  assert.deepEqual(await links.addresses(device, 'IPv6'), new Set(['fd00:96::a']));
  assert.deepEqual(await links.changeAddresses(device, [{ op: 'delete', address: '10.96.0.1' }]), []);
  assert.deepEqual(await shown('-4'), ['10.96.0.10/32']);
});

test('an address that is there already, or gone already, is no mistake', async () => {
  for (const address of ['10.96.0.1', 'fd00:96::a']) {
    for (const op of ['add', 'add', 'delete', 'delete'] as const) {
      assert.deepEqual(await links.changeAddresses(device, [{ op, address }]), [], `${op} ${address}`);
    }
  }
});

test('one address that the kernel refuses does not keep the others out', async () => {
  const changes = ['10.96.0.1', '::', '10.96.0.2'].map((address) => ({ op: 'add', address }) as const);
  const refused = await links.changeAddresses(device, changes);
  assert.deepEqual(
    refused.map(({ request }) => request.address),
    ['::'],
  );
  assert.deepEqual(await shown('-4'), ['10.96.0.1/32', '10.96.0.2/32']);
});

test('5,000 addresses come and go in one call each', async () => {
  const all = Array.from({ length: 5000 }, (_, i) => `10.96.${String(i >> 8)}.${String(i & 255)}`);
  assert.deepEqual(
    await links.changeAddresses(
      device,
      all.map((address) => ({ op: 'add', address })),
    ),
    [],
  );
  assert.deepEqual(await links.addresses(device, 'IPv4'), new Set(all));
  assert.deepEqual(
    await links.changeAddresses(
      device,
      all.map((address) => ({ op: 'delete', address })),
    ),
    [],
  );
  assert.deepEqual(await shown('-4'), []);
});

test('a dump that its reader gives up leaves the socket fit for the next one', async () => {
  const changes = Array.from({ length: 3000 }, (_, at) => {
    return { op: 'add', address: `10.97.${String(at >> 8)}.${String(at & 255)}` } as const;
  });
  await links.changeAddresses(device, changes);
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  const dump = (onMessage: () => void) =>
    socket.exclusive(() => {
      const request = new MessageWriter().begin(22, NLM_F_REQUEST | NLM_F_DUMP, socket.nextSeq());
      return socket.dump(request.fixed(2, 0, 0, 0, 0, 0, 0, 0).end(), ['address', 'list'], onMessage);
    });
  for (let round = 0; round < 2; round++) {
    const giveUp = () => {
      throw new Error('enough');
    };
    await assert.rejects(dump(giveUp), /enough/);
    let count = 0;
    await dump(() => count++);
    assert.ok(count >= 3000 && count < 3010, String(count));
  }
  socket.close();
});

test('flags are told and set', async () => {
  assert.deepEqual(await links.flags(device), { up: false, noArp: false });
  await links.setFlags(device, { up: true });
  await links.setFlags(device, { noArp: true });
  assert.deepEqual(await links.flags(device), { up: true, noArp: true });
  await links.setFlags(device, { up: false });
  assert.deepEqual(await links.flags(device), { up: false, noArp: true });
});

test('a device that is not there is ENODEV', async () => {
  assert.equal(await links.flags('nowhere'), undefined);
  await assert.rejects(links.addresses('nowhere', 'IPv4'), { code: 'ENODEV', message: /nowhere/ });
  await assert.rejects(links.changeAddresses('nowhere', [{ op: 'add', address: '10.0.0.1' }]), { code: 'ENODEV' });
  await assert.rejects(links.deleteLink('nowhere'), { code: 'ENODEV' });
  await links.deleteLink(device);
  assert.equal(await links.flags(device), undefined);
});
