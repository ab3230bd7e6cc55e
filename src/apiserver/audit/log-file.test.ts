import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { openLogFile, type LogFileOptions } from './log-file.ts';

const NOON = Date.parse('2026-11-28T12:00:00Z');

async function opened(t: TestContext, more: Partial<LogFileOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-audit-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const clock = new FakeClock(NOON);
  const path = join(folder, 'logs', 'audit.log');
  const options = { path, maxSize: 0, maxBackup: 0, maxAge: 0, clock, log: silentLog, ...more };
  return { folder, path, clock, file: await openLogFile(options), options };
}

const line = (text: string, length = 0) => `${text.padEnd(length, '.')}\n`;
const MEGABYTE = 1024 * 1024;

test('lines are appended in order to what was there, and only root can read them', async (t) => {
  const { file, path, options } = await opened(t);
  file.write(line('a'));
  file.write(line('b'));
  await file.close();
  const again = await openLogFile(options);
  again.write(line('c'));
  await again.close();
  assert.equal(readFileSync(path, 'utf8'), 'a\nb\nc\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a full file is set aside with its time, and the oldest beyond the count go', async (t) => {
  const { file, path, clock } = await opened(t, { maxSize: 1, maxBackup: 2 });
  for (const text of ['1', '2', '3', '4']) {
    file.write(line(text, 0.7 * MEGABYTE));
    await file.room();
    while (file.written < Number(text)) await new Promise(setImmediate);
    clock.advance(1000);
  }
  await file.close();
  assert.deepEqual(readdirSync(join(path, '..')).sort(), [
    'audit-2026-11-28T12-00-02.000.log',
    'audit-2026-11-28T12-00-03.000.log',
    'audit.log',
  ]);
  assert.equal(readFileSync(path, 'utf8')[0], '4');
});

test('those set aside go when they are too old', async (t) => {
  const { file, path } = await opened(t, { maxSize: 1, maxAge: 7 });
  const old = join(path, '..', 'audit-2026-11-01T12-00-00.000.log');
  writeFileSync(old, 'old\n');
  utimesSync(old, new Date(NOON), new Date(NOON - 8 * 24 * 3600 * 1000));
  const other = join(path, '..', 'audit-notes.log');
  writeFileSync(other, 'not one of ours\n');
  utimesSync(other, new Date(0), new Date(0));
  for (const text of ['1', '2']) file.write(line(text, 0.7 * MEGABYTE));
  await file.close();
  assert.deepEqual(readdirSync(join(path, '..')).sort(), [
    'audit-2026-11-28T12-00-00.000.log',
    'audit-notes.log',
    'audit.log',
  ]);
});

test('beyond eight megabytes of waiting lines there is no room until they are written', async (t) => {
  const { file } = await opened(t);
  assert.equal(file.room(), undefined);
  for (let count = 0; count < 9; count++) file.write(line('x', MEGABYTE));
  const room = file.room();
  assert.ok(room);
  await room;
  assert.equal(file.room(), undefined);
  assert.equal(file.written, 9);
  await file.close();
});

test('a disk that refuses costs lines and is said, and nobody waits for it', async (t) => {
  const said: unknown[] = [];
  const log = { ...silentLog, error: (fields: unknown) => said.push(fields) } as unknown as typeof silentLog;
  const { file } = await opened(t, { path: '/dev/full', log });
  file.write(line('a'));
  file.write(line('b'));
  while (file.lost < 2) await new Promise(setImmediate);
  file.write(line('c'));
  while (file.lost < 3) await new Promise(setImmediate);
  assert.equal(file.room(), undefined);
  assert.equal(said.length, 1, 'once a minute');
  await file.close();
});

test('one that cannot be opened is known at once', async (t) => {
  const { path, options, file } = await opened(t);
  await assert.rejects(openLogFile({ ...options, path: join(path, 'audit.log') }), /ENOTDIR|EEXIST/);
  await file.close();
});
