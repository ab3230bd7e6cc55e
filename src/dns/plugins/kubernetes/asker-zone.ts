/** In which topology zone a question was asked, for answers that prefer endpoints nearby. Pure. */
import type { Node, Pod } from '../../../api/types.ts';

export const ZONE_LABEL = 'topology.kubernetes.io/zone';

export const zoneOf = (node: Node | undefined): string | undefined =>
  node?.metadata.labels?.[ZONE_LABEL]?.toLowerCase();

/** The one Pod that has the address to itself; undefined where none has, or several do (Pods on their Node's network). */
export function podAt(pods: readonly Pod[]): Pod | undefined {
  const [pod, other] = pods;
  return other || pod?.spec.hostNetwork ? undefined : pod;
}
