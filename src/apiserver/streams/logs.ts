/** Container logs: the kubelet's answer, passed on as it comes (feature 7-063). */
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../api/api-error.ts';
import type { Pod } from '../../api/types.ts';
import type { ApiResponse } from '../request.ts';
import { openRequest } from './backend.ts';
import { unreachable, type Kubelets } from './kubelets.ts';
import { passOn } from './pass-on.ts';
import { logTarget } from './targets.ts';

/** Of a kubelet's refusal. */
const MAX_MESSAGE = 64 * 1024;

/** Throws ApiError: what the kubelet refused with, or that it does not answer. */
export async function logResponse(kubelets: Kubelets, pod: Pod, query: URLSearchParams): Promise<ApiResponse> {
  const path = logTarget(pod, query);
  const incoming = await get(kubelets, pod, path);
  if (incoming.statusCode !== 200) throw await refusal(incoming);
  return {
    status: 200,
    headers: { 'content-type': 'text/plain', 'x-content-type-options': 'nosniff' },
    body: passOn(incoming),
  };
}

async function get(kubelets: Kubelets, pod: Pod, path: string): Promise<IncomingMessage> {
  const backend = kubelets.backendOf(pod);
  const request = await openRequest(backend, { path });
  return await new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', (error) => {
      reject(unreachable(backend, path, error));
    });
    request.end();
  });
}

/** What a kubelet says no with is text; the client gets it as a Status. */
export async function refusal(incoming: IncomingMessage): Promise<ApiError> {
  let text = '';
  for await (const chunk of incoming) {
    if (text.length < MAX_MESSAGE) text += String(chunk);
  }
  const code = incoming.statusCode ?? 500;
  const reasons: Record<number, string> = { 400: 'BadRequest', 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound' };
  return new ApiError({
    code,
    reason: reasons[code] ?? 'InternalError',
    message: text.trim() || `kubelet: ${String(code)}`,
  });
}
