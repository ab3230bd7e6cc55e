/**
 * The order of admission, as in Kubernetes: what changes an object runs before it is validated, what only refuses it runs
 * afterwards, and quotas last (`quota/enforce.ts`), because only they take something.
 */
import type { KubeObject } from '../../api/types.ts';
import type { Core } from '../core.ts';
import type { Attributes } from './attributes.ts';
import { denyExternalIps } from './deny-external-ips.ts';
import { admitIngressClass } from './default-ingress-class.ts';
import { admitTolerations } from './default-tolerations.ts';
import { admitLimitDefaults, checkLimits } from './limit-ranger.ts';
import { admitPriority, admitPriorityClass } from './priority.ts';
import { admitPod } from './service-account.ts';
import { runMutatingWebhooks } from './webhooks/mutate.ts';
import { runValidatingWebhooks } from './webhooks/validate.ts';

type WithObject = Attributes & { readonly object: KubeObject };

/** The object as it is to be: `attributes.object`, changed in place. Throws ApiError (403, and what webhooks say). */
export async function admitMutating(core: Core, attributes: WithObject): Promise<KubeObject> {
  const { operation, kind, subresource, object } = attributes;
  if (operation === 'CREATE' && subresource === undefined) {
    admitPod(core, kind, object);
    admitTolerations(kind, object);
  }
  admitPriority(core, attributes);
  admitLimitDefaults(core, attributes);
  admitIngressClass(core, attributes);
  return (await runMutatingWebhooks(core, attributes)) ?? object;
}

/** Throws ApiError (403, and what webhooks say). */
export async function admitValidating(core: Core, attributes: Attributes): Promise<void> {
  if (core.admissionPlugins.has('DenyServiceExternalIPs')) denyExternalIps(attributes);
  checkLimits(core, attributes);
  admitPriorityClass(core, attributes);
  await runValidatingWebhooks(core, attributes);
}

/** Only webhooks have a say in deletions. Throws ApiError. */
export async function admitDeletion(core: Core, attributes: Attributes): Promise<void> {
  await runMutatingWebhooks(core, attributes);
  await runValidatingWebhooks(core, attributes);
}
