/** Puts an API server together, without a socket: what `run.ts` puts behind TLS, and tests call directly. */
import { SERVICES } from '../api/kinds.ts';
import { createEventRecorder } from '../client/events.ts';
import { formatCidr, parseCidr, type Cidr } from '../lib/cidr.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import { joinHostPort } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import type { Store } from '../store/store.ts';
import { ClusterIps } from './allocation/cluster-ips.ts';
import { allocatorGauges } from './allocation/gauges.ts';
import { NodePorts, parsePortRange, type PortRange } from './allocation/node-ports.ts';
import { keepQuotas } from './admission/quota/keep.ts';
import { keepRepairing, repair } from './allocation/repair.ts';
import { ServiceAllocation } from './allocation/services.ts';
import { auditGauges } from './audit/gauges.ts';
import type { Audit } from './audit/trail.ts';
import { createBearerTokens } from './authentication/bearer-tokens.ts';
import { keepTokenSecrets } from './authentication/token-secrets.ts';
import { firstOf, masters, type Authorizer } from './authorization/authorizer.ts';
import { ensureDefaultRoles } from './authorization/bootstrap-roles.ts';
import { NodeAuthorizer } from './authorization/node.ts';
import { NodePods } from './authorization/node-pods.ts';
import { RbacAuthorizer } from './authorization/rbac.ts';
import { createWriteGuard } from './authorization/write-guard.ts';
import { ensureSystemObjects, keepSystemObjects, leaveSystemObjects } from './bootstrap.ts';
import { ADMISSION_PLUGINS, realRandom, type AdmissionPlugin, type Core } from './core.ts';
import { keepDefinitions } from './definitions.ts';
import { keepExpiringEvents } from './event-expiry.ts';
import { keyOf } from './keys.ts';
import { LocalClient } from './local-client.ts';
import { Metrics, type Gauge } from './metrics.ts';
import { LOOPBACK } from './request.ts';
import { Peers } from './peers.ts';
import type { Server } from './server.ts';
import { serverGauges } from './server-gauges.ts';
import { ServedKinds } from './served-kinds.ts';
import { TokenIssuer } from './service-account-tokens.ts';
import { Kubelets } from './streams/kubelets.ts';
import { WatchCache } from './watch-cache.ts';

export interface AssembleOptions {
  readonly store: Store;
  /** What clients, Pods and the `kubernetes` Service reach the server by. */
  readonly advertiseAddress: string;
  readonly securePort: number;
  /** PEM texts: what the server shows to kubelets. */
  readonly kubeletClient: { readonly cert: string; readonly key: string };
  /** PEM of the private key (RSA or EC) that signs service account tokens. */
  readonly serviceAccountKey: string;
  /** PEM texts of more keys whose tokens are good: those that signed before. */
  readonly serviceAccountVerifyingKeys?: readonly string[];
  readonly serviceAccountIssuer: string;
  /** One CIDR, or two of different families with a comma between; the first is the default family. */
  readonly serviceClusterIpRange: string;
  /** `30000-32767`. */
  readonly serviceNodePortRange: string;
  /** PEM of the cluster's CA: published in every namespace, and what kubelets' certificates are checked against. */
  readonly caBundle: string;
  /** Of ADMISSION_PLUGINS; none where absent. */
  readonly admissionPlugins?: readonly string[];
  readonly log: Log;
  readonly clock?: Clock;
  readonly audit?: Audit | undefined;
}

export interface Assembled {
  readonly server: Server;
  readonly localClient: LocalClient;
  /** Makes the objects every cluster has and keeps them; /readyz says ok afterwards. */
  begin(securePort: number): Promise<void>;
  /** /readyz fails from here on, and nothing runs in the background any more. */
  announceEnd(): Promise<void>;
  close(): void;
}

/** Reads the whole store and sees to the default roles. Throws an Error for options that make no sense. */
export async function assemble(options: AssembleOptions): Promise<Assembled> {
  const ranges = parseRanges(options.serviceClusterIpRange);
  const { core, gauges, ips, portRange, authorizer, rbac } = await openCore(options, ranges);
  // Before anybody can knock: who came too early would be refused, and wait before they try again.
  await ensureDefaultRoles(core);
  const tokens = new TokenIssuer(
    core,
    { signing: options.serviceAccountKey, verifying: options.serviceAccountVerifyingKeys ?? [] },
    options.serviceAccountIssuer,
  );
  const state = { ready: false, ending: false };
  const server: Server = {
    core,
    tokens,
    bearers: createBearerTokens(core, tokens),
    audit: options.audit,
    gauges: () => [...gauges(), ...auditGauges(options.audit)],
    authorizer,
    rbac,
    metrics: new Metrics(),
    kubelets: new Kubelets(core, { ...options.kubeletClient, ca: options.caBundle }),
    address: joinHostPort(options.advertiseAddress, options.securePort),
    checks: [
      { name: 'ping', passes: () => true },
      { name: 'etcd', passes: () => core.store.get(keyOf(SERVICES, 'default', 'kubernetes')).then(() => true) },
      { name: 'poststarthook/start-service-ip-repair-controllers', readyOnly: true, passes: () => state.ready },
      { name: 'shutdown', readyOnly: true, passes: () => !state.ending },
    ],
  };
  const localClient = new LocalClient(core, tokens, LOOPBACK);
  const stops: (() => void | Promise<void>)[] = [];
  return {
    server,
    localClient,
    async begin(securePort) {
      const { advertiseAddress, caBundle } = options;
      const facts = { advertiseAddress, securePort, serviceRanges: ranges, caBundle };
      const peers = new Peers(core, { address: advertiseAddress, port: securePort });
      await ensureSystemObjects(core, facts, peers);
      const events = createEventRecorder(localClient, 'ipallocator-repair-controller');
      // Nobody is to rely on addresses before they have been looked at once (feature 1-132).
      await repair({ core, ips, portRange, events });
      state.ready = true;
      stops.push(
        keepSystemObjects(core, facts, peers),
        core.store.expires ? () => undefined : keepExpiringEvents(core),
        keepDefinitions(core),
        keepTokenSecrets({ core, tokens, caBundle }),
        keepRepairing({ core, ips, portRange, events }),
        keepQuotas(core),
        () => leaveSystemObjects(core, facts, peers),
      );
    },
    async announceEnd() {
      state.ending = true;
      for (const stop of stops) await stop();
    },
    close() {
      core.cache.close();
    },
  };
}

interface Opened {
  readonly core: Core;
  readonly ips: ClusterIps;
  readonly portRange: PortRange;
  readonly authorizer: Authorizer;
  readonly rbac: RbacAuthorizer;
  gauges(): Gauge[];
}

async function openCore(
  { store, clock = realClock, log, serviceNodePortRange, admissionPlugins: plugins = [] }: AssembleOptions,
  ranges: readonly Cidr[],
): Promise<Opened> {
  const portRange = parsePortRange(serviceNodePortRange);
  if (!portRange) throw new Error(`not a port range: ${serviceNodePortRange} (as in 30000-32767)`);
  const kinds = new ServedKinds();
  const cache = await WatchCache.open(store, log, kinds);
  const ips = new ClusterIps(ranges, { cache, clock, ...realRandom });
  const ports = new NodePorts(portRange, cache, realRandom.random);
  const hooks = new ServiceAllocation(ips, ports, (revision) => cache.waitFor(revision), store.shared);
  const rbac = new RbacAuthorizer(cache);
  const authorizer = firstOf([masters, new NodeAuthorizer(new NodePods(cache)), rbac]);
  const guard = createWriteGuard(authorizer, rbac);
  const admissionPlugins = new Set(plugins.map(parsePlugin));
  const core: Core = { store, cache, kinds, clock, log, hooks, guard, admissionPlugins, ...realRandom };
  return {
    core,
    ips,
    portRange,
    authorizer,
    rbac,
    gauges: () => [...serverGauges(cache), ...allocatorGauges(ips, ports)],
  };
}

function parsePlugin(name: string): AdmissionPlugin {
  const known = ADMISSION_PLUGINS.find((each) => each === name);
  if (!known) throw new Error(`no admission plugin that could be enabled: ${name} (${ADMISSION_PLUGINS.join(', ')})`);
  return known;
}

/** Feature 1-096. */
const SHORTEST_IPV6 = 64;

function parseRanges(text: string): Cidr[] {
  const ranges = text.split(',').map((each) => parseCidr(each.trim()));
  const [first, second] = ranges;
  const valid = ranges.every((range) => range !== undefined) && ranges.length <= 2 && first?.family !== second?.family;
  if (!valid) throw new Error(`not a service cluster IP range: ${text} (one CIDR, or one of each family)`);
  const wide = ranges.find((range) => range.family === 'IPv6' && range.bits < SHORTEST_IPV6);
  if (wide) throw new Error(`${formatCidr(wide)}: the shortest allowed prefix of an IPv6 service range is /64`);
  return ranges;
}
