/**
 * What keeps CustomResourceDefinitions going: their names and conditions as soon as they are there, and, when one is being deleted, the end
 * of its objects. Several servers may do so at once: every write is on condition.
 */
import { isConflict, isNotFound } from '../api/api-error.ts';
import {
  CLEANUP_FINALIZER,
  withCondition,
  type CustomResourceDefinition,
  type DefinitionCondition,
} from '../api/custom/definition.ts';
import { planStatus } from '../api/custom/names.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import type { Core, WriteContext } from './core.ts';
import { deleteObject } from './delete.ts';
import { keyOf } from './keys.ts';
import { LOOPBACK } from './request.ts';
import { updateObject } from './update.ts';

/** Milliseconds until what did not work, or is not done yet, is looked at again. */
const RETRY = 1000;

const context = (): WriteContext => ({ user: LOOPBACK, dryRun: false, warnings: [] });

/** Looks at every definition now and after each change. Returns the stop, which waits for what is under way. */
export function keepDefinitions(core: Core): () => Promise<void> {
  const cache = core.cache.of(CUSTOM_RESOURCE_DEFINITIONS);
  const due = new Set<string>();
  const timers = new Set<NodeJS.Timeout>();
  let running: Promise<void> | undefined;
  let stopped = false;
  const add = (name: string): void => {
    if (stopped) return;
    due.add(name);
    running ??= work().finally(() => {
      running = undefined;
    });
  };
  const later = (name: string): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      add(name);
    }, RETRY);
    timer.unref();
    timers.add(timer);
  };
  const work = async (): Promise<void> => {
    for (let [name] = due; name !== undefined && !stopped; [name] = due) {
      due.delete(name);
      try {
        if (!(await reconcile(core, name))) later(name);
      } catch (error) {
        core.log.warn({ err: error, name }, 'a custom resource definition could not be worked on');
        later(name);
      }
    }
  };
  const listener = ({ entry }: { entry: { object: KubeObject } }): void => {
    const changed = entry.object as CustomResourceDefinition;
    // Its names may have become free for others of its group.
    for (const { spec, metadata } of all(core)) if (spec.group === changed.spec.group) add(metadata.name);
    add(changed.metadata.name);
  };
  cache.listeners.add(listener);
  for (const { metadata } of all(core)) add(metadata.name);
  return async () => {
    stopped = true;
    cache.listeners.delete(listener);
    for (const timer of timers) clearTimeout(timer);
    await running;
  };
}

function all(core: Core): CustomResourceDefinition[] {
  return core.cache
    .of(CUSTOM_RESOURCE_DEFINITIONS)
    .range('')
    .map((entry) => entry.object as CustomResourceDefinition);
}

/** False: look again. */
async function reconcile(core: Core, name: string): Promise<boolean> {
  const key = keyOf(CUSTOM_RESOURCE_DEFINITIONS, undefined, name);
  const definition = core.cache.of(CUSTOM_RESOURCE_DEFINITIONS).get(key)?.object as
    CustomResourceDefinition | undefined;
  if (!definition) return true;
  if (definition.metadata.deletionTimestamp !== undefined) return await finalize(core, definition);
  const others = all(core).filter((each) => each.metadata.name !== name);
  const now = timestamp(core.clock.now());
  if (planStatus(definition, others, now) === definition.status) return true;
  return await change(core, name, 'status', (current) => ({ ...current, status: planStatus(current, others, now) }));
}

/** True also where somebody else was faster: the change of theirs comes back here. */
async function change(
  core: Core,
  name: string,
  through: 'status' | 'raw',
  apply: (current: CustomResourceDefinition) => CustomResourceDefinition,
): Promise<boolean> {
  try {
    const wanted = (current: KubeObject | undefined) => apply(current as CustomResourceDefinition);
    const { entry } = await updateObject(
      core,
      CUSTOM_RESOURCE_DEFINITIONS,
      undefined,
      name,
      { through, apply: wanted },
      context(),
    );
    // The next definition must see the names this one has now.
    await core.cache.waitFor(entry.revision);
    return true;
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return true;
    throw error;
  }
}

const terminating = (status: 'True' | 'False', reason: string, message: string): DefinitionCondition => ({
  type: 'Terminating',
  status,
  reason,
  message,
});

/** Deletes the objects, then lets the definition go. False: some are still there. */
async function finalize(core: Core, definition: CustomResourceDefinition): Promise<boolean> {
  const { name, finalizers = [] } = definition.metadata;
  if (!finalizers.includes(CLEANUP_FINALIZER)) return true;
  const say = async (condition: DefinitionCondition, release = false): Promise<boolean> =>
    await change(core, name, 'raw', (current) => {
      const { conditions = [] } = current.status ?? {};
      const now = timestamp(core.clock.now());
      const next = { ...current, status: { ...current.status, conditions: withCondition(conditions, condition, now) } };
      if (release)
        next.metadata.finalizers = (current.metadata.finalizers ?? []).filter((each) => each !== CLEANUP_FINALIZER);
      return next;
    });
  const kind = core.kinds.storedBy(name);
  if (!kind) return await say(terminating('False', 'NeverEstablished', 'resource was never established'), true);
  await say(terminating('True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress'));
  if ((await deleteAll(core, kind)) > 0) return false;
  return await say(terminating('False', 'InstanceDeletionCompleted', 'removed all instances'), true);
}

/** How many are left, waiting for their finalizers. */
async function deleteAll(core: Core, kind: Kind): Promise<number> {
  for (const { object } of core.cache.of(kind).range('')) {
    const { name, namespace, deletionTimestamp } = object.metadata;
    if (deletionTimestamp !== undefined) continue;
    try {
      await deleteObject(core, kind, namespace, name, {}, context());
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  await core.cache.catchUp();
  return core.cache.of(kind).size;
}
