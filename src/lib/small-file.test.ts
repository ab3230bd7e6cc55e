import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadSmallFile, readSmallFile } from './small-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'fw-small-file-'));
after(() => {
  rmSync(folder, { recursive: true });
});

test('a file is read; what is none, or too large, is refused at once', async () => {
  const [small, large, pipe] = ['small', 'large', 'pipe'].map((name) => join(folder, name));
  assert.ok(small !== undefined && large !== undefined && pipe !== undefined);
  writeFileSync(small, 'text');
  writeFileSync(large, 'x'.repeat(101));
  execFileSync('mkfifo', [pipe]);
  assert.equal(readSmallFile(small, 100).toString(), 'text');
  assert.equal((await loadSmallFile(small, 100)).toString(), 'text');
  const refused: readonly [string, RegExp][] = [
    [large, /large has more than 100 bytes$/],
    [pipe, /pipe is not a file$/],
    ['/dev/zero', /^Error: \/dev\/zero is not a file$/],
    [folder, /is not a file$/],
    [join(folder, 'none'), /ENOENT/],
  ];
  for (const [path, words] of refused) {
    assert.throws(() => readSmallFile(path, 100), words);
    await assert.rejects(loadSmallFile(path, 100), words);
  }
});
