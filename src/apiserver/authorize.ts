/** The one gate every request passes: allowed, or refused in Kubernetes' words (features 8-094, 8-099). */
import type { Attributes } from './authorization/attributes.ts';
import type { Decision } from './authorization/authorizer.ts';
import { forbidden } from './authorization/forbidden.ts';
import type { User } from './request.ts';
import type { Server } from './server.ts';

/** Streams into a container change something, however they are opened. */
const intoContainers = ['exec', 'attach', 'portforward'];

/** Throws Forbidden (403). `onDecision` hears of what decided, either way. */
export async function authorize(
  { core, authorizer }: Pick<Server, 'core' | 'authorizer'>,
  user: User,
  asked: Attributes,
  onDecision?: (decision: Decision) => void,
): Promise<void> {
  for (const each of allAsked(asked)) {
    let decision = authorizer.decide(user, each);
    if (!decision.allowed) {
      // Perhaps by a binding that was acknowledged a moment ago and is not in memory yet.
      await core.cache.catchUp();
      decision = authorizer.decide(user, each);
    }
    onDecision?.(decision);
    if (!decision.allowed) throw forbidden(user, each, decision.reason);
  }
}

/** A WebSocket is opened by GET, and so needs `create` as well as `get` (feature 7-054). */
function allAsked(asked: Attributes): readonly Attributes[] {
  const opens =
    asked.type === 'resource' &&
    asked.resource === 'pods' &&
    asked.verb === 'get' &&
    intoContainers.includes(asked.subresource);
  return opens ? [asked, { ...asked, verb: 'create' }] : [asked];
}
