/** Objects without what no proxy reads: at tens of thousands of Services that is most of the memory. */
import type { KubeObject } from '../api/types.ts';

const ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';

/** A copy without `managedFields`, other annotations, and what endpoints say of their Pods. */
export function slim<T extends KubeObject>(object: T): T {
  const { name, namespace, uid, resourceVersion, labels, annotations, deletionTimestamp } = object.metadata;
  const trigger = annotations?.[ANNOTATION];
  const metadata = {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(labels !== undefined && { labels }),
    ...(trigger !== undefined && { annotations: { [ANNOTATION]: trigger } }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  };
  const { endpoints } = object as { endpoints?: readonly { targetRef?: unknown }[] };
  if (!endpoints) return { ...object, metadata };
  return { ...object, metadata, endpoints: endpoints.map(({ targetRef: _, ...rest }) => rest) };
}
