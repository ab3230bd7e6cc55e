/** Which store the server keeps its state in: `sqlite` beside its other files, or etcd. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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
  const { dataDir, datastore, etcdPrefix } = options;
  if (datastore === SQLITE) {
    const { openSqliteStore } = await import('../store/sqlite.ts');
    return openSqliteStore({ path: join(dataDir, 'state.db') });
  }
  const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'));
  const { openEtcdStore } = await import('../store/etcd/etcd.ts');
  return await openEtcdStore({
    endpoints: datastore,
    ca: read(options.datastoreCafile),
    cert: read(options.datastoreCertfile),
    key: read(options.datastoreKeyfile),
    ...(etcdPrefix !== undefined && { prefix: etcdPrefix }),
  });
}
