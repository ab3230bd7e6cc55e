/** What the ways into the server tell the audit log about a request; costs nothing where there is none. */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { ApiError } from '../../api/api-error.ts';
import type { Decision } from '../authorization/authorizer.ts';
import type { ApiResponse, User } from '../request.ts';
import { renderError } from '../respond.ts';
import type { RawRequest } from '../serve.ts';
import type { Server } from '../server.ts';
import type { Trail } from './trail.ts';

export interface Following {
  /** Of this request, in its answer and in the log. */
  readonly id: string;
  readonly authenticated: (user: User) => void;
  readonly impersonated: (user: User) => void;
  readonly decided: (decision: Decision) => void;
  /** What is to be sent instead: a stream is followed to its end. */
  answered(response: ApiResponse): ApiResponse | Promise<ApiResponse>;
  /** Another server answered, and until it closes the connection speaks what these two agreed on. */
  passedOn(socket: Duplex, status: number): void;
  refused(error: ApiError): void;
}

export function follow({ audit, core }: Pick<Server, 'audit' | 'core'>, raw: RawRequest): Following {
  const id = idOf(raw.headers['audit-id']);
  let trail: Trail | undefined;
  let begun = false;
  // Without a user where the credentials were bad.
  const begin = (user?: User): void => {
    if (!begun) trail = audit?.begin(core.kinds, id, raw, user);
    begun = true;
  };
  return {
    id,
    authenticated: begin,
    impersonated: (user) => trail?.actsAs(user),
    decided: (decision) => trail?.decided(decision),
    answered(response) {
      begin();
      // A new one: what answers many requests alike may be shared.
      const own = { ...response, headers: { ...response.headers, 'audit-id': id } };
      return trail ? trail.answered(own) : own;
    },
    passedOn(socket, status) {
      const end = trail?.passedOn(status);
      if (!end) return;
      if (socket.destroyed) end();
      else socket.once('close', end);
    },
    refused(error) {
      begin();
      void trail?.answered(renderError(error, { ...raw, user: { name: '', groups: [] } }));
    },
  };
}

/** A client may bring one, to find its request in several logs. */
function idOf(given: string | undefined): string {
  return given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
