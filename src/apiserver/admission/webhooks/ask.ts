/** Asks one webhook, and decides what its silence means. */
import { badRequest } from '../../../api/api-error.ts';
import { NAMESPACES, type Kind } from '../../../api/kinds.ts';
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../../../api/types.ts';
import type { Webhook } from '../../../api/validation/webhooks.ts';
import type { Core } from '../../core.ts';
import { keyOf, prefixOf } from '../../keys.ts';
import type { Attributes } from '../attributes.ts';
import { destinationOf } from './destination.ts';
import { versionFor, type Asked } from './match.ts';
import { postReview } from './post.ts';
import { failed, denied } from './refusal.ts';
import { readReview, reviewOf, reviewVersion, type Answer } from './review.ts';

/** A webhook that is to be asked, and the version it wants to see. */
export interface Question {
  readonly webhook: Webhook;
  readonly version: Kind;
}

const MAX_WARNINGS = 16;

type Configuration = Kind<MutatingWebhookConfiguration> | Kind<ValidatingWebhookConfiguration>;

/** By name of the configuration, then as they stand in it. */
export function webhooksOf(core: Core, configurations: Configuration): Webhook[] {
  const cached = core.cache.of(configurations);
  if (cached.size === 0) return [];
  return cached
    .range(prefixOf(configurations))
    .flatMap(({ object }) => (object as { webhooks?: Webhook[] }).webhooks ?? []);
}

export function askedOf(core: Core, attributes: Attributes): Asked {
  const { kind, namespace, context } = attributes;
  const entry =
    kind.namespaced && namespace !== undefined
      ? core.cache.of(NAMESPACES).get(keyOf(NAMESPACES, undefined, namespace))
      : undefined;
  return {
    ...attributes,
    requested: context.version ?? kind,
    kinds: core.kinds.all,
    namespaceLabels: entry?.object.metadata.labels,
  };
}

export function questionFor(webhook: Webhook, asked: Asked): Question | undefined {
  const version = versionFor(webhook, asked);
  return version && { webhook, version };
}

/**
 * Undefined: it could not be asked, and that does not matter (`failurePolicy: Ignore`). Throws WebhookRefusal when it says no, or
 * says nothing and that does matter; BadRequest when it cannot be asked in a dry run.
 */
export async function ask(core: Core, question: Question, attributes: Attributes): Promise<Answer | undefined> {
  const { webhook, version } = question;
  const { name, sideEffects, timeoutSeconds = 10, failurePolicy } = webhook;
  if (attributes.context.dryRun && sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  }
  let answer: Answer;
  try {
    const language = reviewVersion(webhook.admissionReviewVersions ?? []);
    if (!language) throw new Error('it understands no version of AdmissionReview that is known here');
    const uid = core.newUid();
    const to = destinationOf(core, webhook.clientConfig ?? {});
    const review = reviewOf(language, uid, version, attributes, askedOf(core, attributes));
    answer = readReview(language, uid, await postReview(to, review, timeoutSeconds));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (failurePolicy !== 'Ignore') throw failed(name, why);
    core.log.warn({ webhook: name, why }, 'webhook failed, and is ignored as its failurePolicy says');
    return undefined;
  }
  attributes.context.warnings.push(...answer.warnings.slice(0, MAX_WARNINGS));
  if (!answer.allowed) throw denied(name, answer.status);
  return answer;
}
