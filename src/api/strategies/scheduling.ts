/** PriorityClasses and RuntimeClasses: how much a Pod matters when there is no room for all, and what runs it. */
import { defineStrategy } from '../define-strategy.ts';
import { forbidden, type FieldError } from '../field-error.ts';
import * as K from '../kinds.ts';
import { dns1123Label } from '../names.ts';
import type { PriorityClass } from '../types.ts';
import { mustFollow, oneOf, unchanged } from '../validation/check.ts';

/** The most that is not kept for the cluster's own classes. */
const HIGHEST_OF_USERS = 1_000_000_000;
/** The classes every cluster has, with the only values they may have. */
export const systemPriorities: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

function validatePriorityClass({ metadata, value, preemptionPolicy }: PriorityClass): FieldError[] {
  const { name } = metadata;
  const errors: FieldError[] = [];
  if (name.startsWith('system-')) {
    if (systemPriorities[name] !== value) {
      const what = Object.hasOwn(systemPriorities, name)
        ? `value of ${name} PriorityClass must be ${String(systemPriorities[name])}`
        : `${name} is not a known system priority class`;
      const detail = `priority class names with 'system-' prefix are reserved for system use only. error: ${what}`;
      errors.push(forbidden('metadata.name', detail));
    }
  } else if (value > HIGHEST_OF_USERS) {
    const detail = `maximum allowed value of a user defined priority is ${String(HIGHEST_OF_USERS)}`;
    errors.push(forbidden('value', detail));
  }
  return [...errors, ...oneOf('preemptionPolicy', preemptionPolicy, ['PreemptLowerPriority', 'Never'])];
}

export const priorityClassStrategy = defineStrategy(K.PRIORITY_CLASSES, {
  applyDefaults(priorityClass) {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  prepareForCreate({ metadata }) {
    metadata.generation = 1;
  },
  validate: validatePriorityClass,
  validateUpdate: (now, old) => [
    ...validatePriorityClass(now),
    ...(now.value === old.value ? [] : [forbidden('value', 'may not be changed in an update.')]),
    ...(now.preemptionPolicy === old.preemptionPolicy
      ? []
      : [forbidden('preemptionPolicy', 'may not be changed in an update.')]),
  ],
  allowCreateOnUpdate: false,
});

export const runtimeClassStrategy = defineStrategy(K.RUNTIME_CLASSES, {
  validate: ({ handler }) => mustFollow(dns1123Label, 'handler', handler),
  validateUpdate: (now, old) => unchanged('handler', now.handler, old.handler),
});
