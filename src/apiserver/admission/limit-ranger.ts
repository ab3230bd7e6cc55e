/** LimitRanges of the namespace: defaults for new Pods, then bounds for Pods and claims. */
import { forbiddenRequest } from '../../api/api-error.ts';
import { LIMIT_RANGES, PERSISTENT_VOLUME_CLAIMS, PODS } from '../../api/kinds.ts';
import type { LimitRange, PersistentVolumeClaim, Pod } from '../../api/types.ts';
import type { Core } from '../core.ts';
import { prefixOf } from '../keys.ts';
import type { Attributes } from './attributes.ts';
import { checkClaimLimits, checkPodLimits } from './limit-range-checks.ts';
import { applyLimitDefaults } from './limit-range-defaults.ts';

/** Changes a new Pod in place. */
export function admitLimitDefaults(core: Core, attributes: Attributes): void {
  const { operation, kind, subresource, object, namespace } = attributes;
  if (operation !== 'CREATE' || kind !== PODS || subresource !== undefined || !object) return;
  // Decoded JSON may lack a spec; validation will say so.
  if (!(object as Partial<Pod>).spec?.containers) return;
  applyLimitDefaults(object as Pod, rangesOf(core, namespace));
}

/** Throws Forbidden with everything that is out of bounds. A Pod that is there already is left alone. */
export function checkLimits(core: Core, { operation, kind, subresource, object, namespace }: Attributes): void {
  if (subresource !== undefined || !object || operation === 'DELETE') return;
  const isPod = kind === PODS && operation === 'CREATE';
  if (!isPod && kind !== PERSISTENT_VOLUME_CLAIMS) return;
  const problems = rangesOf(core, namespace).flatMap((range) =>
    isPod ? checkPodLimits(object as Pod, range) : checkClaimLimits(object as PersistentVolumeClaim, range),
  );
  const unique = [...new Set(problems)];
  if (unique.length === 0) return;
  const text = unique.length === 1 ? unique.join('') : `[${unique.join(', ')}]`;
  throw forbiddenRequest(kind, object.metadata.name, text);
}

function rangesOf(core: Core, namespace: string | undefined): LimitRange[] {
  const ranges = core.cache.of(LIMIT_RANGES);
  if (ranges.size === 0 || namespace === undefined) return [];
  return ranges.range(`${prefixOf(LIMIT_RANGES)}${namespace}/`).map((entry) => entry.object as LimitRange);
}
