/** Walkthrough W9: a real MariaDB on a machine outside the cluster, reached through a Service without a selector. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { Cluster, eventually, must, run, WALKTHROUGHS } from '../support/cluster.ts';

const DATABASE_IP = '172.30.0.200'; // the address in the manifest
const SQL = `CREATE DATABASE shop;
CREATE TABLE shop.fruit (name VARCHAR(20));
INSERT INTO shop.fruit VALUES ('quince');
CREATE USER 'reader'@'%' IDENTIFIED BY 'orchard';
GRANT SELECT ON shop.* TO 'reader'@'%';
`;

const cluster = new Cluster('m');
const lan = '--net=/run/netns/fairway-m-lan';
let database: ChildProcess | undefined;

/** A MariaDB with one table and one reader, on an address of its own in the LAN. */
async function startDatabase(): Promise<void> {
  const folder = join(cluster.dataDir, 'mariadb');
  mkdirSync(folder, { recursive: true });
  must(
    run('mariadb-install-db', [
      '--no-defaults',
      '--user=root',
      `--datadir=${folder}/data`,
      '--skip-test-db',
      '--auth-root-authentication-method=normal',
    ]),
  );
  writeFileSync(join(folder, 'init.sql'), SQL);
  must(run('nsenter', [lan, 'ip', 'address', 'add', `${DATABASE_IP}/24`, 'dev', 'lan0']));
  const options = [
    '--no-defaults',
    '--user=root',
    `--datadir=${folder}/data`,
    `--socket=${folder}/socket`,
    `--pid-file=${folder}/pid`,
    `--init-file=${folder}/init.sql`,
  ];
  database = spawn('nsenter', [lan, 'mariadbd', ...options, `--bind-address=${DATABASE_IP}`], { stdio: 'ignore' });
  await eventually(() => must(run('nsenter', [lan, 'bash', '-c', 'exec 3<>/dev/tcp/$0/3306', DATABASE_IP])), 60_000);
}

before(async () => {
  must(cluster.up());
  await startDatabase();
});

after(async () => {
  const ended = new Promise((resolve) => database?.once('exit', resolve));
  database?.kill('SIGTERM');
  if (database) await ended;
  cluster.stop();
});

test("a Pod logs in by the Service's name and reads a row, once the Endpoints object names the machine", async () => {
  const [service, endpoints] = parseAllDocuments(readFileSync(join(WALKTHROUGHS, 'external-mysql.yaml'), 'utf8')).map(
    (document) => String(document),
  );
  cluster.apply(service ?? '');
  assert.match(cluster.get('describe', 'svc', 'mysql'), /^Endpoints:\s*(<none>|)\s*$/m);

  cluster.apply(endpoints ?? '');
  await eventually(() => {
    assert.match(cluster.get('describe', 'svc', 'mysql'), new RegExp(`^Endpoints:\\s+${DATABASE_IP}:3306$`, 'm'));
  });

  cluster.get('run', 'client', '--image=mysql', '--command', '--', 'sleep', '3600');
  cluster.get('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
  const query = [
    'mysql',
    '--host=mysql',
    '--port=3306',
    '--user=reader',
    '--password=orchard',
    '--batch',
    '--skip-column-names',
    '--execute=SELECT name FROM shop.fruit',
  ];
  await eventually(() => {
    assert.equal(cluster.get('exec', 'client', '--', ...query).trim(), 'quince');
  });
});

test('a wrong password is refused by the database itself: it is the real one that answers', () => {
  const result = cluster.kubectl(
    'exec',
    'client',
    '--',
    'mysql',
    '--host=mysql',
    '--user=reader',
    '--password=wrong',
    '--execute=SELECT 1',
  );
  assert.match(result.stderr, /Access denied for user 'reader'/);
  assert.equal(result.code, 1);
});
