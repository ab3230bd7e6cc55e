import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerdSocket, renderContainerdConfig } from './containerd.ts';

const options = {
  root: '/data/root',
  state: '/data/state',
  sandboxImage: 'fairway.local/pause:1',
  cniConfDir: '/data/cni',
  cniBinDir: '/usr/lib/cni',
};

test('everything a node keeps lies below its own folders', () => {
  const text = renderContainerdConfig(options);
  const paths = [...text.matchAll(/"(\/[^"]*)"/g)].map(([, path]) => path ?? '');
  assert.deepEqual(
    paths.filter((path) => !path.startsWith('/data/')),
    ['/usr/lib/cni'],
  );
  assert.equal(containerdSocket(options), '/data/state/containerd.sock');
  assert.ok(text.includes(`address = "${containerdSocket(options)}"`));
});

test('the settings that were found out the hard way are there', () => {
  const text = renderContainerdConfig(options);
  for (const line of [
    'restrict_oom_score_adj = true',
    'netns_mounts_under_state_dir = true',
    'SystemdCgroup = false',
    'sandbox_image = "fairway.local/pause:1"',
  ])
    assert.ok(text.split('\n').includes(line), line);
});
