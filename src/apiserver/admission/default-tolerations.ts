/**
 * Lets a Pod stay five minutes on a Node that is not ready or cannot be reached, unless it says otherwise: what the DefaultTolerationSeconds
 * admission of Kubernetes writes into every Pod, and `kubectl describe pod` shows.
 */
import { PODS, type Kind } from '../../api/kinds.ts';
import type { KubeObject, Pod } from '../../api/types.ts';

const KEYS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const SECONDS = 300;

/** Changes a new Pod in place. */
export function admitTolerations(kind: Kind, object: KubeObject): void {
  if (kind !== PODS) return;
  // Decoded JSON may lack a spec; validation will say so.
  const spec = (object as Partial<Pod>).spec;
  if (!spec) return;
  const own = spec.tolerations ?? [];
  // An empty key or effect stands for all of them.
  const speaksOf = (wanted: string) =>
    own.some(({ key, effect }) => (!key || key === wanted) && (!effect || effect === 'NoExecute'));
  const missing = KEYS.filter((key) => !speaksOf(key));
  if (missing.length === 0) return;
  const added = missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: SECONDS }));
  spec.tolerations = [...own, ...added];
}
