/** The APIService of every group and version this server serves itself, as `kubectl get apiservices` lists them. */
import type { APIService } from '../api/types.ts';
import { servedGroups } from './discovery.ts';
import { ServedKinds } from './served-kinds.ts';

/** Of the first group; each further one has a little less, so that clients list them in the order of discovery. */
const HIGHEST_PRIORITY = 17_900;
const STEP = 50;

export function apiServices(): APIService[] {
  return servedGroups(new ServedKinds()).flatMap(({ name: group, versions }, at) =>
    versions.map(({ version }, index) => ({
      metadata: { name: `${version}.${group}`, labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
      spec: {
        ...(group !== '' && { group }),
        version,
        groupPriorityMinimum: HIGHEST_PRIORITY - at * STEP,
        versionPriority: Math.max(15 - index * 3, 1),
      },
    })),
  );
}
