/** Which store the server keeps its state in: `sqlite` beside its other files, or etcd. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EtcdOptions } from '../store/etcd/etcd.ts';
import { parseEndpoints } from '../store/etcd/endpoints.ts';
import type { Store } from '../store/store.ts';

/** Flags are k3s's `--datastore-*file`, and kube-apiserver's `--etcd-prefix`. */
export interface DatastoreOptions {
  readonly dataDir: string;
  /** `sqlite`, or `https://10.0.0.1:2379,https://10.0.0.2:2379`. */
  readonly datastore: string;
  readonly datastoreCafile?: string;
  readonly datastoreCertfile?: string;
  readonly datastoreKeyfile?: string;
  readonly etcdPrefix?: string;
}

export const SQLITE = 'sqlite';

/** What is wrong with the value of `--datastore`; undefined when it is good. */
export function datastoreProblem(datastore: string): string | undefined {
  if (datastore === SQLITE) return undefined;
  try {
    parseEndpoints(datastore);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @throws StoreError, and Error for files that cannot be read or endpoints that make no sense */
export async function openDatastore(options: DatastoreOptions): Promise<Store> {
  const { dataDir, datastore } = options;
  if (datastore === SQLITE) {
    const { openSqliteStore } = await import('../store/sqlite.ts');
    return openSqliteStore({ path: join(dataDir, 'state.db') });
  }
  const { openEtcdStore } = await import('../store/etcd/etcd.ts');
  return await openEtcdStore(etcdOptions(options));
}

/** Why the datastore cannot be used at this moment, as sentences; empty when it can. */
export async function datastoreTrouble(options: Omit<DatastoreOptions, 'dataDir'>): Promise<string[]> {
  if (options.datastore === SQLITE) return [];
  const { openEtcdStore } = await import('../store/etcd/etcd.ts');
  try {
    const store = await openEtcdStore({ ...etcdOptions(options), timeouts: { read: 2000, write: 2000, total: 3000 } });
    await store.close();
    return [];
  } catch (error) {
    return [`--datastore: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Removes the cluster's keys from etcd; what lies in files goes with its folder. @throws StoreError */
export async function emptyDatastore(options: Omit<DatastoreOptions, 'dataDir'>): Promise<void> {
  if (options.datastore === SQLITE) return;
  const { emptyEtcdStore } = await import('../store/etcd/etcd.ts');
  await emptyEtcdStore(etcdOptions(options));
}

/** '' for a file is none: so it is recorded. */
function etcdOptions(options: Omit<DatastoreOptions, 'dataDir'>): EtcdOptions {
  const read = (file = '') => (file === '' ? undefined : readFileSync(file, 'utf8'));
  return {
    endpoints: options.datastore,
    ca: read(options.datastoreCafile),
    cert: read(options.datastoreCertfile),
    key: read(options.datastoreKeyfile),
    ...(options.etcdPrefix !== undefined && { prefix: options.etcdPrefix }),
  };
}

/** The prefix of a local cluster, so that several can share an etcd. */
export const etcdPrefixOf = (cluster: string): string => `/fairway-${cluster}`;
