import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { tar, type TarEntry } from './tar.ts';

const long = `a/${'long-'.repeat(30)}name`;
const entries: TarEntry[] = [
  { path: 'bin', mode: 0o755, type: 'directory' },
  { path: 'bin/tool', mode: 0o755, type: 'file', content: Buffer.from('x'.repeat(700)) },
  { path: 'bin/empty', mode: 0o644, type: 'file', content: Buffer.alloc(0) },
  { path: 'bin/link', mode: 0o777, type: 'symlink', target: '../bin/tool' },
  { path: 'tmp', mode: 0o1777, type: 'directory' },
  { path: long, mode: 0o600, type: 'file', content: Buffer.from('far away') },
];
const archive = (list: TarEntry[]) => Buffer.concat(tar(list));
const systemTar = (args: string[], input: Buffer) => {
  const { status, stdout, stderr } = spawnSync('tar', args, { input });
  assert.equal(status, 0, stderr.toString());
  return stdout.toString();
};

test('the system tar lists what was put in, with modes, owner root and time zero', () => {
  const listing = systemTar(['--utc', '-tvf', '-'], archive(entries)).trimEnd().split('\n');
  const words = listing.map((line) => line.split(/\s+/));
  assert.deepEqual(
    words.map(([mode, owner, size, date, time, ...name]) => [mode, owner, size, date, time, name.join(' ')]),
    [
      ['drwxr-xr-x', '0/0', '0', '1970-01-01', '00:00', 'bin/'],
      ['-rwxr-xr-x', '0/0', '700', '1970-01-01', '00:00', 'bin/tool'],
      ['-rw-r--r--', '0/0', '0', '1970-01-01', '00:00', 'bin/empty'],
      ['lrwxrwxrwx', '0/0', '0', '1970-01-01', '00:00', 'bin/link -> ../bin/tool'],
      ['drwxrwxrwt', '0/0', '0', '1970-01-01', '00:00', 'tmp/'],
      ['-rw-------', '0/0', '8', '1970-01-01', '00:00', long],
    ],
  );
});

test('the system tar reads contents back, also of a path of more than 100 bytes', () => {
  assert.equal(systemTar(['-xOf', '-', long], archive(entries)), 'far away');
  assert.equal(systemTar(['-xOf', '-', 'bin/tool'], archive(entries)), 'x'.repeat(700));
});

test('the same entries give the same bytes', () => {
  assert.deepEqual(archive(entries), archive(entries));
});
