/** `up` and `down` as a user meets them: repeated, changed, side by side, refused, failing, after crashes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Cluster, eventually, FAIRWAY, must, run } from '../support/cluster.ts';

describe('one cluster through its life', () => {
  const cluster = new Cluster('life');
  before(() => {
    must(cluster.up());
  });
  after(() => {
    cluster.stop();
  });
  const pids = () =>
    Object.fromEntries(Object.entries(cluster.state().processes).map(([part, { pid }]) => [part, pid]));

  test('both nodes are Ready when up returns', () => {
    assert.match(cluster.get('get', 'nodes'), /node01\s+Ready.*\nnode02\s+Ready/);
    assert.equal(cluster.fairway('status').code, 0);
    const status = JSON.parse(must(cluster.fairway('status', '-o', 'json'))) as { state: string; nodes: unknown[] };
    assert.deepEqual([status.state, status.nodes.length], ['ready', 2]);
  });

  test('no part of it was refused anything', () => {
    const folder = join(cluster.dir, 'logs');
    for (const name of readdirSync(folder)) {
      const refused = /.*\b(is forbidden|Unauthorized)\b.*/.exec(readFileSync(join(folder, name), 'utf8'))?.[0];
      assert.equal(refused, undefined, name);
    }
  });

  test('a second up changes nothing', () => {
    const before = pids();
    must(cluster.up());
    assert.deepEqual(pids(), before);
  });

  test('another node port range restarts the server, and the agents, whose proxies keep these ports free; no container', () => {
    const before = pids();
    must(cluster.up('--service-node-port-range', '20000-20100'));
    const after = pids();
    assert.notEqual(after['server'], before['server']);
    for (const part of ['node01-containerd', 'node02-containerd']) assert.equal(after[part], before[part]);
    cluster.apply(
      'apiVersion: v1\nkind: Service\nmetadata: {name: ranged}\nspec: {type: NodePort, selector: {a: b}, ports: [{port: 80}]}\n',
    );
    const port = Number(cluster.jsonpath('{.spec.ports[0].nodePort}', 'svc', 'ranged'));
    assert.ok(port >= 20000 && port <= 20100, String(port));
  });

  test('a third node joins, and leaves again with its Node object', () => {
    must(cluster.up('--nodes', '3'));
    assert.match(cluster.get('get', 'nodes'), /node03\s+Ready/);
    must(cluster.up('--nodes', '2'));
    assert.match(cluster.kubectl('get', 'node', 'node03').stderr, /nodes "node03" not found/);
    assert.ok(!run('ip', ['netns']).stdout.includes('fairway-life-node03'));
  });

  test('what cannot change on existing data is refused with the way out', () => {
    const result = cluster.up('--service-cluster-ip-range', '10.97.0.0/16');
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^fairway: --service-cluster-ip-range is 10\.96\.0\.0\/16 .*fairway down --purge\n$/);
  });

  test('containers survive a killed agent, and it comes back by itself', async () => {
    cluster.get('run', 'survivor', '--image=busybox', '--command', '--', 'sleep', '3600');
    cluster.get('wait', '--for=condition=Ready', 'pod/survivor', '--timeout=60s');
    const node = cluster.jsonpath('{.spec.nodeName}', 'pod', 'survivor');
    const id = cluster.jsonpath('{.status.containerStatuses[0].containerID}', 'pod', 'survivor');
    const supervisor = cluster.state().processes[node]?.pid ?? 0;
    const agent = Number(run('ps', ['-o', 'pid=', '--ppid', String(supervisor)]).stdout.trim());
    process.kill(agent, 'SIGKILL');
    await eventually(() => {
      const next = Number(run('ps', ['-o', 'pid=', '--ppid', String(supervisor)]).stdout.trim());
      assert.ok(next > 0 && next !== agent);
      assert.equal(cluster.get('exec', 'survivor', '--', 'echo', 'still here').trim(), 'still here');
    });
    assert.equal(
      cluster.jsonpath('{.status.containerStatuses[0].containerID}', 'pod', 'survivor'),
      id,
      'the same container',
    );
    assert.equal(cluster.jsonpath('{.status.containerStatuses[0].restartCount}', 'pod', 'survivor'), '0');
  });

  test('after down the data is there, after the next up the objects are', () => {
    must(cluster.fairway('down'));
    assert.deepEqual(cluster.remains(), []);
    const status = cluster.fairway('status');
    assert.equal(status.code, 1);
    assert.match(status.stdout, /stopped/);
    must(cluster.up());
    assert.match(cluster.get('get', 'svc', 'ranged'), /NodePort/);
  });
});

test('clusters of two names run side by side, and one going down leaves the other', () => {
  const one = new Cluster('one');
  const two = new Cluster('two');
  must(one.up('--nodes', '1'));
  must(two.up('--nodes', '1'));
  assert.match(one.get('get', 'nodes', '-o', 'wide'), /172\.30\.0\.11/);
  assert.match(two.get('get', 'nodes', '-o', 'wide'), /172\.30\.1\.11/);
  must(one.fairway('down', '--purge'));
  assert.match(two.get('get', 'nodes'), /node01\s+Ready/);
  two.stop();
  rmSync(one.dataDir, { recursive: true, force: true });
});

test('clusters started at the same moment, and one whose network was taken while it was down, do not meet', async () => {
  const one = new Cluster('first');
  const two = new Cluster('other');
  const start = (cluster: Cluster) =>
    new Promise<number | null>((resolve) => {
      spawn(FAIRWAY, ['up', ...cluster.flags, '--nodes', '1'], { stdio: 'ignore' }).once('close', resolve);
    });
  assert.deepEqual(await Promise.all([start(one), start(two)]), [0, 0]);
  const address = (cluster: Cluster) => cluster.jsonpath('{.items[0].status.addresses[0].address}', 'nodes');
  assert.deepEqual([address(one), address(two)].sort(), ['172.30.0.11', '172.30.1.11']);
  const [low, high] = address(one) === '172.30.0.11' ? [one, two] : [two, one];
  must(low.fairway('down'));
  must(high.fairway('down', '--purge'));
  must(high.up('--nodes', '1'));
  assert.equal(address(high), '172.30.0.11');
  must(low.up());
  await eventually(() => {
    assert.equal(address(low), '172.30.1.11');
  });
  assert.equal(low.onNode('node01', 'ip', 'route', 'get', '172.30.1.1').code, 0);
  must(low.fairway('down', '--purge'));
  assert.equal(high.fairway('status').code, 0);
  high.stop();
  rmSync(low.dataDir, { recursive: true, force: true });
});

describe('what up refuses', () => {
  const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? '';

  test('a taken port is named, with the way to find who has it, and nothing stays', async () => {
    const cluster = new Cluster('port');
    const holder = spawn(
      process.execPath,
      ['-e', "require('node:net').createServer().listen(6443, '0.0.0.0', () => console.log('on'))"],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const result = cluster.up();
    holder.kill();
    assert.equal(result.code, 1);
    assert.match(
      lastLine(result.stderr),
      /^fairway: port 6443 on 172\.30\.0\.1 is taken by another program \(see: ss .*\); stop it and try again$/,
    );
    assert.deepEqual(cluster.remains(), []);
    rmSync(cluster.dataDir, { recursive: true, force: true });
  });

  test('a leftover namespace is named with the command that removes it', () => {
    must(run('ip', ['netns', 'add', 'fairway-old-node01']));
    const cluster = new Cluster('old');
    const result = cluster.up();
    assert.equal(result.code, 1);
    assert.match(
      lastLine(result.stderr),
      /^fairway: network namespace fairway-old-node01 is left over .*run: fairway down --name old/,
    );
    must(cluster.fairway('down'));
    assert.ok(!run('ip', ['netns']).stdout.includes('fairway-old'));
    rmSync(cluster.dataDir, { recursive: true, force: true });
  });

  test('a missing package is named with the command that installs it', () => {
    const cluster = new Cluster('bare');
    // a file system without containerd: an empty file in its place, in a mount namespace of this command alone
    const script =
      'touch /tmp/fw-empty-$$ && mount --bind /tmp/fw-empty-$$ "$(command -v containerd)" && rm -f /tmp/fw-empty-$$; exec "$@"';
    const result = run('unshare', [
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      process.env['FAIRWAY'] ?? 'bin/fairway',
      'up',
      ...cluster.flags,
    ]);
    assert.equal(result.code, 1);
    assert.match(
      lastLine(result.stderr),
      /^fairway: containerd not found: package containerd is missing; run: make setup$/,
    );
    rmSync(cluster.dataDir, { recursive: true, force: true });
  });

  test('a wrong flag ends with exit code 2 and one line', () => {
    const cluster = new Cluster('flag');
    const result = cluster.up('--cluster-cidr', 'ten');
    assert.equal(result.code, 2);
    assert.match(result.stderr, /^fairway: --cluster-cidr ten: must be a CIDR such as 10\.244\.0\.0\/16\n$/);
  });
});
