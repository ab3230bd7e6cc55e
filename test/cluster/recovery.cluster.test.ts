/** What `up` and `down` make of a cluster somebody or something broke: killed commands and supervisors, lost links, other folders. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Cluster, eventually, FAIRWAY, must, run } from '../support/cluster.ts';

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
const tables = () => run('nft', ['list', 'tables', 'ip']).stdout;

describe('a cluster that was broken', () => {
  const cluster = new Cluster('mend');
  const parts = (what: string) =>
    run('ps', ['-eo', 'args'])
      .stdout.split('\n')
      .filter((line) => line.includes(`main.ts ${what} `) && line.includes(`${cluster.dir}/`)).length;
  before(() => {
    must(cluster.up('--nodes', '1'));
  });
  after(() => {
    cluster.stop();
  });

  test('nodes are Ready by what their agent says now, not by what is on record', () => {
    must(cluster.fairway('down'));
    must(cluster.up());
    const { processes } = cluster.state();
    assert.ok(processes['node01']);
    const renewed = cluster.jsonpath('{.spec.renewTime}', 'lease', 'node01', '-n', 'kube-node-lease');
    const started = Number(run('stat', ['-c', '%Y', `/proc/${String(processes['node01'].pid)}`]).stdout);
    assert.ok(Date.parse(renewed) / 1000 >= started, `${renewed} is before the agent's start`);
  });

  for (const part of ['node01', 'server']) {
    test(`what a killed supervisor of ${part} left is replaced, not doubled`, () => {
      process.kill(cluster.state().processes[part]?.pid ?? 0, 'SIGKILL');
      must(cluster.up());
      assert.equal(parts(part === 'server' ? 'server' : 'agent'), 1);
      assert.match(cluster.get('get', 'nodes'), /node01\s+Ready/);
    });
  }

  test('a supervisor that was started but never recorded is replaced', () => {
    const file = join(cluster.dir, 'state.json');
    const state = JSON.parse(readFileSync(file, 'utf8')) as { processes: Record<string, unknown> };
    delete state.processes['node01'];
    writeFileSync(file, JSON.stringify(state));
    must(cluster.up());
    assert.equal(parts('agent'), 1);
  });

  test('a LAN that was removed is made anew, and the nodes on it', () => {
    must(run('ip', ['netns', 'delete', 'fairway-mend-lan']));
    must(cluster.up());
    must(cluster.outside('bash', '-c', 'exec 3<>/dev/tcp/172.30.0.11/10250'));
  });

  test('a namespace without links, as a killed up leaves it, is made anew', () => {
    must(cluster.fairway('down'));
    must(run('ip', ['netns', 'add', 'fairway-mend-lan']));
    must(run('ip', ['netns', 'add', 'fairway-mend-node01']));
    must(cluster.up());
  });

  test('egress can be given to a running cluster, and taken back, without the sbin folders on the PATH', () => {
    const forwarding = readFileSync(FORWARDING, 'utf8');
    must(cluster.up('--egress'));
    assert.match(must(cluster.onNode('node01', 'ip', 'route')), /^default via 172\.30\.0\.1 /m);
    assert.match(tables(), /fairway-mend/);
    must(run(FAIRWAY, ['up', ...cluster.flags, '--no-egress'], { env: { PATH: '/usr/bin:/bin' } }));
    assert.doesNotMatch(must(cluster.onNode('node01', 'ip', 'route')), /^default/m);
    assert.doesNotMatch(tables(), /fairway/);
    assert.equal(readFileSync(FORWARDING, 'utf8'), forwarding);
  });

  test('from another data directory it is neither taken down nor started twice', () => {
    const other = mkdtempSync(join(tmpdir(), 'fw-'));
    const elsewhere = new Cluster('mend', other);
    const down = elsewhere.fairway('down');
    assert.equal(down.code, 1);
    assert.ok(down.stderr.includes(`run: fairway down --name mend --data-dir ${cluster.dataDir}`), down.stderr);
    const up = elsewhere.up();
    assert.equal(up.code, 1);
    assert.ok(up.stderr.includes(`give --data-dir ${cluster.dataDir}`), up.stderr);
    assert.equal(cluster.fairway('status').code, 0);
    rmSync(other, { recursive: true });
  });

  test('a part whose certificate was made anew is started anew, the others are not', () => {
    const before = cluster.state().processes;
    rmSync(join(cluster.dir, 'pki', 'node01.crt'));
    must(cluster.up());
    const after = cluster.state().processes;
    assert.notEqual(after['node01']?.pid, before['node01']?.pid);
    assert.equal(after['server']?.pid, before['server']?.pid);
  });

  test('down finds what killed supervisors left', () => {
    for (const { pid } of Object.values(cluster.state().processes)) process.kill(pid, 'SIGKILL');
    must(cluster.fairway('down'));
    assert.deepEqual(cluster.remains(), []);
    must(cluster.up());
  });
});

test('a cluster whose data was deleted while it ran is taken down all the same', () => {
  const cluster = new Cluster('lost');
  must(cluster.up('--nodes', '1', '--egress'));
  rmSync(join(cluster.dir, 'state.json'));
  must(cluster.fairway('down', '--purge'));
  assert.deepEqual(cluster.remains(), []);
  writeFileSync(FORWARDING, '0');
  rmSync(cluster.dataDir, { recursive: true });
});

test('Ctrl-C takes back what a first up started', async () => {
  const cluster = new Cluster('stop');
  const child = spawn(FAIRWAY, ['up', ...cluster.flags], { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await eventually(() => {
    assert.ok(existsSync(join(cluster.dir, 'nodes', 'node01', 'kubeconfig')));
  });
  child.kill('SIGINT');
  assert.equal(await ended, 1, words);
  assert.match(words, /fairway: interrupted; what was started is taken back\n$/);
  assert.deepEqual(cluster.remains(), []);
  rmSync(cluster.dataDir, { recursive: true });
});

test('a data directory behind a symbolic link is purged with everything mounted below it', () => {
  const real = mkdtempSync(join(tmpdir(), 'fw-'));
  mkdirSync(join(real, 'data'));
  symlinkSync(join(real, 'data'), join(real, 'link'));
  const cluster = new Cluster('link', join(real, 'link'));
  must(cluster.up('--nodes', '1'));
  cluster.get('run', 'a', '--image=busybox', '--command', '--', 'sleep', '3600');
  cluster.get('wait', '--for=condition=Ready', 'pod/a', '--timeout=60s');
  must(cluster.fairway('down', '--purge'));
  assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(real));
  assert.ok(!existsSync(join(real, 'data', 'link')));
  rmSync(real, { recursive: true });
});

test('a shell with a strict umask makes a cluster whose Pods can run as any user', () => {
  const cluster = new Cluster('mask');
  must(run('sh', ['-c', 'umask 077; exec "$@"', 'sh', FAIRWAY, 'up', ...cluster.flags, '--nodes', '1']));
  const spec = { securityContext: { runAsUser: 1000 } };
  const overrides = JSON.stringify({ apiVersion: 'v1', spec });
  cluster.get('run', 'u', '--image=busybox', '--restart=Never', `--overrides=${overrides}`, '--', 'cat', '/etc/hosts');
  cluster.get('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/u', '--timeout=30s');
  assert.match(cluster.get('logs', 'u'), /localhost/);
  cluster.stop();
});

test('a folder that cannot be written to, or is full, is refused with the way out', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fw-'));
  const cases: [mount: string, why: RegExp][] = [
    ['ro', /^fairway: --data-dir \S+ cannot be written to: .*; choose another one\n$/],
    ['size=3m', /^fairway: only [23] MiB are free in \S+, and a new cluster needs \d+; make room/],
  ];
  for (const [options, why] of cases) {
    must(run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]));
    const result = new Cluster('room', folder).up();
    must(run('umount', [folder]));
    assert.equal(result.code, 1);
    assert.match(result.stderr, why);
  }
  writeFileSync(join(folder, 'file'), '');
  assert.match(new Cluster('room', join(folder, 'file')).up().stderr, /it is not a folder; choose another one\n$/);
  rmSync(folder, { recursive: true });
});

test('a state that is none is named, with the way out', () => {
  const cluster = new Cluster('odd');
  mkdirSync(cluster.dir);
  for (const text of ['{', '{}', 'null']) {
    writeFileSync(join(cluster.dir, 'state.json'), text);
    for (const command of ['up', 'down', 'status']) {
      const result = cluster.fairway(command);
      assert.equal(result.code, 1);
      assert.match(
        result.stderr,
        /^fairway: \S+state\.json is not what fairway wrote; move it away and run: fairway down\n/,
      );
    }
  }
  rmSync(cluster.dataDir, { recursive: true });
});

test('a folder nothing can be mounted below is refused before anything starts', () => {
  for (const [folder, why] of [
    ['/tmp/a:b', /colons or commas/],
    [`/tmp/${'x'.repeat(90)}`, /too long by \d+ bytes/],
  ] as const) {
    const result = new Cluster('path', folder).up();
    assert.equal(result.code, 2);
    assert.match(result.stderr, why);
    assert.equal(existsSync(folder), false);
  }
});
