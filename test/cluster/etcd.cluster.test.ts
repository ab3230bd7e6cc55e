/** A cluster whose state is in etcd; and two servers on one etcd, of which one acts. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CONFIG_MAPS, DEPLOYMENTS, LEASES, PODS } from '../../src/api/kinds.ts';
import { Cluster, eventually, must, run } from '../support/cluster.ts';
import { untilReady } from '../support/consistency.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { ServerProcess } from '../support/server.ts';

let etcd: EtcdCluster;
before(async () => {
  etcd = await EtcdCluster.start();
});
after(() => etcd.remove());

const keys = (prefix: string) =>
  must(
    run('etcdctl', [`--endpoints=${etcd.endpoints}`, 'get', '--prefix', prefix, '--keys-only'], {
      env: { ETCDCTL_API: '3' },
    }),
  );

describe('fairway up --datastore', () => {
  const cluster = new Cluster('ha');
  after(() => {
    cluster.stop();
    assert.equal(keys('/fairway-ha').trim(), '', 'down --purge empties its part of etcd');
  });

  test('keeps its objects in etcd under its own prefix, and nothing in SQLite', () => {
    must(cluster.up('--nodes', '1', '--datastore', etcd.endpoints));
    cluster.get('create', 'configmap', 'there', '--from-literal=a=b');
    assert.match(keys('/fairway-ha/registry/core/configmaps/default/'), /configmaps\/default\/there/);
    assert.match(cluster.get('get', 'nodes'), /node01\s+Ready/);
    assert.notEqual(run('ls', [`${cluster.dir}/server/state.db`]).code, 0);
  });

  test('cannot be moved to another kind of store without a purge', () => {
    const { code, stderr } = cluster.up('--datastore', 'sqlite');
    assert.equal(code, 1);
    assert.match(stderr, /--datastore is http:\S+ in this cluster's data and cannot become sqlite/);
    const bad = cluster.up('--datastore', 'http://10.0.0.1:2379');
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /--datastore: http:\/\/10\.0\.0\.1:2379 would carry every Secret in the clear/);
  });
});

test('of two servers one runs the controllers; when it ends the other takes over at once', async (context) => {
  const flags = ['--datastore', etcd.endpoints, '--etcd-prefix', '/pair'];
  const servers = [new ServerProcess(16451, flags), new ServerProcess(16452, flags)];
  context.after(() => Promise.all(servers.map((server) => server.remove())));
  const [one, two] = servers;
  if (!one || !two) return;
  await one.prepare();
  await two.prepare(one);
  const clients = servers.map((server) => server.client());
  context.after(() => {
    for (const client of clients) client.close();
  });
  const [first, second] = clients;
  if (!first || !second) return;
  one.start();
  await untilReady(first);
  const holder = async (client: typeof first) =>
    (await client.get(LEASES, 'fairway-server', 'kube-system')).spec?.holderIdentity ?? '';
  const before = await eventually(async () => {
    const found = await holder(first);
    assert.notEqual(found, '');
    return found;
  });
  two.start();
  await untilReady(second);
  const labels = { app: 'web' };
  const deployment = (name: string) => ({
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'busybox' }] } },
    },
  });
  await second.create(DEPLOYMENTS, deployment('web'));
  const pods = async (count: number) => {
    await eventually(async () => {
      assert.equal((await second.list(PODS, { namespace: 'default' })).items.length, count);
    });
  };
  await pods(3);
  assert.equal(await holder(second), before);
  await one.kill('SIGTERM');
  await eventually(async () => {
    assert.ok(!['', before].includes(await holder(second)));
  }, 8000);
  const found = await second.get(DEPLOYMENTS, 'web', 'default');
  await second.update(DEPLOYMENTS, { ...found, spec: { ...found.spec, replicas: 5 } });
  await pods(5);
  await second.create(CONFIG_MAPS, { metadata: { name: 'served', namespace: 'default' } });
});
