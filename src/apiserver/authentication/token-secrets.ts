/**
 * Fills Secrets of type kubernetes.io/service-account-token: with a token of the account their annotation names, the cluster's CA and the
 * namespace. They go with their account. Here and not among the controllers, as only the API server can sign.
 */
import { isConflict, isNotFound } from '../../api/api-error.ts';
import { SECRETS, SERVICE_ACCOUNTS } from '../../api/kinds.ts';
import type { KubeObject, Secret } from '../../api/types.ts';
import type { Core, WriteContext } from '../core.ts';
import { deleteObject } from '../delete.ts';
import type { Entry } from '../entry.ts';
import { keyOf } from '../keys.ts';
import { LOOPBACK } from '../request.ts';
import { SECRET_TOKEN_TYPE, type TokenIssuer } from '../service-account-tokens.ts';
import { updateObject } from '../update.ts';

const NAME = 'kubernetes.io/service-account.name';
const UID = 'kubernetes.io/service-account.uid';

interface Tools {
  readonly core: Core;
  readonly tokens: TokenIssuer;
  /** PEM. */
  readonly caBundle: string;
}

/** Returns the stop. */
export function keepTokenSecrets(tools: Tools): () => void {
  const { core } = tools;
  const secrets = core.cache.of(SECRETS);
  const accounts = core.cache.of(SERVICE_ACCOUNTS);
  let work = Promise.resolve();
  const look = (entry: Entry): void => {
    if ((entry.object as Secret).type !== SECRET_TOKEN_TYPE) return;
    // One after another: there are few, and two at the same one would sign for nothing.
    work = work.then(async () => {
      await keep(tools, entry.key).catch((error: unknown) => {
        core.log.warn({ err: error, secret: entry.key }, 'a service account token secret is not as it should be');
      });
    });
  };
  const onSecret = ({ type, entry }: { type: 'put' | 'delete'; entry: Entry }): void => {
    if (type === 'put') look(entry);
  };
  const onAccount = ({ entry }: { entry: Entry }): void => {
    const { namespace, name } = entry.object.metadata;
    for (const secret of secrets.range(keyOf(SECRETS, namespace, ''))) {
      if (secret.object.metadata.annotations?.[NAME] === name) look(secret);
    }
  };
  secrets.listeners.add(onSecret);
  accounts.listeners.add(onAccount);
  for (const entry of secrets.range('')) look(entry);
  return () => {
    secrets.listeners.delete(onSecret);
    accounts.listeners.delete(onAccount);
  };
}

async function keep({ core, tokens, caBundle }: Tools, key: string): Promise<void> {
  const secret = core.cache.of(SECRETS).get(key)?.object as Secret | undefined;
  if (secret?.type !== SECRET_TOKEN_TYPE || secret.metadata.deletionTimestamp !== undefined) return;
  const { name, namespace = '', uid, annotations = {} } = secret.metadata;
  const account = annotations[NAME] ?? '';
  const owner = core.cache.of(SERVICE_ACCOUNTS).get(keyOf(SERVICE_ACCOUNTS, namespace, account))?.object;
  const ownerUid = owner?.metadata.uid;
  const context = (): WriteContext => ({ user: LOOPBACK, dryRun: false, warnings: [] });
  try {
    if (ownerUid === undefined || (annotations[UID] !== undefined && annotations[UID] !== ownerUid)) {
      const options = uid === undefined ? {} : { preconditions: { uid } };
      await deleteObject(core, SECRETS, namespace, name, options, context());
      return;
    }
    const data = wantedData(secret, caBundle);
    if (!data && annotations[UID] === ownerUid) return;
    const token =
      data && !data['token']
        ? await tokens.issueForSecret({ namespace, secret: name, account, uid: ownerUid })
        : undefined;
    const apply = (current: KubeObject | undefined): KubeObject => {
      const fresh = current as Secret;
      fresh.metadata.annotations = { ...fresh.metadata.annotations, [UID]: ownerUid };
      fresh.data = { ...fresh.data, ...data, ...(token !== undefined && { token: base64(token) }) };
      fresh.metadata.resourceVersion = secret.metadata.resourceVersion;
      return fresh;
    };
    await updateObject(core, SECRETS, namespace, name, { through: 'main', apply }, context());
  } catch (error) {
    // Another server was faster, or it is gone: its change brings us back here.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Undefined: complete. */
function wantedData({ data = {}, metadata }: Secret, caBundle: string): Record<string, string> | undefined {
  const wanted = { ...data, 'ca.crt': base64(caBundle), namespace: base64(metadata.namespace ?? '') };
  const same = data['ca.crt'] === wanted['ca.crt'] && data['namespace'] === wanted.namespace;
  return same && data['token'] ? undefined : wanted;
}
