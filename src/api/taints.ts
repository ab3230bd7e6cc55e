/** Taints and tolerations: what the scheduler and the node controller both ask. Pure. */
import type { Core } from './types.ts';

/** Whether a toleration covers a taint: by key and value, or everything where it names no key. An absent effect covers all effects. */
export function tolerates(toleration: Core.Toleration, taint: Core.Taint): boolean {
  if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false;
  if ((toleration.key ?? '') !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return (toleration.key ?? '') !== '' && (toleration.value ?? '') === (taint.value ?? '');
}
