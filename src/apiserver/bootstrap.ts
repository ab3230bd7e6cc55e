/** Keeps the objects every cluster has: makes them at the start, and again when somebody deletes them (features 1-134, 1-138). */
import { isAlreadyExists, isConflict, isNotFound } from '../api/api-error.ts';
import { SERVICE_CIDRS } from '../api/kinds.ts';
import type { KubeObject, ServiceCIDR } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { ensureApiServices } from './api-services.ts';
import type { Core, WriteContext } from './core.ts';
import { createObject } from './create.ts';
import { keyOf } from './keys.ts';
import { kubernetesService, systemObjects, type ClusterFacts, type Wanted } from './kubernetes-service.ts';
import type { Peers } from './peers.ts';
import { LOOPBACK } from './request.ts';
import { updateObject } from './update.ts';

/** Milliseconds between looks (feature 1-134). */
const PERIOD = 10_000;

const context = (): WriteContext => ({ user: LOOPBACK, dryRun: false, warnings: [], isInternal: true });

/** All of them once. Throws what the first refused write throws, conflicts aside. */
export async function ensureSystemObjects(core: Core, facts: ClusterFacts, peers: Peers): Promise<void> {
  for (const each of systemObjects(facts)) await ensure(core, each);
  await peers.renew();
  for (const each of kubernetesService(facts, peers.alive())) await ensure(core, each);
  await ensureServiceCidrReady(core);
  await ensureApiServices(core);
}

/** What is left leads to the others; a server alone leaves things as they are for the next one. */
export async function leaveSystemObjects(core: Core, facts: ClusterFacts, peers: Peers): Promise<void> {
  try {
    const others = await peers.leave();
    if (others.length === 0) return;
    for (const each of kubernetesService(facts, others)) await ensure(core, each);
  } catch (error) {
    // The others find out by themselves, a little later.
    core.log.warn({ err: error }, 'could not take this server out of default/kubernetes');
  }
}

/** Returns the stop. */
export function keepSystemObjects(core: Core, facts: ClusterFacts, peers: Peers): () => void {
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    ensureSystemObjects(core, facts, peers)
      .catch((error: unknown) => {
        core.log.warn({ err: error }, 'system objects are incomplete');
      })
      .finally(() => {
        running = false;
      });
  }, PERIOD);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}

async function ensure(core: Core, { kind, object, correct }: Wanted): Promise<void> {
  const { name, namespace } = object.metadata;
  const present = core.cache.of(kind).get(keyOf(kind, namespace, name));
  try {
    if (!present) await createObject(core, kind, namespace, structuredClone(object), context());
    else if (correct?.(present.object)) {
      const apply = (current: KubeObject | undefined) => correct(current ?? object) ?? current ?? object;
      await updateObject(core, kind, namespace, name, { through: 'main', apply }, context());
    }
  } catch (error) {
    // Somebody else did the same, or a namespace is on its way out: the next look will tell.
    if (!isAlreadyExists(error) && !isConflict(error) && !isNotFound(error)) throw error;
  }
}

/** The range of the flags is usable from the start (feature 1-114). */
async function ensureServiceCidrReady(core: Core): Promise<void> {
  const name = 'kubernetes';
  const present = core.cache.of(SERVICE_CIDRS).get(keyOf(SERVICE_CIDRS, undefined, name))?.object;
  if ((present as ServiceCIDR | undefined)?.status?.conditions?.length) return;
  const apply = (current: KubeObject | undefined): KubeObject => {
    const conditions = [
      {
        type: 'Ready',
        status: 'True',
        reason: '',
        message: 'Kubernetes Service CIDR is ready',
        lastTransitionTime: timestamp(core.clock.now()),
      },
    ];
    return { ...(current as ServiceCIDR), status: { conditions } } as KubeObject;
  };
  try {
    await updateObject(core, SERVICE_CIDRS, undefined, name, { through: 'status', apply }, context());
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}
