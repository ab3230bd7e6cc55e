import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkMachine, type Machine } from './preflight.ts';

const GOOD: Machine = { uid: 0, has: () => true, exists: () => true, read: () => 'nodev\tproc\nnodev\toverlay\n' };

const CASES: [why: string, machine: Partial<Machine>, expected: RegExp[]][] = [
  ['a good machine has no complaint', {}, []],
  ['without root only that is said', { uid: 1000, has: () => false }, [/needs root; run: sudo fairway up/]],
  [
    'a missing program names its package',
    { has: (program) => program !== 'conntrack' },
    [/conntrack not found: package conntrack is missing; run: make setup/],
  ],
  [
    'two programs of one package make one line',
    { has: (program) => !program.startsWith('iptables') },
    [/iptables-save and iptables-restore not found: package iptables/],
  ],
  [
    'missing CNI plugins are seen',
    { exists: (file) => !file.startsWith('/usr/lib/cni') },
    [/package containernetworking-plugins is missing/],
  ],
  ['a kernel without overlayfs is seen', { read: () => 'nodev\tproc\n' }, [/no overlay file system.*modprobe overlay/]],
  ['missing cgroups are seen', { exists: (file) => file !== '/sys/fs/cgroup' }, [/no cgroups are mounted/]],
];

test('ipvs mode needs its two tools, other modes do not', () => {
  const machine = {
    ...GOOD,
    has: (program: string) => !program.startsWith('ip') || program.startsWith('ipt') || program === 'ip',
  };
  assert.deepEqual(checkMachine(machine, ['nftables', 'userspace']), []);
  assert.deepEqual(checkMachine(machine, ['ipvs']), [
    'ipvsadm not found: package ipvsadm is missing; run: make setup',
    'ipset not found: package ipset is missing; run: make setup',
  ]);
});

for (const [why, machine, expected] of CASES) {
  test(why, () => {
    const problems = checkMachine({ ...GOOD, ...machine });
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(problems[i] ?? '', pattern);
    for (const problem of problems) assert.ok(!problem.includes('\n'), 'one line each');
  });
}
