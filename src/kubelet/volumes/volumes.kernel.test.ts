import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
requireOuterNamespace();
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec } from '../../host/exec.ts';
import { parseMountsBelow } from '../../host/mounts.ts';
import { realClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { createVolumeManager } from './manager.ts';

test('real mounts: secrets and memory volumes, a bound subPath, and a clean-up that leaves the host’s files alone', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'volumes-'));
  const directory = join(root, 'volumes');
  const mounts = () => parseMountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), directory);
  t.after(async () => {
    for (const path of mounts()) await exec('umount', ['--lazy', path]);
    rmSync(root, { recursive: true });
  });
  const precious = join(root, 'precious');
  mkdirSync(join(precious, 'sub'), { recursive: true });
  writeFileSync(join(precious, 'sub', 'file'), 'keep me');
  const manager = createVolumeManager({
    directory,
    client: { create: () => Promise.reject(new Error('not asked')) },
    objects: {
      configMap: () => Promise.resolve(undefined),
      secret: (_, name) => Promise.resolve({ metadata: { name }, data: { key: 'eA==' } }),
    },
    clock: realClock,
    log: silentLog,
  });
  const pod = {
    metadata: { name: 'p', namespace: 'n', uid: 'uid-1' },
    spec: {
      containers: [{ name: 'c' }],
      securityContext: { fsGroup: 1234 },
      volumes: [
        { name: 's', secret: { secretName: 'login', defaultMode: 0o400 } },
        { name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        { name: 'h', hostPath: { path: precious } },
      ],
    },
  };
  const context = { nodeName: 'n', hostIPs: [], podIPs: [], allocatable: {} };
  const paths = await manager.mountAll(pod, context);
  await manager.mountAll(pod, context);
  assert.equal(mounts().length, 2, 'one for all secrets, one for the memory volume, however often asked');
  const secret = statSync(join(paths.get('s') ?? '', 'key'));
  assert.deepEqual([secret.gid, (secret.mode & 0o777).toString(8)], [1234, '440']);
  const memory = paths.get('m') ?? '';
  assert.throws(() => {
    writeFileSync(join(memory, 'big'), Buffer.alloc(2 << 20));
  }, /ENOSPC/);
  const request = { podUid: 'uid-1', volume: 'h', volumePath: precious, container: 'c', index: 0, create: true };
  const bound = await manager.subPath({ ...request, subPath: 'sub' });
  assert.equal(readFileSync(join(bound, 'file'), 'utf8'), 'keep me');
  assert.equal(await manager.subPath({ ...request, subPath: 'sub' }), bound);
  const file = await manager.subPath({ ...request, index: 1, subPath: 'sub/file' });
  assert.equal(readFileSync(file, 'utf8'), 'keep me');

  await manager.cleanUp('uid-1');
  assert.equal(mounts().length, 1, 'the node’s folder for secrets stays');
  assert.ok(!existsSync(join(directory, 'uid-1')));
  assert.equal(readFileSync(join(precious, 'sub', 'file'), 'utf8'), 'keep me');
});
