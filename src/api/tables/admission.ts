/** Webhook configurations. */
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../types.ts';
import { age } from './cells.ts';
import { definePrinter } from './printer.ts';

export const webhookPrinter = definePrinter<MutatingWebhookConfiguration | ValidatingWebhookConfiguration>([
  ['Webhooks', 'integer', ({ webhooks }) => webhooks?.length ?? 0],
  ['Age', 'string', age],
]);
