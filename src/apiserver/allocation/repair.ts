/** Puts Services, their claims and the ServiceCIDRs right: at the start, when a claim or a range changes, and every three minutes. */
import { isConflict, isNotFound } from '../../api/api-error.ts';
import { deepEqual } from '../../api/deep-equal.ts';
import { IP_ADDRESSES, NODES, SERVICE_CIDRS, SERVICES, type Kind } from '../../api/kinds.ts';
import type { IPAddress, KubeObject, Service, ServiceCIDR } from '../../api/types.ts';
import type { EventRecorder } from '../../client/events.ts';
import { formatCidr } from '../../lib/cidr.ts';
import { done, retryAfter, WorkQueue } from '../../lib/queue.ts';
import { ConditionFailed } from '../../store/store.ts';
import type { Core, WriteContext } from '../core.ts';
import type { CacheEvent } from '../kind-cache.ts';
import { keyOf, prefixOf } from '../keys.ts';
import { LOOPBACK } from '../request.ts';
import { updateObject } from '../update.ts';
import type { ClusterIps } from './cluster-ips.ts';
import { repairPortClaims } from './node-port-claims.ts';
import { checkExternalIps } from './external-ips.ts';
import type { PortRange } from './node-ports.ts';
import { planRepair, type Claim, type Complaint } from './repair-plan.ts';
import { planServiceCidr, type ServiceCidrChange } from './service-cidr-plan.ts';

const PERIOD = 180_000;
/** Milliseconds between a change and the look it causes: bursts cost one look. A deleted range is looked at again after its wait. */
const DELAY = 1000;
const SECOND_LOOK = 11_000;
/** Keys of the queue say why to look; a look is always at everything. */
const PERIODIC = 'periodic';

export interface RepairTools {
  readonly core: Core;
  readonly ips: ClusterIps;
  readonly portRange: PortRange;
  readonly events: Pick<EventRecorder, 'event'>;
}

function all<T extends KubeObject>(core: Core, kind: Kind<T>): T[] {
  return core.cache
    .of(kind)
    .range(prefixOf(kind))
    .map((entry) => entry.object as T);
}

/** One look. Throws what the store throws. */
export async function repair({ core, ips, portRange, events }: RepairTools): Promise<void> {
  await repairServiceCidrs(core);
  const services = all(core, SERVICES);
  const ranges = ips.families.flatMap((family) => ips.ranges(family));
  const { claim, release, complaints } = planRepair({
    services,
    addresses: all(core, IP_ADDRESSES),
    ranges,
    portRange,
    now: core.clock.now(),
  });
  for (const { object, reason, message } of [
    ...complaints,
    ...checkDefaultCidr(core, ips),
    ...checkExternalIps({ services, nodes: all(core, NODES), ranges }),
  ])
    events.event(object, 'Warning', reason, message);
  for (const each of claim) await commitClaim(core, ips, each);
  for (const each of release) await commitRelease(core, each);
  if (core.store.shared) await repairPortClaims(core);
}

/** The range every cluster has is not what the flags say (feature 1-116): they cannot change it, so somebody has to know. */
function checkDefaultCidr(core: Core, ips: ClusterIps): Complaint[] {
  const key = keyOf(SERVICE_CIDRS, undefined, 'kubernetes');
  const object = core.cache.of(SERVICE_CIDRS).get(key)?.object as ServiceCIDR | undefined;
  const [told, wanted] = [(object?.spec.cidrs ?? []).join(' '), ips.configured.map(formatCidr).join(' ')];
  if (!object || told === wanted) return [];
  const message = `The default ServiceCIDR [${told}] does not match the flag --service-cluster-ip-range [${wanted}]`;
  return [{ object, reason: 'KubernetesDefaultServiceCIDRInconsistent', message }];
}

/** Only as long as the Service is still the one that was looked at. */
async function commitClaim(core: Core, ips: ClusterIps, { address, service, instead }: Claim): Promise<void> {
  const key = keyOf(SERVICES, service.metadata.namespace, service.metadata.name);
  const expect = Number(service.metadata.resourceVersion);
  const claim = ips.claim(address, service, Number(instead?.metadata.resourceVersion ?? 0));
  await attempt(core.store.commit([{ type: 'check', key, expect }, claim]));
}

async function commitRelease(core: Core, { metadata }: IPAddress): Promise<void> {
  const key = keyOf(IP_ADDRESSES, undefined, metadata.name);
  await attempt(core.store.commit([{ type: 'delete', key, expect: Number(metadata.resourceVersion) }]));
}

/** Something changed in between: the next look will see what. */
async function attempt(commit: Promise<unknown>): Promise<void> {
  try {
    await commit;
  } catch (error) {
    if (!(error instanceof ConditionFailed)) throw error;
  }
}

async function repairServiceCidrs(core: Core): Promise<void> {
  const ranges = all(core, SERVICE_CIDRS);
  const addresses = all(core, IP_ADDRESSES);
  for (const object of ranges) {
    const others = ranges.filter((other) => other !== object);
    const change = planServiceCidr(object, others, addresses, core.clock.now());
    if (change) await applyServiceCidr(core, object.metadata.name, change);
  }
}

async function applyServiceCidr(core: Core, name: string, { finalizers, condition }: ServiceCidrChange): Promise<void> {
  const context: WriteContext = { user: LOOPBACK, dryRun: false, warnings: [], isInternal: true };
  const apply = (current: KubeObject | undefined): KubeObject => {
    const object = current as ServiceCIDR;
    if (finalizers) object.metadata.finalizers = [...finalizers];
    const others = object.status?.conditions?.filter(({ type }) => type !== 'Ready') ?? [];
    if (condition) object.status = { ...object.status, conditions: [...others, condition] };
    return object;
  };
  try {
    await updateObject(core, SERVICE_CIDRS, undefined, name, { through: 'raw', apply }, context);
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}

/** Returns the stop. */
export function keepRepairing(tools: RepairTools): () => Promise<void> {
  const { core } = tools;
  const queue = new WorkQueue({
    log: core.log,
    clock: core.clock,
    reconcile: async (key) => {
      await repair(tools);
      return key === PERIODIC ? retryAfter(PERIOD) : done;
    },
  });
  const soon = (): void => {
    queue.addAfter('change', DELAY);
    queue.addAfter('settled', SECOND_LOOK);
  };
  const onAddress = ({ type, previous }: CacheEvent): void => {
    if (type === 'delete' && previous) soon();
  };
  const onService = ({ type, entry, previous }: CacheEvent): void => {
    if (type === 'put' && takesExternalIps(entry.object as Service, previous?.object as Service | undefined)) soon();
  };
  const services = core.cache.of(SERVICES).listeners;
  const ranges = core.cache.of(SERVICE_CIDRS).listeners;
  const addresses = core.cache.of(IP_ADDRESSES).listeners;
  services.add(onService);
  ranges.add(soon);
  addresses.add(onAddress);
  queue.add(PERIODIC);
  queue.start();
  return async () => {
    services.delete(onService);
    ranges.delete(soon);
    addresses.delete(onAddress);
    await queue.stop();
  };
}

function takesExternalIps({ spec }: Service, before: Service | undefined): boolean {
  if ((spec.externalIPs ?? []).length === 0) return false;
  return !deepEqual(spec.externalIPs, before?.spec.externalIPs) || !deepEqual(spec.ports, before?.spec.ports);
}
