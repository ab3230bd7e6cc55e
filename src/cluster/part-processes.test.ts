import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONFIG } from './config.ts';
import { layoutOf } from './layout.ts';
import { partOf } from './part-processes.ts';
import { agentPart, containerdPart, serverPart, SUPERVISE } from './processes.ts';

const layout = layoutOf('one', '/data', 0);
const node = layout.node(1);
const parts = [
  serverPart(layout, DEFAULT_CONFIG),
  agentPart(layout, node, DEFAULT_CONFIG),
  containerdPart(layout, node),
];
for (const { name, command } of parts) {
  test(`${name} is known by its supervisor and by itself`, () => {
    assert.equal(partOf(['/bin/sh', SUPERVISE, name, ...command], layout.dir), name);
    const program = command.findIndex((text) => text === 'server' || text === 'agent' || text === 'containerd');
    const tail = command.slice(program);
    assert.equal(partOf(tail[0] === 'containerd' ? tail : ['node', '/x/src/main.ts', ...tail], layout.dir), name);
  });
  test(`${name} of one cluster is no part of another, also not of one named alike`, () => {
    for (const dir of ['/data/two', '/data/on', '/other/one'])
      assert.equal(partOf(['/bin/sh', SUPERVISE, name, ...command], dir), undefined);
  });
}

test('programs of people that touch files of a cluster are none of its parts', () => {
  for (const argv of [
    ['tail', '-F', '/data/one/logs/server.log'],
    ['node', '/x/src/main.ts', 'logs', '--data-dir=/data/one/'],
    ['kubectl', '--kubeconfig', '/data/one/kubeconfig', 'get', 'pods'],
    ['containerd', '--config', '/etc/containerd/config.toml', '--root', '/data/one/x'],
  ])
    assert.equal(partOf(argv, '/data/one'), undefined, argv.join(' '));
});
