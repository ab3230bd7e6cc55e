/** pods/binding: puts a Pod on a node, once (feature 8-086). */
import { conflict, invalidObject } from '../../api/api-error.ts';
import { required } from '../../api/field-error.ts';
import { PODS } from '../../api/kinds.ts';
import type { KubeObject, Pod } from '../../api/types.ts';
import { timestamp } from '../../lib/clock.ts';

export const BINDING = { group: '', version: 'v1', kind: 'Binding' } as const;

export interface Binding extends KubeObject {
  target: { kind?: string; name?: string };
}

/** Throws Conflict when the Pod is going away or has a node, Invalid without a target. `pod` is changed. */
export function applyBinding(pod: Pod, binding: Binding, now: number): Pod {
  const { name } = pod.metadata;
  const node = (binding as Partial<Binding>).target?.name ?? '';
  if (node === '') throw invalidObject(PODS, name, [required('target.name')]);
  if (binding.metadata.uid && binding.metadata.uid !== pod.metadata.uid) {
    throw conflict(PODS, name, 'the UID in the precondition does not match the UID in record');
  }
  if (pod.metadata.deletionTimestamp) {
    throw conflict(PODS, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  if (pod.spec.nodeName) {
    throw conflict(PODS, name, `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
  }
  pod.spec.nodeName = node;
  if (binding.metadata.annotations) {
    pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations };
  }
  const others = pod.status?.conditions?.filter(({ type }) => type !== 'PodScheduled') ?? [];
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: timestamp(now) };
  pod.status = { ...pod.status, conditions: [...others, scheduled] };
  return pod;
}
