import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
requireOuterNamespace();

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { startContainerdNode, startLan } from '../../test/support/containerd-node.ts';
import type { ContainerdNode } from '../../test/support/containerd-node.ts';
import type { Core, Pod } from '../api/types.ts';
import { exec, execInNamespace } from '../host/exec.ts';
import { containerConfig } from './container-config.ts';
import { testPod } from './fake-parts.ts';
import { applyMasquerade, PodRoutes, writeCniConfig } from './network.ts';
import { linuxResources } from './qos.ts';
import { sandboxConfig } from './sandbox.ts';

const IMAGE = 'docker.io/library/busybox:latest';
/** Answers with the address it sees. */
const SERVER = [
  'mkdir -p /www/cgi-bin',
  String.raw`printf '#!/bin/sh\necho "Content-Type: text/plain"; echo; echo $REMOTE_ADDR' > /www/cgi-bin/who`,
  'chmod +x /www/cgi-bin/who',
  'exec httpd -f -h /www -p 8080',
].join('; ');
/** A program on a node that does the same, and says when it listens. */
const TELL = `require('node:http').createServer((q, r) => r.end(q.socket.remoteAddress.replace('::ffff:', ''))).listen(8090, () => console.log('on'))`;
const nodes: { name: string; cidr: string; node: ContainerdNode }[] = [];
/** Outside of the cluster: on the LAN, and beyond it. Answers with the address it sees. */
const outside = createServer((request, response) => response.end(request.socket.remoteAddress?.replace('::ffff:', '')));

before(async () => {
  await startLan();
  for (const [index, name] of ['net01', 'net02'].entries()) {
    const node = await startContainerdNode(name, `172.30.0.${String(11 + index)}`);
    nodes.push({ name, cidr: `10.244.${String(index + 1)}.0/24`, node });
  }
  for (const { cidr, node, name } of nodes) {
    const run = execInNamespace(`/run/netns/${name}`);
    await writeCniConfig(node.cniConfDir, {
      podCIDRs: [cidr],
      hairpinMode: 'hairpin-veth',
      stateDir: `${node.directory}/ipam`,
    });
    await run('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
    const others = nodes.filter((other) => other.name !== name).map((other) => [other.cidr, other.node.ip] as const);
    const routes = new PodRoutes(run);
    await routes.apply(new Map([...others, ['10.244.99.0/24', '172.30.0.1']]));
    await routes.apply(new Map(others));
    const masquerade = { clusterCidr: '10.244.0.0/16', nodeIps: nodes.map(({ node: { ip } }) => ip) };
    for (const _ of [1, 2]) await applyMasquerade(masquerade, run);
    const { stdout } = await run('iptables', ['-t', 'nat', '-S', 'POSTROUTING']);
    assert.equal(stdout.match(/FAIRWAY-MASQUERADE/g)?.length, 1);
    await exec('ip', ['route', 'add', cidr, 'via', node.ip]);
    while ((await node.cri.status()).some(({ status }) => !status))
      await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await exec('ip', ['address', 'add', '203.0.113.1/32', 'dev', 'lan0']);
  await new Promise<void>((resolve) => outside.listen(8080, resolve));
});
after(async () => {
  outside.close();
  for (const { node } of nodes) await node.stop();
});

async function startPod({ node }: { node: ContainerdNode }, name: string, container: Partial<Core.Container> = {}) {
  const spec = { name: 'web', image: IMAGE, command: ['sh', '-c', SERVER], ...container };
  const pod: Pod = testPod(name, { containers: [spec] });
  const dns = { servers: [], searches: [], options: [] };
  const context = {
    podLogsDir: `${node.directory}/logs`,
    cgroupRoot: node.cgroupRoot,
    clusterDomain: 'cluster.local',
    dns,
  };
  const sandbox = sandboxConfig(pod, 0, context);
  const sandboxId = await node.cri.runPodSandbox(sandbox);
  const resources = linuxResources(pod, spec, 2 ** 30);
  const config = containerConfig(pod, spec, {
    restartCount: 0,
    imageRef: IMAGE,
    env: [],
    expand: (text) => text,
    mounts: [],
    resources,
    seccompDir: '/nowhere',
  });
  const id = await node.cri.createContainer(sandboxId, config, sandbox);
  await node.cri.startContainer(id);
  const { ips } = await node.cri.podSandboxStatus(sandboxId);
  const ask = async (host: string, path = '/cgi-bin/who') => {
    const end = Date.now() + 5000;
    for (;;) {
      const { stdout, stderr, exitCode } = await node.cri.execSync(
        id,
        ['wget', '-q', '-O-', `http://${host}${path}`],
        10,
      );
      // A server that was started a moment ago may not listen yet.
      if (exitCode === 0)
        return stdout
          .toString()
          .trim()
          .replace(/^\[::ffff:(.*)\]$/, '$1');
      if (Date.now() > end) return `wget ended with ${String(exitCode)}: ${stderr.toString()}`;
    }
  };
  return { ip: ips[0] ?? '', ask };
}

test('pods reach pods and nodes by their own address; everybody else sees the node', async (t) => {
  const [first, second] = nodes;
  assert.ok(first && second);
  const onNode = spawn('nsenter', [`--net=/run/netns/${second.name}`, process.execPath, '-e', TELL], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => onNode.kill());
  await once(onNode.stdout, 'data');
  const here = await startPod(first, 'here');
  const beside = await startPod(first, 'beside');
  const there = await startPod(second, 'there');
  assert.match(here.ip, /^10\.244\.1\./);
  assert.match(there.ip, /^10\.244\.2\./);
  assert.equal(await here.ask(`${beside.ip}:8080`), here.ip, 'same node');
  assert.equal(await here.ask(`${there.ip}:8080`), here.ip, 'other node');
  assert.equal(await here.ask(`${here.ip}:8080`), here.ip, 'itself');
  assert.equal(await here.ask(`${second.node.ip}:8090`, '/'), here.ip, 'a node');
  assert.equal(await here.ask('172.30.0.1:8080', '/'), first.node.ip, 'a machine on the LAN that is no node');
  assert.equal(await here.ask('203.0.113.1:8080', '/'), first.node.ip, 'beyond the LAN');
});

test('a hostPort answers on its node', async () => {
  const [, second] = nodes;
  assert.ok(second);
  await startPod(second, 'published', { ports: [{ containerPort: 8080, hostPort: 8088 }] });
  const end = Date.now() + 3000;
  for (;;) {
    const status = await fetch(`http://${second.node.ip}:8088/`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 404) break;
    assert.ok(Date.now() < end, 'no answer on the hostPort');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
