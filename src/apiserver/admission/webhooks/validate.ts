/** Validating webhooks: all are asked at once, and each may refuse. */
import { VALIDATING_WEBHOOK_CONFIGURATIONS } from '../../../api/kinds.ts';
import type { Core } from '../../core.ts';
import type { Attributes } from '../attributes.ts';
import { ask, askedOf, questionFor, webhooksOf } from './ask.ts';

/** Throws ApiError: that of the first refusal, in the order of the webhooks. */
export async function runValidatingWebhooks(core: Core, attributes: Attributes): Promise<void> {
  const webhooks = webhooksOf(core, VALIDATING_WEBHOOK_CONFIGURATIONS);
  if (webhooks.length === 0 || attributes.context.isInternal) return;
  const asked = askedOf(core, attributes);
  const questions = webhooks.flatMap((webhook) => questionFor(webhook, asked) ?? []);
  // Each writes warnings of its own, so that their order does not depend on who is faster.
  const outcomes = await Promise.allSettled(
    questions.map(async (question) => {
      const warnings: string[] = [];
      const own = { ...attributes, context: { ...attributes.context, warnings } };
      await ask(core, question, own);
      return warnings;
    }),
  );
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') throw outcome.reason;
    attributes.context.warnings.push(...outcome.value);
  }
}
