import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cgroupRoots } from './cgroups.ts';
import { exec, HostError } from './exec.ts';
import { parseMountsBelow } from './mounts.ts';
import { findProcesses, identify, isAlive, startDetached, stopProcess } from './process.ts';
import { parseUnixSockets } from './shims.ts';

const MOUNTINFO = `25 30 0:23 / /sys/fs/cgroup ro - tmpfs tmpfs ro
26 25 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
27 25 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
40 30 0:40 / /data/a\\040b rw - tmpfs tmpfs rw
41 40 0:41 / /data/a\\040b/inner rw - overlay overlay rw
42 30 0:42 / /data/a\\040bc rw - tmpfs tmpfs rw
`;

test('mounts below a folder come deepest first, blanks decoded, look-alikes left out', () => {
  assert.deepEqual(parseMountsBelow(MOUNTINFO, '/data/a b'), ['/data/a b/inner', '/data/a b']);
});

test('cgroup hierarchies of both versions are found, the tmpfs that holds them is not', () => {
  assert.deepEqual(cgroupRoots(MOUNTINFO), ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified']);
});

test('only sockets with a path count', () => {
  const text = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/containerd/s/abc
0000000000000000: 00000002 00000000 00010000 0001 01 12346 @abstract
0000000000000000: 00000002 00000000 00000000 0001 01 12347
`;
  assert.deepEqual([...parseUnixSockets(text)], [['12345', '/run/containerd/s/abc']]);
});

test('a process is known by pid and start time, so a pid used again is not mistaken', () => {
  const self = identify(process.pid);
  assert.ok(self && isAlive(self));
  assert.equal(isAlive({ pid: process.pid, startTime: '1' }), false);
  assert.ok(
    findProcesses((argv) => argv.some((text) => text.endsWith('machine.test.ts'))).some(
      ({ pid }) => pid === process.pid,
    ),
  );
});

test('stopping a supervisor that will not end takes what it supervises with it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-process-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const log = join(folder, 'log');
  const script = 'trap "" TERM; sh -c "trap \\"\\" TERM; echo \\$\\$; while :; do sleep 1; done" & wait; wait';
  const leader = startDetached('sh', ['-c', script], log);
  let pid = 0;
  while (pid === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    pid = Number(readFileSync(log, 'utf8'));
  }
  const child = identify(pid);
  assert.ok(child && isAlive(child));
  await stopProcess(leader, 50);
  assert.deepEqual([isAlive(leader), isAlive(child)], [false, false]);
});

const REFUSALS: [
  why: string,
  file: string,
  args: string[],
  options: { timeout?: number; maxOutput?: number },
  message: RegExp,
][] = [
  [
    "an exit code is told with the tool's own words",
    'sh',
    ['-c', 'echo no such rule >&2; exit 3'],
    {},
    /^sh -c .*: exit code 3: no such rule$/,
  ],
  ['a program that is not there is told', '/no/such/program', [], {}, /could not be started/],
  ['a program that hangs is killed', 'sleep', ['10'], { timeout: 20 }, /still running after 20 ms/],
  ['one that talks without end is killed', 'yes', [], { maxOutput: 1000 }, /more than 1000 bytes of output/],
];
for (const [why, file, args, options, message] of REFUSALS) {
  test(why, async () => {
    await assert.rejects(
      exec(file, args, options),
      (error) => error instanceof HostError && message.test(error.message),
    );
  });
}

test('input reaches the program and its output comes back', async () => {
  assert.deepEqual(await exec('cat', [], { input: 'a b\n' }), { stdout: 'a b\n', stderr: '' });
});

test(
  'a program that takes too long is given up, even when something it started holds its output',
  { timeout: 10_000 },
  async () => {
    const start = Date.now();
    await assert.rejects(exec('sh', ['-c', 'sleep 6 & wait'], { timeout: 100 }), /still running after 100 ms/);
    assert.ok(Date.now() - start < 4_000);
  },
);
