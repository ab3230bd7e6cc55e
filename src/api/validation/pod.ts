/** Pods: what an update may change, and what nobody may. */
import { semanticEqual } from '../deep-equal.ts';
import { forbidden, type FieldError } from '../field-error.ts';
import type { Core, Pod } from '../types.ts';
import { validateEphemeralContainers } from './containers.ts';
import { validatePodSpec } from './pod-spec.ts';

const onlyThese =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

export const validatePod = (pod: Pod): FieldError[] => validatePodSpec(pod.spec, 'spec');

export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const errors: FieldError[] = [];
  const counts = [pod.spec.containers.length, (pod.spec.initContainers ?? []).length];
  const before = [old.spec.containers.length, (old.spec.initContainers ?? []).length];
  if (counts[0] !== before[0])
    errors.push(forbidden('spec.containers', 'pod updates may not add or remove containers'));
  if (counts[1] !== before[1]) {
    errors.push(forbidden('spec.initContainers', 'pod updates may not add or remove containers'));
  }
  if (errors.length > 0) return errors;
  errors.push(...validateDeadlineChange(pod, old), ...validateTolerationsChange(pod, old));
  if (!semanticEqual(frozenPart(pod.spec), frozenPart(old.spec))) errors.push(forbidden('spec', onlyThese));
  // New images and tolerations are checked like those of a new Pod.
  return errors.length > 0 ? errors : validatePod(pod);
}

/** The spec with everything taken out that may change. */
function frozenPart(spec: Core.PodSpec): unknown {
  const { tolerations: _t, activeDeadlineSeconds: _a, terminationGracePeriodSeconds: grace, ...rest } = spec;
  const withoutImage = ({ image: _image, ...container }: Core.Container) => container;
  // A gate may be taken away (that is what it is for) and the scheduler then binds the Pod.
  const { schedulingGates: _s, ...frozen } = rest;
  return {
    ...frozen,
    terminationGracePeriodSeconds: grace !== undefined && grace < 0 ? 1 : grace,
    containers: spec.containers.map(withoutImage),
    initContainers: (spec.initContainers ?? []).map(withoutImage),
  };
}

function validateDeadlineChange({ spec }: Pod, old: Pod): FieldError[] {
  const [now, before] = [spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds];
  if (before === undefined || now === before) return [];
  const field = 'spec.activeDeadlineSeconds';
  if (now === undefined)
    return [{ type: 'Invalid', field, value: now, detail: 'must not update from a positive integer to nil value' }];
  return now > before
    ? [{ type: 'Invalid', field, value: now, detail: `must be less than or equal to previous value` }]
    : [];
}

function validateTolerationsChange({ spec }: Pod, old: Pod): FieldError[] {
  const kept = (old.spec.tolerations ?? []).every((toleration) =>
    (spec.tolerations ?? []).some((other) =>
      semanticEqual({ ...other, tolerationSeconds: 0 }, { ...toleration, tolerationSeconds: 0 }),
    ),
  );
  if (kept) return [];
  return [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

/** A Pod begins without; they are added to one that is there, through their own subresource. */
export function validatePodCreate(pod: Pod): FieldError[] {
  const added = (pod.spec.ephemeralContainers ?? []).length > 0;
  return [...(added ? [forbidden('spec.ephemeralContainers', 'cannot be set on create')] : []), ...validatePod(pod)];
}

/** The list grows and nothing of it ever changes: what ran cannot be undone. */
export function validateEphemeralContainersUpdate({ spec }: Pod, old: Pod): FieldError[] {
  const field = 'spec.ephemeralContainers';
  const kept = (old.spec.ephemeralContainers ?? []).flatMap((before) => {
    const now = (spec.ephemeralContainers ?? []).find(({ name }) => name === before.name);
    const title = `existing ephemeral containers ${JSON.stringify(before.name)} may not be`;
    if (!now) return [forbidden(field, `${title} removed`)];
    return semanticEqual(now, before) ? [] : [forbidden(field, `${title} changed`)];
  });
  return [...validateEphemeralContainers(spec, field), ...kept];
}
