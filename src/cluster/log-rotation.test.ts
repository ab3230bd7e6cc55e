import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rotateLogs } from './log-rotation.ts';

test('a long log is cut while its writer goes on, one older part is kept, and other files are left alone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-logs-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'node01.log');
  writeFileSync(join(folder, 'notes.txt'), 'x'.repeat(500));
  writeFileSync(join(folder, 'server.log'), 'short\n');
  const writer = openSync(file, 'a');
  const rounds = ['first', 'second', 'third'];
  for (const round of rounds) {
    writeSync(writer, `${round}\n`.repeat(50));
    rotateLogs(folder, 100);
    assert.equal(readFileSync(file, 'utf8'), '');
    assert.equal(readFileSync(`${file}.1`, 'utf8'), `${round}\n`.repeat(50));
  }
  writeSync(writer, 'after\n');
  closeSync(writer);
  rotateLogs(folder, 100);
  assert.equal(readFileSync(file, 'utf8'), 'after\n', 'no hole in front');
  assert.deepEqual(readdirSync(folder).sort(), ['node01.log', 'node01.log.1', 'notes.txt', 'server.log']);
});
