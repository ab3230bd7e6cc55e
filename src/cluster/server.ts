/** The server process: API server, controllers and scheduler, sharing one copy of every object. Runs until it is told to stop. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { AuditOptions } from '../apiserver/audit/open.ts';
import { runApiServer } from '../apiserver/run.ts';
import { LeaderElection } from '../client/leader-election.ts';
import { runControllers } from '../controllers/run.ts';
import { defaultCorefile } from '../dns/corefile/default-corefile.ts';
import { realClock } from '../lib/clock.ts';
import { createLog } from '../lib/log.ts';
import { runScheduler } from '../scheduler/run.ts';
import { openDatastore, type DatastoreOptions } from './datastore.ts';
import { startLogRotation } from './log-rotation.ts';
import { clusterDnsIps } from './processes.ts';
import { untilStopped } from './until-stopped.ts';

export interface ServerOptions extends DatastoreOptions, Partial<AuditOptions> {
  readonly bindAddress: string;
  readonly securePort: number;
  readonly advertiseAddress: string;
  readonly clientCaFile: string;
  readonly tlsCertFile: string;
  readonly tlsPrivateKeyFile: string;
  readonly kubeletClientCertificate: string;
  readonly kubeletClientKey: string;
  readonly serviceAccountSigningKeyFile: string;
  /** Of keys that signed before, or will. */
  readonly serviceAccountKeyFile?: readonly string[];
  /** With commas between. */
  readonly enableAdmissionPlugins?: string;
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
  const store = await openDatastore(options);
  const caPem = read(options.clientCaFile);
  const api = await runApiServer({
    store,
    bindAddress: options.bindAddress,
    securePort: options.securePort,
    advertiseAddress: options.advertiseAddress,
    tls: { cert: read(options.tlsCertFile), key: read(options.tlsPrivateKeyFile), clientCa: caPem },
    kubeletClient: { cert: read(options.kubeletClientCertificate), key: read(options.kubeletClientKey) },
    serviceAccountKey: read(options.serviceAccountSigningKeyFile),
    serviceAccountVerifyingKeys: (options.serviceAccountKeyFile ?? []).map(read),
    serviceAccountIssuer: `https://kubernetes.default.svc.${options.clusterDomain}`,
    serviceClusterIpRange: options.serviceClusterIpRange,
    admissionPlugins: (options.enableAdmissionPlugins ?? '').split(',').filter((name) => name !== ''),
    serviceNodePortRange: options.serviceNodePortRange,
    caBundle: caPem,
    auditLog: auditOf(options),
    log,
  });
  const act = () => {
    const controllers = runControllers({
      client: api.clientAs('kube-controller-manager'),
      log,
      clusterCidr: options.clusterCidr,
      caPem,
      clusterDns: {
        clusterIPs: clusterDnsIps(options.serviceClusterIpRange),
        corefile: defaultCorefile(options.clusterDomain),
      },
    });
    const scheduler = runScheduler({ client: api.clientAs('kube-scheduler'), log });
    return {
      async stop() {
        await Promise.all([controllers.stop(), scheduler.stop()]);
      },
    };
  };
  // Where several servers share one store, all serve the API and one acts.
  const acting = store.shared
    ? new LeaderElection({
        client: api.localClient,
        clock: realClock,
        log,
        namespace: 'kube-system',
        name: 'fairway-server',
        identity: `${hostname()}_${randomUUID()}`,
        lead: act,
      })
    : act();
  await untilStopped();
  rotation?.stop();
  await acting.stop();
  await api.stop();
  await store.close();
}

function auditOf({ auditLogPath, ...rest }: ServerOptions): AuditOptions | undefined {
  return auditLogPath === undefined ? undefined : { ...rest, auditLogPath };
}
