import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
requireOuterNamespace();
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startContainerdNode, startLan, type ContainerdNode } from '../../test/support/containerd-node.ts';
import type { Core, Pod } from '../api/types.ts';
import { createCtr } from '../host/ctr.ts';
import { exec } from '../host/exec.ts';
import { realClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { createImageManager } from './images.ts';

let node: ContainerdNode;
let registry: ChildProcess | undefined;

before(async () => {
  await startLan();
  node = await startContainerdNode('images01', '172.30.0.22');
});
after(async () => {
  if (registry) {
    const ended = once(registry, 'exit');
    registry.kill();
    await ended;
  }
  await node.stop();
});

function manager(route: boolean, events: string[]) {
  return createImageManager({
    cri: node.cri,
    ctr: createCtr(node.endpoint),
    startersDir: join(node.directory, 'starters'),
    clock: realClock,
    log: silentLog,
    objects: { secret: () => Promise.resolve(undefined) },
    event: (_pod, _type, reason, message) => events.push(`${reason}: ${message}`),
    reach: { hasRoute: () => Promise.resolve(route), answers: () => Promise.resolve(route) },
  });
}
const pod: Pod = { metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { containers: [] } };
const container = (image: string): Core.Container => ({ name: 'c', image, imagePullPolicy: 'Always' });

test('a starter is imported into a real containerd, and named as the pod asked', async () => {
  await node.cri.removeImage('docker.io/library/busybox:latest');
  const events: string[] = [];
  const images = manager(false, events);
  const ids = await Promise.all(
    ['busybox', 'busybox:1.36', 'busybox:1.36'].map((name) => images.ensure(pod, container(name))),
  );
  assert.equal(new Set(ids).size, 1);
  const present = await node.cri.imageStatus('docker.io/library/busybox:1.36');
  assert.equal(present?.id, ids[0]);
  assert.match(events[0] ?? '', /^Pulled: No registry can be reached: imported the starter image for "busybox/);
});

test('an image is pulled from a registry that answers, and one it lacks is not found', async () => {
  const layout = join(node.directory, 'layout');
  await exec('mkdir', [layout]);
  await exec('tar', ['-xf', join(node.directory, 'starters', 'busybox.tar'), '-C', layout]);
  const script = join(import.meta.dirname, 'testdata', 'registry.ts');
  registry = spawn('nsenter', [`--net=/run/netns/${node.namespace}`, process.execPath, script, layout, '5000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(registry.stdout);
  await once(registry.stdout, 'data');
  const events: string[] = [];
  const images = manager(true, events);
  const id = await images.ensure(pod, container('localhost:5000/team/busybox:7'));
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(
    events.map((event) => event.replace(/[\d.]+s/g, 'TIME').replace(/\d+ bytes/, 'N bytes')),
    [
      'Pulling: Pulling image "localhost:5000/team/busybox:7"',
      'Pulled: Successfully pulled image "localhost:5000/team/busybox:7" in TIME (TIME including waiting). Image size: N bytes.',
    ],
  );
  await assert.rejects(images.ensure(pod, container('localhost:5000/team/none:1')), {
    reason: 'ErrImagePull',
    message: /localhost:5000\/team\/none:1.*not found/,
  });
});
