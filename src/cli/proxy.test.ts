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
    `fairway: warning: ${at('odd')}: frobnicate: unknown field, ignored
fairway: warning: --proxy-mode: ignored: --config says everything
fairway: warning: ${at('odd')}: clusterCIDR: pods is no range such as 10.244.0.0/16; left out
`,
  );
  assert.match(readFileSync(at('out'), 'utf8'), /^mode: iptables$/m);
});

test('a file that is something else is named', () => {
  writeFileSync(at('pod'), 'apiVersion: v1\nkind: Pod\n');
  const { status, stderr } = proxy('--config', at('pod'), '--dry-run');
  assert.equal(status, 2);
  assert.ok(stderr.startsWith(`fairway: ${at('pod')}: this is no KubeProxyConfiguration: `), stderr);
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

test('what kube-proxy is started with in practice is taken', () => {
  const flags = ['--v=2', '--vmodule=proxier=4', '--log-flush-frequency=5s', '--logging-format=text', '--proxy-mode='];
  const switches = ['--cleanup=false', '--init-only=False', '--dry-run=0', '--masquerade-all=1'];
  const { status, stderr } = proxy(...flags, ...switches, '--write-config-to', at('practice'));
  assert.deepEqual([status, stderr], [0, '']);
  assert.match(readFileSync(at('practice'), 'utf8'), /^mode: ""$/m);
  const wrong = proxy('--cleanup=perhaps');
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /--cleanup.*must be true or false/i);
});

test('files that are none are named, with what they are', () => {
  const cases: [string[], RegExp][] = [
    [['--config', folder, '--dry-run'], /--config .* cannot be read: it is no file/],
    [['--config', '/dev/zero', '--dry-run'], /--config \/dev\/zero cannot be read: it is no file/],
    [['--write-config-to', join(folder, 'nowhere', 'x')], /--write-config-to .*nowhere\/x cannot be written: ENOENT/],
    [['--dry-run', '--master', 'no address'], /--master no address is no address of an API server such as/],
    [['--dry-run', '--master', '127.0.0.1:1'], /GET http:\/\/127\.0\.0\.1:1\/api\/v1\/nodes/],
  ];
  for (const [args, said] of cases) {
    const { status, stderr } = proxy(...args);
    assert.equal(status, 1);
    assert.match(stderr, said);
  }
});
