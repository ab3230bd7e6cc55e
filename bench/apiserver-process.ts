/** The API server alone, over SQLite, as a process of its own for bench/apiserver.ts. Argument: FOLDER with certificates. Ends on SIGTERM. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runApiServer } from '../src/apiserver/run.ts';
import { pkiPaths } from '../src/cluster/certificates.ts';
import { silentLog } from '../src/lib/log.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';

const [folder = '', port = '0'] = process.argv.slice(2);
const pki = pkiPaths(folder);
const read = (path: string) => readFileSync(path, 'utf8');
const ca = read(pki.ca);
const store = openSqliteStore({ path: join(folder, 'state.db') });
const api = await runApiServer({
  store,
  bindAddress: '127.0.0.1',
  securePort: Number(port),
  advertiseAddress: '192.0.2.10',
  tls: { cert: read(pki.cert('apiserver')), key: read(pki.key('apiserver')), clientCa: ca },
  kubeletClient: { cert: read(pki.cert('admin')), key: read(pki.key('admin')) },
  serviceAccountKey: read(pki.serviceAccountKey),
  serviceAccountIssuer: 'https://kubernetes.default.svc.cluster.local',
  serviceClusterIpRange: '10.96.0.0/16',
  serviceNodePortRange: '30000-32767',
  caBundle: ca,
  log: silentLog,
});
process.on('SIGTERM', () => {
  void api
    .stop()
    .then(() => store.close())
    .then(() => {
      process.exit(0);
    });
});
