/** What a client is told when a webhook says no, or says nothing. */
import { ApiError } from '../../../api/api-error.ts';
import type { Status } from '../../../api/types.ts';

/** Asking again would get the same answer, at the same price. */
export class WebhookRefusal extends ApiError {}

export function denied(webhook: string, result: Partial<Status> = {}): WebhookRefusal {
  const by = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const { message, reason, details } = result;
  const code = typeof result.code === 'number' && result.code >= 400 && result.code < 600 ? result.code : 400;
  return new WebhookRefusal({
    code,
    message: message ? `${by}: ${message}` : reason ? `${by}: ${reason}` : `${by} without explanation`,
    ...(reason && { reason }),
    ...(details && { details }),
  });
}

export function failed(webhook: string, why: string): WebhookRefusal {
  const message = `failed calling webhook ${JSON.stringify(webhook)}: ${why}`;
  return new WebhookRefusal({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  });
}
