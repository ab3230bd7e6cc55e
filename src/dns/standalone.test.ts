import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { eventually } from '../../test/support/eventually.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { findCorefile, startStandalone } from './standalone.ts';
import { CLASS_IN, queryFor, TYPE } from './wire/message.ts';
import { recordText } from './wire/record-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'fw-standalone-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const path = join(folder, 'Corefile');
const write = (address: string, more = '') => {
  writeFileSync(path, `.:53 {\n    reload 10s 2s\n    ${more}\n    hosts {\n        ${address} a.example\n    }\n}\n`);
};

test('with reload in it the Corefile is looked at now and then; one that is wrong changes nothing (4-056)', async (t) => {
  write('192.0.2.1');
  const clock = new FakeClock();
  const alone = await startStandalone({
    corefile: findCorefile(path, undefined),
    addresses: ['127.0.0.1'],
    port: 0,
    log: silentLog,
    clock,
  });
  t.after(() => alone.stop());
  const answer = async () => {
    const query = queryFor(1, { name: 'a.example.', type: TYPE.A, class: CLASS_IN });
    const answered = await alone.dns.ask(query, { address: '127.0.0.1', port: 1, transport: 'udp' });
    return answered?.message.answers.map(recordText).join();
  };
  const seen = (address: string) =>
    eventually(
      async () => {
        assert.match((await answer()) ?? '', new RegExp(`${address}$`));
      },
      5000,
      5,
    );
  await seen('192.0.2.1');
  write('192.0.2.2');
  clock.advance(7900);
  assert.match((await answer()) ?? '', /192\.0\.2\.1$/, 'not before its time');
  clock.advance(4200);
  await seen('192.0.2.2');
  write('192.0.2.3', 'frobnicate');
  await alone.reload();
  assert.match((await answer()) ?? '', /192\.0\.2\.2$/);
  write('192.0.2.4');
  await alone.reload();
  await seen('192.0.2.4');
});

test('a file that is named must be there; one that is not named may be missing', () => {
  assert.throws(() => findCorefile(join(folder, 'nowhere'), undefined), /ENOENT/);
  assert.equal(findCorefile(path, undefined).isOnDisk, true);
});
