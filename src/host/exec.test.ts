import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { exec, HostError } from './exec.ts';

describe('running a program', () => {
  it('gives what it printed', async () => {
    assert.deepEqual(await exec('cat', [], { input: 'text' }), { stdout: 'text', stderr: '' });
  });

  it('passes on what it prints as it comes, and keeps none of it', async () => {
    let bytes = 0;
    const onOutput = (chunk: Buffer) => (bytes += chunk.length);
    const { stdout } = await exec('head', ['-c', '3000000', '/dev/zero'], { onOutput, maxOutput: 1000 });
    assert.deepEqual({ bytes, stdout }, { bytes: 3_000_000, stdout: '' });
  });

  const failures: [what: string, run: () => Promise<unknown>, message: RegExp][] = [
    ['is not there', () => exec('/no/such/program', []), /no\/such\/program: could not be started/],
    ['fails', () => exec('cat', ['/no/such/file']), /exit code 1: cat: /],
    ['takes too long', () => exec('sleep', ['60'], { timeout: 50 }), /still running after 50 ms/],
    ['prints too much', () => exec('yes', [], { maxOutput: 10_000 }), /more than 10000 bytes of output/],
    [
      'prints what nobody understands',
      () =>
        exec('echo', ['?'], {
          onOutput: () => {
            throw new Error('a riddle');
          },
        }),
      /its output was not understood: Error: a riddle/,
    ],
  ];
  for (const [what, run, message] of failures) {
    it(`says so of a program that ${what}`, async () => {
      await assert.rejects(run(), (error) => {
        assert.ok(error instanceof HostError);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('says so where no more files can be opened, and goes on', () => {
    const script = `
      import { openSync } from 'node:fs';
      import { exec } from ${JSON.stringify(import.meta.resolve('./exec.ts'))};
      await exec('true', []); // loads what it takes
      try { for (;;) openSync('/dev/null'); } catch {}
      await exec('true', []).catch((error) => console.log(error.name, error.message));
    `;
    const node = [process.execPath, '--input-type=module', '--eval', script];
    const { stdout } = spawnSync('prlimit', ['--nofile=64:64', ...node], { encoding: 'utf8' });
    assert.equal(stdout, 'HostError true: could not be started\n');
  });
});
