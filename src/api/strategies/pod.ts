/** Pod behaviour. Admission (service account, tolerations) is the API server's. */
import { defineStrategy } from '../define-strategy.ts';
import { defaultPod } from '../defaults/pod.ts';
import { PODS } from '../kinds.ts';
import { podQosClass } from '../pods.ts';
import type { Pod } from '../types.ts';
import { validatePodCreate, validatePodUpdate } from '../validation/pod.ts';

export const podStrategy = defineStrategy(PODS, {
  applyDefaults: defaultPod,
  keepsGeneration: true,
  initialStatus: (pod) => ({ phase: 'Pending', qosClass: podQosClass(pod.spec) }),
  validate: validatePodCreate,
  validateUpdate: validatePodUpdate,
  deletionGracePeriod,
});

/** Nobody has started a Pod that has no node, and a finished one needs no time to stop (feature 7-028). */
function deletionGracePeriod({ spec, status }: Pod, asked: number | undefined): number {
  const phase = status?.phase;
  if (!spec.nodeName || phase === 'Failed' || phase === 'Succeeded') return 0;
  const seconds = asked ?? spec.terminationGracePeriodSeconds ?? 30;
  return seconds < 0 ? 1 : seconds;
}
