/** The server process: API server, controllers and scheduler, sharing one copy of every object. Runs until it is told to stop. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runApiServer } from '../apiserver/run.ts';
import { runControllers } from '../controllers/run.ts';
import { createLog } from '../lib/log.ts';
import { runScheduler } from '../scheduler/run.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { startLogRotation } from './log-rotation.ts';
import { clusterDnsIp } from './processes.ts';
import { untilStopped } from './until-stopped.ts';

export interface ServerOptions {
  readonly dataDir: string;
  readonly bindAddress: string;
  readonly securePort: number;
  readonly advertiseAddress: string;
  readonly clientCaFile: string;
  readonly tlsCertFile: string;
  readonly tlsPrivateKeyFile: string;
  readonly kubeletClientCertificate: string;
  readonly kubeletClientKey: string;
  readonly serviceAccountSigningKeyFile: string;
  readonly serviceClusterIpRange: string;
  readonly serviceNodePortRange: string;
  readonly clusterCidr: string;
  readonly clusterDomain: string;
  /** Where the logs of all parts of a local cluster are, to be kept short. */
  readonly logDir?: string;
}

export async function runServer(options: ServerOptions): Promise<void> {
  const log = createLog('server');
  const rotation = options.logDir === undefined ? undefined : startLogRotation(options.logDir, log);
  const read = (file: string) => readFileSync(file, 'utf8');
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const store = openSqliteStore({ path: join(options.dataDir, 'state.db') });
  const caPem = read(options.clientCaFile);
  const api = await runApiServer({
    store,
    bindAddress: options.bindAddress,
    securePort: options.securePort,
    advertiseAddress: options.advertiseAddress,
    tls: { cert: read(options.tlsCertFile), key: read(options.tlsPrivateKeyFile), clientCa: caPem },
    kubeletClient: { cert: read(options.kubeletClientCertificate), key: read(options.kubeletClientKey) },
    serviceAccountKey: read(options.serviceAccountSigningKeyFile),
    serviceAccountIssuer: `https://kubernetes.default.svc.${options.clusterDomain}`,
    serviceClusterIpRange: options.serviceClusterIpRange,
    serviceNodePortRange: options.serviceNodePortRange,
    caBundle: caPem,
    log,
  });
  const client = api.localClient;
  const controllers = runControllers({
    client,
    log,
    clusterCidr: options.clusterCidr,
    caPem,
    clusterDnsIp: clusterDnsIp(options.serviceClusterIpRange),
  });
  const scheduler = runScheduler({ client, log });
  await untilStopped();
  rotation?.stop();
  await Promise.all([controllers.stop(), scheduler.stop()]);
  await api.stop();
  await store.close();
}
