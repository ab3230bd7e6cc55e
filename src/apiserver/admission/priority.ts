/** Gives every Pod the number its PriorityClass stands for, and lets only one class be the default. */
import { forbiddenRequest } from '../../api/api-error.ts';
import { PODS, PRIORITY_CLASSES } from '../../api/kinds.ts';
import type { Pod, PriorityClass } from '../../api/types.ts';
import type { Core } from '../core.ts';
import { keyOf, prefixOf } from '../keys.ts';
import type { Attributes } from './attributes.ts';

const LOWEST_WINS = 'PreemptLowerPriority';

/** Changes a Pod in place. Throws Forbidden. */
export function admitPriority(core: Core, { operation, kind, subresource, object, old }: Attributes): void {
  if (kind !== PODS || subresource !== undefined || !object) return;
  // Decoded JSON may lack a spec; validation will say so.
  const spec = (object as Partial<Pod>).spec;
  if (!spec) return;
  if (operation === 'UPDATE') {
    // A client that leaves them out means them as they are.
    const before = (old as Pod).spec;
    if (before.priority !== undefined) spec.priority ??= before.priority;
    if (before.preemptionPolicy !== undefined) spec.preemptionPolicy ??= before.preemptionPolicy;
    return;
  }
  const refuse = (why: string) => forbiddenRequest(PODS, object.metadata.name, why);
  const found = spec.priorityClassName ? named(core, spec.priorityClassName) : defaultOf(core);
  if (!found && spec.priorityClassName) {
    throw refuse(`no PriorityClass with name ${spec.priorityClassName} was found`);
  }
  if (found) spec.priorityClassName = found.metadata.name;
  const priority = found?.value ?? 0;
  const policy = found?.preemptionPolicy ?? LOWEST_WINS;
  if (spec.priority !== undefined && spec.priority !== priority) {
    throw refuse(
      `the integer value of priority (${String(spec.priority)}) must not be provided in pod spec; priority admission controller computed ${String(priority)} from the given PriorityClass name`,
    );
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    throw refuse(
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
    );
  }
  spec.priority = priority;
  spec.preemptionPolicy = policy;
}

/** Throws Forbidden for a second default class. */
export function admitPriorityClass(core: Core, { kind, object }: Attributes): void {
  if (kind !== PRIORITY_CLASSES || !object || !(object as PriorityClass).globalDefault) return;
  const other = classes(core).find((each) => each.globalDefault && each.metadata.name !== object.metadata.name);
  if (!other) return;
  const why = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`;
  throw forbiddenRequest(PRIORITY_CLASSES, object.metadata.name, why);
}

function named(core: Core, name: string): PriorityClass | undefined {
  const key = keyOf(PRIORITY_CLASSES, undefined, name);
  return core.cache.of(PRIORITY_CLASSES).get(key)?.object as PriorityClass | undefined;
}

/** Two can only be there after a race; then the lower one counts. */
function defaultOf(core: Core): PriorityClass | undefined {
  return classes(core)
    .filter(({ globalDefault }) => globalDefault)
    .sort((a, b) => a.value - b.value)[0];
}

function classes(core: Core): PriorityClass[] {
  const entries = core.cache.of(PRIORITY_CLASSES).range(prefixOf(PRIORITY_CLASSES));
  return entries.map((entry) => entry.object as PriorityClass);
}
