import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { FakeClock } from '../../../lib/clock.ts';
import { recordingLog } from '../../recording-log.ts';
import { UpstreamSource } from './upstream-source.ts';
import { upstreamText } from './upstream.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'fairway-upstreams-'));
after(() => {
  rmSync(folder, { recursive: true });
});
let count = 0;
function write(...addresses: string[]): string {
  const file = path.join(folder, `resolv-${String(++count)}.conf`);
  writeFileSync(file, addresses.map((address) => `nameserver ${address}\n`).join(''));
  return file;
}
const missing = path.join(folder, 'missing.conf');

/** Upstreams of a file, and what the log says about it. */
async function open(resolvConf: string, behindStub = missing, own: string[] = []) {
  const { log, lines } = recordingLog();
  const forward = { to: [{ file: '/etc/resolv.conf' }], place: { file: 'Corefile', line: 2 } };
  const source = new UpstreamSource({ forward, log, clock: new FakeClock(), resolvConf, own, ownPort: 53, behindStub });
  const upstreams = await source.open(() => undefined);
  source.close();
  return { upstreams: upstreams.map(upstreamText), said: lines.map((line) => JSON.stringify(line)).join('\n') };
}

// Users F29: seen in the file before anything is sent, and named with what to do.
for (const [why, conf, behind, own, upstreams, said] of [
  ['servers that are others’ are asked, and nothing is said', ['192.0.2.1'], undefined, [], ['192.0.2.1:53'], /^$/],
  [
    'behind a stub of systemd-resolved the servers it asks are asked',
    ['127.0.0.53'],
    ['192.0.2.7', '192.0.2.8'],
    [],
    ['192.0.2.7:53', '192.0.2.8:53'],
    /names a stub of systemd-resolved: the servers behind it are asked/,
  ],
  [
    'a stub that nothing is known behind is asked, with a warning',
    ['127.0.0.53'],
    undefined,
    [],
    ['127.0.0.53:53'],
    /names a stub of systemd-resolved and there is no .*names go round in a loop\. Name the real upstream servers/,
  ],
  [
    'of a stub whose servers are ourselves nobody is left but the stub',
    ['127.0.0.53'],
    ['10.96.0.10'],
    ['10.96.0.10'],
    ['127.0.0.53:53'],
    /names go round in a loop/,
  ],
  [
    'this server itself is not asked',
    ['10.96.0.10', '192.0.2.1'],
    undefined,
    ['10.96.0.10'],
    ['192.0.2.1:53'],
    /names 10\.96\.0\.10, which is this server itself: it is not asked/,
  ],
  [
    'with nobody left that is said',
    ['10.96.0.10'],
    undefined,
    ['10.96.0.10'],
    [],
    /there is no upstream DNS server: names outside the cluster will not resolve/,
  ],
] as const) {
  test(why, async () => {
    const found = await open(write(...conf), behind && write(...behind), [...own]);
    assert.deepEqual(found.upstreams, upstreams);
    assert.match(found.said, said);
  });
}

test('without the file there is nobody to ask, which is no reason not to start', async () => {
  const found = await open(missing);
  assert.deepEqual(found.upstreams, []);
  assert.match(found.said, /cannot read .*missing\.conf/);
});
