/** pods/ephemeralcontainers: containers that `kubectl debug` adds to a running Pod (KEP-277). Everything else of the Pod stays as it is. */
import { invalidObject } from '../../api/api-error.ts';
import { decodeObject } from '../../api/decode.ts';
import { semanticEqual } from '../../api/deep-equal.ts';
import { PODS } from '../../api/kinds.ts';
import type { ParsedBody } from '../../api/json.ts';
import { strategyFor } from '../../api/strategies.ts';
import type { Pod } from '../../api/types.ts';
import { validateEphemeralContainersUpdate } from '../../api/validation/pod.ts';

/** The Pod with the wanted list. `pod` is changed. Throws Invalid. */
export function applyEphemeralContainers(pod: Pod, wanted: Pod): Pod {
  const old = structuredClone(pod);
  pod.spec.ephemeralContainers = structuredClone(wanted.spec.ephemeralContainers ?? []);
  if (pod.spec.ephemeralContainers.length === 0) delete pod.spec.ephemeralContainers;
  strategyFor(PODS).applyDefaults(pod);
  const errors = validateEphemeralContainersUpdate(pod, old);
  if (errors.length > 0) throw invalidObject(PODS, old.metadata.name, errors);
  if (!semanticEqual(pod.spec, old.spec)) pod.metadata.generation = (old.metadata.generation ?? 0) + 1;
  const { resourceVersion, uid } = wanted.metadata;
  if (resourceVersion) pod.metadata.resourceVersion = resourceVersion;
  if (uid) pod.metadata.uid = uid;
  return pod;
}

/**
 * What kubectl before 1.23 sends: a kind of its own, which holds nothing but the list. Such a client reads the Pod it gets as an empty list, so what
 * it sends are additions. Undefined: the body is a Pod.
 */
export function additionsOf({ value }: ParsedBody): unknown[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, ephemeralContainers } = value as { kind?: unknown; ephemeralContainers?: unknown };
  return kind === 'EphemeralContainers' && Array.isArray(ephemeralContainers) ? ephemeralContainers : undefined;
}

/** Throws BadRequest for what is no container. */
export function withAdditions(current: Pod, added: readonly unknown[]): Pod {
  const present = current.spec.ephemeralContainers ?? [];
  return decodeObject(PODS, { ...current, spec: { ...current.spec, ephemeralContainers: [...present, ...added] } })
    .object;
}
