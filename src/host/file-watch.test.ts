import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { hasNetAdmin } from './capabilities.ts';
import { watchFile } from './file-watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'fw-watch-'));
after(() => {
  rmSync(folder, { recursive: true });
});

/** Resolves when the watcher says the file is another; `change` is what makes it so. */
async function notices(file: string, change: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    watchFile(file, readFileSync(file, 'utf8'), resolve);
    change();
  });
}

it('a file that is written again is noticed', async () => {
  const file = join(folder, 'config');
  writeFileSync(file, 'a');
  await notices(file, () => {
    writeFileSync(file, 'a'); // the same: nothing
    writeFileSync(file, 'b');
  });
});

it('a ConfigMap that is switched by its link is noticed', async () => {
  const map = join(folder, 'map');
  for (const version of ['1', '2']) {
    mkdirSync(join(map, version), { recursive: true });
    writeFileSync(join(map, version, 'config'), version);
  }
  symlinkSync('1', join(map, '..data'));
  symlinkSync('..data/config', join(map, 'config'));
  await notices(join(map, 'config'), () => {
    symlinkSync('2', join(map, '..new'));
    renameSync(join(map, '..new'), join(map, '..data'));
  });
});

it('a file that goes away is noticed', async () => {
  const file = join(folder, 'gone');
  writeFileSync(file, 'a');
  await notices(file, () => {
    rmSync(file);
  });
});

it("the right to change the network is told from the kernel's mask", () => {
  assert.equal(hasNetAdmin('Name:\tnode\nCapEff:\t0000000000001000\n'), true);
  assert.equal(hasNetAdmin('CapEff:\t00000000a80425fb\n'), false);
  assert.equal(hasNetAdmin('CapEff:\t000001ffffffffff\n'), true);
});
