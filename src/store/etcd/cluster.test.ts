/** Three members: what their deaths do to those who read, write and watch. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { EtcdCluster, type EtcdMember } from '../../../test/support/etcd.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { ensureCertificates, pkiPaths } from '../../cluster/certificates.ts';
import { put, record } from '../contract.ts';
import { StoreError } from '../store-error.ts';
import type { Store } from '../store.ts';
import { openEtcdStore } from './etcd.ts';

let etcd: EtcdCluster;
before(async () => {
  etcd = await EtcdCluster.start({ size: 3 });
});
after(() => etcd.remove());

async function open(context: TestContext, prefix: string, total = 8000, write = 1000): Promise<Store> {
  const store = await openEtcdStore({ endpoints: etcd.endpoints, prefix, timeouts: { read: 500, write, total } });
  context.after(() => store.close());
  return store;
}

/** Resolves once the member knows all that the others do: it answers a linearisable read by itself. */
async function caughtUp({ clientUrl }: EtcdMember): Promise<void> {
  await eventually(async () => {
    const alone = await openEtcdStore({ endpoints: clientUrl, prefix: '/one' });
    try {
      await alone.reach();
    } finally {
      await alone.close();
    }
  });
}

test('members die one after the other: nothing acknowledged is lost, and a watch tells everything once', async (context) => {
  const store = await open(context, '/one');
  const { until, calls } = record(store, '', store.revision());
  const acknowledged = new Map<string, number>();
  let going = true;
  const writing = (async () => {
    for (let at = 0; going; at += 1) {
      const key = `/k${String(at).padStart(5, '0')}`;
      try {
        acknowledged.set(key, (await store.commit([put(key, String(at), 0)])).revision);
      } catch (error) {
        assert.ok(error instanceof StoreError, String(error));
        // without a leader for longer than the store is patient, nothing was even tried
        assert.ok(['unknown', 'unavailable'].includes(error.code), error.message);
      }
    }
  })();
  const more = async (count: number) => {
    const wanted = acknowledged.size + count;
    await eventually(() => {
      assert.ok(acknowledged.size >= wanted);
    });
  };
  for (const member of etcd.members) {
    await more(50);
    await member.kill();
    await more(50);
    member.start();
    // Until it has caught up a further death would take the majority.
    await caughtUp(member);
  }
  going = false;
  await writing;
  await store.reach();
  const { entries } = await store.list('');
  const found = new Map(entries.map(({ key, revision }) => [key, revision]));
  for (const [key, revision] of acknowledged) assert.equal(found.get(key), revision);
  await until(entries.length);
  assert.deepEqual(
    calls.flat().map(({ key, revision }) => [key, revision]),
    entries.map(({ key, revision }) => [key, revision]).sort((a, b) => Number(a[1]) - Number(b[1])),
  );
});

test('a member that hangs with its connections open is left while it hangs, by calls and by watches', async (context) => {
  const store = await open(context, '/frozen', 8000, 2000);
  const [first] = etcd.members;
  await store.commit([put('/before', '1')]);
  const { calls } = record(store, '', store.revision());
  await first?.freeze();
  context.after(() => first?.thaw());
  await eventually(() => store.reach());
  await eventually(() => store.commit([put('/during', '1')]));
  await eventually(() => store.reach());
  assert.ok(calls.flat().some(({ key }) => key === '/during'));
  first?.thaw();
});

test('without a majority writes and reads fail in bounded time and say so; with it again everything goes on by itself', async (context) => {
  const store = await open(context, '/quorum', 1500);
  await store.commit([put('/before', '1')]);
  const { until } = record(store, '', store.revision());
  await Promise.all(etcd.members.slice(0, 2).map((member) => member.kill()));
  const inTime = async (promise: Promise<unknown>) => {
    // a timer of this process is late when the process is: what comes after it took too long by the store's own doing
    const late = setTimeout(4000, new Error('it took more than 4 s'), { ref: false });
    const outcome = Promise.race([promise, late.then((error) => Promise.reject(error))]);
    await assert.rejects(outcome, (error) => {
      assert.ok(error instanceof StoreError, String(error));
      assert.ok(['unavailable', 'unknown'].includes(error.code), error.message);
      assert.match(error.message, /cannot be reached or has no leader|not known; read before writing again/);
      return true;
    });
  };
  await Promise.all([inTime(store.commit([put('/lost', '1')])), inTime(store.get('/before')), inTime(store.reach())]);
  // Once its leader is known to be gone nothing is even tried.
  let tries = 0;
  const refused = await eventually(async () => {
    tries += 1;
    const key = `/refused${String(tries)}`;
    await assert.rejects(store.commit([put(key, '1')]), { code: 'unavailable' });
    return key;
  });
  for (const member of etcd.members.slice(0, 2)) member.start();
  await eventually(() => store.commit([put('/again', '1')]));
  assert.equal((await store.get('/before'))?.value, '1');
  assert.equal(await store.get(refused), undefined);
  const { entries } = await store.list('');
  await until(entries.length - 1);
});

test('a member that is not there is passed over', async (context) => {
  const [first = ''] = etcd.endpoints.split(',');
  const store = await openEtcdStore({ endpoints: `http://127.0.0.1:1,${first}`, prefix: '/over' });
  context.after(() => store.close());
  assert.ok((await store.commit([put('/a', '1')])).revision > 0);
});

test('mutual TLS: the right certificate is let in, none and a stranger’s are not', async (context) => {
  const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'fairway-etcd-pki-')));
  context.after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });
  for (const folder of folders) {
    await ensureCertificates(folder, [
      { file: 'etcd', commonName: 'etcd', use: 'server', ips: ['127.0.0.1'] },
      { file: 'etcd-client', commonName: 'fairway', use: 'client' },
    ]);
  }
  const [ours, strangers] = folders.map(pkiPaths);
  if (!ours || !strangers) return;
  const secure = await EtcdCluster.start({ tls: { ca: ours.ca, cert: ours.cert('etcd'), key: ours.key('etcd') } });
  context.after(() => secure.remove());
  const read = (file: string) => readFileSync(file, 'utf8');
  const { endpoints } = secure;
  const timeouts = { read: 500, write: 500, total: 500 };
  const certificate = (pki: typeof ours) => ({
    cert: read(pki.cert('etcd-client')),
    key: read(pki.key('etcd-client')),
  });
  const store = await openEtcdStore({ endpoints, ca: read(ours.ca), ...certificate(ours) });
  assert.equal((await store.commit([put('/a', '1')])).revision > 0, true);
  await store.close();
  const refusedBy = [{ ca: read(ours.ca) }, { ca: read(ours.ca), ...certificate(strangers) }];
  for (const pem of refusedBy) {
    await assert.rejects(openEtcdStore({ endpoints, ...pem, timeouts }), { name: 'StoreError', code: 'unavailable' });
  }
  // The other way round: a server that is not ours is not told anything.
  await eventually(() =>
    assert.rejects(
      openEtcdStore({ endpoints, ca: read(strangers.ca), ...certificate(ours), timeouts }),
      /certificate|self-signed/,
    ),
  );
});
