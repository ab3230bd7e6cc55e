import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const FAIRWAY = join(import.meta.dirname, '..', '..', 'bin', 'fairway');
const folder = mkdtempSync(join(tmpdir(), 'fw-proxy-cli-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const proxy = (...args: string[]) => spawnSync(FAIRWAY, ['proxy', ...args], { encoding: 'utf8' });
const at = (name: string) => join(folder, name);

test('what --write-config-to writes is a file that --config reads as the same', () => {
  const flags = [
    ['--proxy-mode', 'ipvs'],
    ['--masquerade-all', '--iptables-localhost-nodeports=false'],
    ['--nodeport-addresses', '10.0.0.0/8', '--nodeport-addresses', 'fd00::/8'],
    ['--oom-score-adj', '-5'],
    ['--hostname-override', 'Node07'],
  ].flat();
  const first = proxy(...flags, '--write-config-to', at('first'));
  assert.equal(first.status, 0, first.stderr);
  const text = readFileSync(at('first'), 'utf8');
  for (const line of [
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1',
    'kind: KubeProxyConfiguration',
    'mode: ipvs',
    '  masqueradeAll: true',
    '  localhostNodePorts: false',
    '  - 10.0.0.0/8',
    '  - fd00::/8',
    'oomScoreAdj: -5',
    'hostnameOverride: node07',
    'configSyncPeriod: 15m0s',
  ])
    assert.ok(text.split('\n').includes(line), line);
  const second = proxy('--config', at('first'), '--write-config-to', at('second'));
  assert.deepEqual([second.status, second.stderr], [0, '']);
  assert.equal(readFileSync(at('second'), 'utf8'), text);
});

test('a file with fields nobody knows is served, and each is named', () => {
  writeFileSync(
    at('odd'),
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: iptables\nfrobnicate: 1\nclusterCIDR: pods\n',
  );
  const { status, stderr } = proxy('--config', at('odd'), '--proxy-mode', 'ipvs', '--write-config-to', at('out'));
  assert.equal(status, 0);
  assert.equal(
    stderr,
    `fairway: warning: frobnicate: unknown field, ignored
fairway: warning: --proxy-mode: ignored: --config says everything
fairway: warning: clusterCIDR: pods is no range such as 10.244.0.0/16; left out
`,
  );
  assert.match(readFileSync(at('out'), 'utf8'), /^mode: iptables$/m);
});

test('all that is wrong with a file is told at once, and nothing starts', () => {
  writeFileSync(
    at('bad'),
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: magic\nbindAddress: here\n',
  );
  const { status, stderr } = proxy('--config', at('bad'), '--dry-run');
  assert.equal(status, 2);
  assert.match(stderr, /bindAddress: here is no IP address\n.*mode: magic must be/);
});

test('--version is that of the program', () => {
  assert.match(proxy('--version').stdout, /^fairway \d+\.\d+\.\d+ \(Kubernetes v/);
});
