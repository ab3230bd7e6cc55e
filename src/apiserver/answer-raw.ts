/** From a request off the socket to its answer: who asks, on whose behalf, and then what `handle` says. */
import { ApiError } from '../api/api-error.ts';
import { follow } from './audit/follow.ts';
import { handle } from './handle.ts';
import { identify } from './identify.ts';
import type { ApiResponse } from './request.ts';
import { renderError } from './respond.ts';
import type { RawRequest } from './serve.ts';
import type { Server } from './server.ts';

/** Authentication comes first, so that wrong credentials are 401 whatever is asked for. */
export async function answerRaw(server: Server, raw: RawRequest): Promise<ApiResponse> {
  const { peer: _peer, impersonation: _impersonation, ...rest } = raw;
  const following = follow(server, raw);
  try {
    const { user } = await identify(server, raw, following);
    return await following.answered(await handle(server, { ...rest, user }, following.decided));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return await following.answered(renderError(error, { ...rest, user: { name: '', groups: [] } }));
  }
}
