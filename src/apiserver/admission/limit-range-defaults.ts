/** What a LimitRange gives containers that name no requests or limits, and the annotation that says so. Pure. */
import type { Core, LimitRange, Pod } from '../../api/types.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

/** Changes a new Pod in place. */
export function applyLimitDefaults(pod: Pod, ranges: readonly LimitRange[]): void {
  const said: string[] = [];
  for (const { spec } of ranges) {
    const item = spec?.limits.find(({ type }) => type === 'Container');
    if (!item) continue;
    const all: [string, Core.Container[]][] = [
      ['container', pod.spec.containers],
      ['init container', pod.spec.initContainers ?? []],
    ];
    for (const [what, containers] of all) {
      for (const container of containers) {
        const resources = (container.resources ??= {});
        const requests = fill(resources, 'requests', item.defaultRequest);
        const limits = fill(resources, 'limits', item.default);
        if (requests.length > 0) said.push(`${requests.join(', ')} request for ${what} ${container.name}`);
        if (limits.length > 0) said.push(`${limits.join(', ')} limit for ${what} ${container.name}`);
      }
    }
  }
  if (said.length === 0) return;
  const text = `LimitRanger plugin set: ${said.join('; ')}`;
  pod.metadata.annotations = { ...pod.metadata.annotations, [ANNOTATION]: text };
}

/** The names that were absent, sorted. */
function fill(
  resources: Core.ResourceRequirements,
  list: 'requests' | 'limits',
  defaults: Record<string, string> | undefined,
): string[] {
  const present = resources[list] ?? {};
  const missing = Object.keys(defaults ?? {})
    .filter((name) => present[name] === undefined)
    .sort();
  if (missing.length > 0) resources[list] = { ...defaults, ...present };
  return missing;
}
