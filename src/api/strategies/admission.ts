/** Webhook configurations: what is asked before a write. */
import { defineStrategy } from '../define-strategy.ts';
import * as K from '../kinds.ts';
import { validateWebhooks, type Webhook } from '../validation/webhooks.ts';

function applyDefaults(webhooks: readonly Webhook[]): void {
  for (const webhook of webhooks) {
    webhook.failurePolicy ??= 'Fail';
    webhook.matchPolicy ??= 'Equivalent';
    webhook.namespaceSelector ??= {};
    webhook.objectSelector ??= {};
    webhook.timeoutSeconds ??= 10;
    if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443;
    for (const rule of webhook.rules ?? []) rule.scope ??= '*';
  }
}

export const validatingWebhookStrategy = defineStrategy(K.VALIDATING_WEBHOOK_CONFIGURATIONS, {
  applyDefaults: ({ webhooks }) => {
    applyDefaults(webhooks ?? []);
  },
  keepsGeneration: true,
  validate: ({ webhooks }) => validateWebhooks(webhooks ?? []),
});

export const mutatingWebhookStrategy = defineStrategy(K.MUTATING_WEBHOOK_CONFIGURATIONS, {
  applyDefaults: ({ webhooks }) => {
    applyDefaults(webhooks ?? []);
    for (const webhook of webhooks ?? []) webhook.reinvocationPolicy ??= 'Never';
  },
  keepsGeneration: true,
  validate: ({ webhooks }) => validateWebhooks(webhooks ?? []),
});
