/** Taints and tolerations: what the scheduler, the DaemonSet and the node controller all ask. Pure. */
import type { Core, Node } from './types.ts';

/** Whether a toleration covers a taint: by key and value, or everything where it names no key. An absent effect covers all effects. */
export function tolerates(toleration: Core.Toleration, taint: Core.Taint): boolean {
  if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false;
  if ((toleration.key ?? '') !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return (toleration.key ?? '') !== '' && (toleration.value ?? '') === (taint.value ?? '');
}

/** The taints of the Node with one of `effects` that no toleration covers. */
export function untolerated(
  node: Node,
  tolerations: readonly Core.Toleration[],
  effects: readonly string[],
): Core.Taint[] {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effects.includes(effect));
  return taints.filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint)));
}
