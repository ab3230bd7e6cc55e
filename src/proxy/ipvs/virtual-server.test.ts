/** Virtual servers to the text of ipvsadm and back, and names of sets and marks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConnections } from '../../host/ipvs-tools.ts';
import { isBetween } from './backend.ts';
import { isExcluded } from './holding.ts';
import { Marks } from './marks.ts';
import { parseSets } from './parse.ts';
import { markField } from './settings.ts';
import { SET_IDS, setIdOf, setName } from './sets.ts';
import { addressOfKey, familyOfKey, parseServers, renderServers } from './virtual-server.ts';

/** As ipvsadm 1.31 prints it. */
const SAVED = `-A -t 10.0.0.1:80 -s rr -p 30
-a -t 10.0.0.1:80 -r 10.1.1.1:80 -m -w 1
-A -u 10.0.0.1:53 -s mh -b mh-port
-A --sctp-service 10.0.0.1:53 -s wlc
-A -t [fd00::1]:80 -s rr -p 30
-a -t [fd00::1]:80 -r [fd00::2]:80 -m -w 0
-A -f 65536 -s rr
-a -f 65536 -r 10.1.1.1:80 -m -w 1
-A -f 65536 -6 -s rr
-a -f 65536 -6 -r [fd00::2]:80 -m -w 1
`;

describe('virtual servers', () => {
  it('are the same after being read and written again', () => {
    assert.equal(renderServers(parseServers(SAVED).values()), SAVED);
  });

  it('are told apart by protocol, address, mark and family', () => {
    const keys = [...parseServers(SAVED).keys()];
    assert.equal(new Set(keys).size, 6);
    assert.deepEqual(keys.map(familyOfKey), ['IPv4', 'IPv4', 'IPv4', 'IPv6', 'IPv4', 'IPv6']);
    assert.deepEqual(addressOfKey('-t [fd00::1]:80'), { ip: 'fd00::1', port: 80 });
    assert.equal(addressOfKey('-f 65536'), undefined);
  });

  it('other text is refused with its line', () => {
    assert.throws(() => parseServers('-A -t 10.0.0.1:80 -s rr\nhello'), /line 2: not what ipvsadm saves: hello/);
    assert.throws(
      () => parseServers('-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m'),
      /line 1: a real server of no virtual server/,
    );
  });

  it('have the connections that ipvsadm lists', () => {
    const listed = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.0.1:80 rr persistent 30
  -> 10.1.1.1:80                  Masq    0      2          3         
FWM  65536 IPv6 rr
  -> [fd00::2]:80                 Masq    1      0          1         
`;
    assert.deepEqual(
      [...parseConnections(listed)],
      [
        ['-t 10.0.0.1:80 10.1.1.1:80', 5],
        ['-f 65536 -6 [fd00::2]:80', 1],
      ],
    );
  });

  it('in excludeCIDRs are known by address, in both families', () => {
    const ranges = ['10.0.0.0/24', 'fd00::/64'];
    const isIn = (key: string) => isExcluded(key, ranges);
    assert.deepEqual(['-t 10.0.0.1:80', '-t 10.0.1.1:80', '-t [fd00::1]:80', '-f 65536'].map(isIn), [
      true,
      false,
      true,
      false,
    ]);
  });
});

describe('ipsets', () => {
  it('have names the kernel takes, each its own', () => {
    for (const family of ['IPv4', 'IPv6'] as const) {
      const names = SET_IDS.map((id) => setName(id, family));
      assert.ok(names.every((name) => name.length <= 31));
      assert.deepEqual(
        names.map((name) => setIdOf(name, family)),
        SET_IDS,
      );
    }
    assert.equal(setName('LOAD-BALANCER-SOURCE-CIDR', 'IPv6'), 'KUBE-6-LOAD-BALANCER-SOURCE-CID');
    assert.equal(setIdOf('KUBE-CLUSTER-IP', 'IPv6'), undefined);
  });

  it('of others and of the other family are passed over', () => {
    const saved =
      'create KUBE-CLUSTER-IP hash:ip,port family inet\nadd KUBE-CLUSTER-IP 10.96.0.1,tcp:443\n' +
      'create THEIRS hash:ip family inet\nadd THEIRS 10.0.0.1\ncreate KUBE-6-CLUSTER-IP hash:ip,port family inet6\n';
    assert.deepEqual([...parseSets(saved, 'IPv4')], [['CLUSTER-IP', new Set(['10.96.0.1,tcp:443'])]]);
  });
});

describe('marks', () => {
  it('are each their own, however many, and come back when released', () => {
    const marks = new Marks();
    const held = Array.from({ length: 2000 }, (_, at) => marks.hold(`default/s${String(at)}: TCP`));
    assert.equal(new Set(held).size, 2000);
    assert.ok(held.every((mark) => mark >= 1 && mark <= 0x7fff));
    assert.equal(marks.hold('default/s7: TCP'), held[7]);
    marks.release('default/s7: TCP');
    assert.ok(!new Set(held.toSpliced(7, 1)).has(marks.hold('default/other: TCP')));
  });

  it('keep clear of the masquerade bit, wherever it is', () => {
    for (let bit = 0; bit < 32; bit++) {
      const { mask, shift } = markField({ masqueradeBit: bit });
      assert.equal(mask & (1 << bit) & 0x7fffffff, 0, `bit ${String(bit)}`);
      assert.equal(mask, 0x7fff << shift);
    }
  });
});

it('a kernel release is placed by its numbers, whatever follows them', () => {
  const old = (release: string) => isBetween(release, [4, 1], [5, 9]);
  assert.deepEqual(['3.10.0-957.el7', '4.1.0', '5.8.18-rc1', '5.9.0', '6.1.176'].map(old), [
    false,
    true,
    true,
    false,
    false,
  ]);
});
