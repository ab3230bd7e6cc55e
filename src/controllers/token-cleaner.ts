/** Deletes the Secrets of bootstrap tokens whose time has passed. */
import { isNotFound } from '../api/api-error.ts';
import { SECRETS } from '../api/kinds.ts';
import type { Secret } from '../api/types.ts';
import { defineController, done, itself, splitKey, trigger, type Controller } from './loop.ts';

const NAMESPACE = 'kube-system';
const TYPE = 'bootstrap.kubernetes.io/token';

/** Milliseconds since the epoch; undefined: it is good for ever. What cannot be read has passed, as for who is shown it. Pure. */
export function expirationOf({ type, metadata, data }: Secret): number | undefined {
  const text = Buffer.from(data?.['expiration'] ?? '', 'base64').toString();
  if (type !== TYPE || metadata.namespace !== NAMESPACE || text === '') return undefined;
  return Date.parse(text) || 0;
}

export const tokenCleanerController: Controller = defineController({
  name: 'token-cleaner',
  triggers: [
    trigger(SECRETS, (change) =>
      change.type !== 'deleted' && expirationOf(change.object) !== undefined ? itself(change) : [],
    ),
  ],
  async reconcile(key, view) {
    const { namespace, name } = splitKey(key);
    const secret = view.get(SECRETS, name, namespace);
    const at = secret && expirationOf(secret);
    if (at === undefined) return done;
    const left = at - view.clock.now();
    if (left > 0) view.enqueue(key, left);
    else {
      const preconditions = { uid: secret?.metadata.uid ?? '' };
      await view.client.delete(SECRETS, name, namespace, { preconditions }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
    return done;
  },
});
