/**
 * The order of admission, as in Kubernetes: what changes an object runs before it is validated, what only refuses it runs
 * afterwards, and quotas last (`quota/enforce.ts`), because only they take something.
 */
import type { KubeObject } from '../../api/types.ts';
import type { Core } from '../core.ts';
import type { Attributes } from './attributes.ts';
import { admitIngressClass } from './default-ingress-class.ts';
import { admitTolerations } from './default-tolerations.ts';
import { admitLimitDefaults, checkLimits } from './limit-ranger.ts';
import { admitPriority, admitPriorityClass } from './priority.ts';
import { admitPod } from './service-account.ts';

type WithObject = Attributes & { readonly object: KubeObject };

/** The object as it is to be: `attributes.object`, changed in place. Throws ApiError (403). */
export async function admitMutating(core: Core, attributes: WithObject): Promise<KubeObject> {
  const { operation, kind, subresource, object } = attributes;
  if (operation === 'CREATE' && subresource === undefined) {
    admitPod(core, kind, object);
    admitTolerations(kind, object);
  }
  admitPriority(core, attributes);
  admitLimitDefaults(core, attributes);
  admitIngressClass(core, attributes);
  return await Promise.resolve(object);
}

/** Throws ApiError (403). */
export async function admitValidating(core: Core, attributes: Attributes): Promise<void> {
  checkLimits(core, attributes);
  admitPriorityClass(core, attributes);
  await Promise.resolve();
}
