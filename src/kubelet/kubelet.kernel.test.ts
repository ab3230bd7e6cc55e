import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
requireOuterNamespace();

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PODS } from '../api/kinds.ts';
import type { Core, Pod } from '../api/types.ts';
import { startInformer } from '../client/informer.ts';
import { realClock } from '../lib/clock.ts';
import { startContainerdNode, startLan } from '../../test/support/containerd-node.ts';
import type { ContainerdNode } from '../../test/support/containerd-node.ts';
import { fakeSurroundings, testPod } from './fake-parts.ts';
import { writeCniConfig } from './network.ts';
import { PodWorker } from './pod-worker.ts';

const IMAGE = 'docker.io/library/busybox:latest';
let node: ContainerdNode;

before(async () => {
  await startLan();
  node = await startContainerdNode('kubelet01', '172.30.0.21');
  const options = {
    podCIDRs: ['10.244.1.0/24'],
    hairpinMode: 'hairpin-veth',
    stateDir: `${node.directory}/ipam`,
  } as const;
  await writeCniConfig(node.cniConfDir, options);
  while ((await node.cri.status()).some(({ status }) => !status))
    await new Promise((resolve) => setTimeout(resolve, 20));
});
after(() => node.stop());

test('pods run, restart, survive the worker and end on a real containerd', async (t) => {
  const container: Core.Container = {
    name: 'web',
    image: IMAGE,
    command: ['sh', '-c', 'echo serving as $POD; trap "exit 0" TERM; while :; do sleep 0.05; done'],
    env: [{ name: 'POD', value: 'a' }],
    securityContext: { seccompProfile: { type: 'RuntimeDefault' }, allowPrivilegeEscalation: false },
  };
  const fakes = fakeSurroundings(realClock, []);
  const context = {
    ...fakes.context,
    cri: node.cri,
    images: { ensure: () => Promise.resolve(IMAGE) },
    node: { ...fakes.context.node, cgroupRoot: node.cgroupRoot },
  };
  const informer = startInformer(fakes.client, PODS);
  await informer.synced;
  const worker = new PodWorker(context);
  await worker.start([]);
  informer.onChange((change) => {
    if (change.type === 'deleted') worker.remove(change.object);
    else worker.update(change.object);
  });
  t.after(async () => {
    informer.stop();
    await worker.stop();
  });
  const pod = () => fakes.client.all(PODS)[0];
  const changed = async (what: string, condition: () => boolean) => {
    const end = Date.now() + 10_000;
    while (!condition()) {
      if (Date.now() > end)
        assert.fail(`${what}: ${JSON.stringify(pod()?.status, undefined, 1)} ${fakes.events.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const ready = () => pod()?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';

  const began = Date.now();
  fakes.client.seed<Pod>(testPod('a', { containers: [container] }));
  await changed('Ready', ready);
  t.diagnostic(`pod Ready after ${String(Date.now() - began)} ms`);
  assert.match(pod()?.status?.podIP ?? '', /^10\.244\.1\./);
  const id = worker.container('uid-a', 'web')?.id ?? '';
  const said = await node.cri.execSync(id, ['cat', '/etc/resolv.conf', '/etc/hosts', '/proc/1/status'], 5);
  for (const line of [/nameserver 10\.96\.0\.10/, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m])
    assert.match(said.stdout.toString(), line);

  await node.cri.execSync(id, ['sh', '-c', 'echo bye > /dev/termination-log; kill -TERM 1'], 5);
  await changed('restart', () => pod()?.status?.containerStatuses?.[0]?.restartCount === 1 && ready());
  assert.equal(pod()?.status?.containerStatuses?.[0]?.lastState?.terminated?.message?.trim(), 'bye');

  const gone = Date.now();
  await fakes.client.delete(PODS, 'a', 'default');
  await changed('gone', () => pod() === undefined);
  t.diagnostic(`pod gone after ${String(Date.now() - gone)} ms`);
  await changed('cleaned up', () => worker.list().length === 0);
  assert.deepEqual(await node.cri.listPodSandboxes(), []);
  assert.deepEqual(await node.cri.listContainers(), []);
});
