/** Mutating webhooks: one after the other, each seeing what those before it made of the object. */
import { ApiError } from '../../../api/api-error.ts';
import { decodeObject } from '../../../api/decode.ts';
import { semanticEqual } from '../../../api/deep-equal.ts';
import { MUTATING_WEBHOOK_CONFIGURATIONS, type Kind } from '../../../api/kinds.ts';
import { jsonPatch } from '../../../api/patch.ts';
import { strategyFor } from '../../../api/strategies.ts';
import type { KubeObject } from '../../../api/types.ts';
import { fromVersion, toVersion } from '../../../api/versions/convert.ts';
import type { Webhook } from '../../../api/validation/webhooks.ts';
import type { Core } from '../../core.ts';
import type { Attributes } from '../attributes.ts';
import { ask, askedOf, questionFor, webhooksOf } from './ask.ts';
import { failed } from './refusal.ts';

/** The object as they leave it; undefined where there is none (DELETE). Throws ApiError. */
export async function runMutatingWebhooks(core: Core, attributes: Attributes): Promise<KubeObject | undefined> {
  let { object } = attributes;
  const webhooks = webhooksOf(core, MUTATING_WEBHOOK_CONFIGURATIONS);
  if (webhooks.length === 0 || attributes.context.isInternal) return object;
  const run = async (webhook: Webhook): Promise<boolean> => {
    const now = object ? { ...attributes, object } : attributes;
    const before = object;
    object = await runOne(core, webhook, now);
    return !semanticEqual(before, object);
  };
  const changes: boolean[] = [];
  for (const webhook of webhooks) changes.push(await run(webhook));
  // Once more for those that want to see what came after them, if anything did.
  for (const [index, webhook] of webhooks.entries()) {
    if (webhook.reinvocationPolicy !== 'IfNeeded' || !changes.slice(index + 1).includes(true)) continue;
    changes.push(await run(webhook));
  }
  return object;
}

async function runOne(core: Core, webhook: Webhook, attributes: Attributes): Promise<KubeObject | undefined> {
  const { object, old, kind, face } = attributes;
  const question = questionFor(webhook, askedOf(core, attributes));
  if (!question) return object;
  const answer = await ask(core, question, attributes);
  if (answer?.patch === undefined || isNothing(answer.patch)) return object;
  if (!object) {
    throw failed(
      webhook.name,
      'admission webhook attempted to modify the object, which is not supported for this operation',
    );
  }
  try {
    if (face) return decodeObject(face, jsonPatch(structuredClone(object), answer.patch)).object;
    return patched(kind, question.version, object, old, answer.patch);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (webhook.failurePolicy !== 'Ignore') throw failed(webhook.name, error.message);
    core.log.warn({ webhook: webhook.name, why: error.message }, 'the patch of a webhook does not fit, and is ignored');
    return object;
  }
}

const isNothing = (patch: unknown): boolean => Array.isArray(patch) && patch.length === 0;

/** Throws ApiError for a patch that does not fit. */
function patched(
  kind: Kind,
  version: Kind,
  object: KubeObject,
  old: KubeObject | undefined,
  patch: unknown,
): KubeObject {
  const shown = structuredClone(toVersion(object, version));
  const { object: decoded } = decodeObject(version, jsonPatch(shown, patch));
  const { name, namespace, uid, creationTimestamp, resourceVersion } = object.metadata;
  // Whose object it is has been decided.
  Object.assign(decoded.metadata, {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  });
  const stored = fromVersion(decoded, version, old);
  strategyFor(kind).applyDefaults(stored);
  return stored;
}
