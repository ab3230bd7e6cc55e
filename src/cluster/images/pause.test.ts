import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pauseProgram } from './pause.ts';

const here = process.arch === 'arm64' ? 'arm64' : 'x64';

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`the pause program waits, ignores SIGCHLD and exits with 0 on ${signal}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pause-'));
    const program = join(directory, 'pause');
    writeFileSync(program, pauseProgram(here), { mode: 0o755 });
    const child = spawn(program);
    try {
      const ended = once(child, 'exit');
      await once(child, 'spawn');
      const status = () => readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
      // SIGCHLD is ignored (bit 16) and it sleeps: it has come to the end of its preparations.
      const deadline = Date.now() + 5000;
      while (!/^State:\tS[^]*^SigIgn:\t[0-9a-f]*[13579bdf][0-9a-f]{4}$/m.test(status())) {
        assert.ok(Date.now() < deadline, status());
        await new Promise((resolve) => setImmediate(resolve));
      }
      child.kill(signal);
      assert.deepEqual(await ended, [0, null]);
    } finally {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true });
    }
  });
}

test('the arm64 program has the instructions of its assembly', () => {
  const program = Buffer.from(pauseProgram('arm64'));
  assert.equal(program.readUInt16LE(18), 183);
  const words = Array.from({ length: 23 }, (_, i) => program.readUInt32LE(120 + i * 4).toString(16));
  assert.deepEqual(words, [
    ...['d28010c8', 'd2800220', '100002a1', 'd2800002', 'd2800103', 'd4000001'],
    ...['d28010e8', 'd2800000', '100002e1', 'd2800002', 'd2800103', 'd4000001'],
    ...['d2801128', '10000240', 'd2800001', 'd2800002', 'd2800103', 'd4000001'],
    ...['f100001f', '54ffff2d'],
    ...['d2800ba8', 'd2800000', 'd4000001'],
  ]);
});
