/** Create: default -> admit -> prepare -> validate -> allocate -> admit -> one commit (features 8-061 to 8-063, 1-012). */
import { ApiError, alreadyExists, badRequest, internalError, invalidObject } from '../api/api-error.ts';
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import { generateName } from '../api/meta.ts';
import { strategyFor } from '../api/strategies.ts';
import type { KubeObject } from '../api/types.ts';
import { errorsIn } from '../api/versions/convert.ts';
import { timestamp } from '../lib/clock.ts';
import { ConditionFailed } from '../store/store.ts';
import type { Attributes } from './admission/attributes.ts';
import { admitMutating, admitValidating } from './admission/chain.ts';
import { admitRequester } from './admission/certificate-requester.ts';
import { admitNamespace } from './admission/namespace-lifecycle.ts';
import { restrictNode } from './admission/node-restriction.ts';
import { AFTER_ADMISSION, dedupeOwners } from './admission/owner-references.ts';
import { withinQuota } from './admission/quota/enforce.ts';
import { MAX_TRIES, type Core, type WriteContext } from './core.ts';
import { encodeStored, Entry } from './entry.ts';
import { keyOf, storedKind } from './keys.ts';
import { ownCreated } from './ownership.ts';
import { putObject, readStored } from './read.ts';

/**
 * `object` is the caller's to give away: it is changed in place and stored. `namespace` is that of the URL; undefined for
 * cluster-scoped kinds. `owned`: its managedFields are as they are to be. Throws ApiError: 400, 403, 404 (no such namespace), 409, 422.
 */
export async function createObject(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  object: KubeObject,
  context: WriteContext,
  owned = false,
): Promise<Entry> {
  if (kind.custom?.isTerminating) throw terminating();
  if (!owned) delete object.metadata.managedFields;
  beginMetadata(core, kind, namespace, object);
  const namePrefix = object.metadata.name === '' ? object.metadata.generateName : undefined;
  const strategy = strategyFor(kind);
  if (namePrefix) object.metadata.name = generateName(namePrefix, (below) => core.random(below));
  const checks = await admitNamespace(core, kind, object);
  admitRequester(kind, object, context.user);
  const attributes = (): Attributes & { object: KubeObject } => {
    return { operation: 'CREATE', kind, namespace, name: object.metadata.name, object, context };
  };
  strategy.applyDefaults(object);
  dedupeOwners(object, context);
  if (!owned) ownCreated(core, kind, object, context);
  object = await admitMutating(core, attributes());
  dedupeOwners(object, context, AFTER_ADMISSION);
  strategy.applyDefaults(object);
  // Again: who asks is not for a webhook to say.
  admitRequester(kind, object, context.user);
  core.guard.checkGrant(context.user, kind, object);
  restrictNode(context.user, kind, object);
  strategy.prepareForCreate(object);
  const errors = errorsIn(context.version, strategy.validate(object));
  if (errors.length > 0) throw invalidObject(kind, object.metadata.name, errors);
  context.warnings.push(...strategy.warnings(object));
  for (let attempt = 1; ; attempt++) {
    const key = keyOf(kind, namespace, object.metadata.name);
    if (context.dryRun && (await readStored(core, kind, key))) throw alreadyExists(kind, object.metadata.name);
    const given = JSON.stringify(object);
    const { operations, settle } = core.hooks.onCreate(kind, object, context.dryRun);
    let done: Entry | undefined;
    try {
      await admitValidating(core, attributes());
      return await withinQuota(core, attributes(), async (quotas) => {
        if (context.dryRun) return new Entry(storedKind(kind), key, encodeStored(kind, object), 0);
        const also = [...checks, ...operations, ...quotas];
        done = await putObject(core, kind, { key, object, expect: 0, also });
        return done;
      });
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
      if (error.key === key && !namePrefix) throw alreadyExists(kind, object.metadata.name);
      if (attempt >= MAX_TRIES) {
        throw error.key === key ? nameExhausted(kind, object.metadata.name) : exhausted(kind, object.metadata.name);
      }
    } finally {
      settle(done?.revision);
    }
    // Somebody took the name, an address or changed the namespace in between: look again and take others.
    object = JSON.parse(given) as KubeObject;
    if (namePrefix) object.metadata.name = generateName(namePrefix, (below) => core.random(below));
    checks.splice(0, checks.length, ...(await admitNamespace(core, kind, object, true)));
  }
}

/** What the server alone decides about a new object's metadata. */
function beginMetadata(core: Core, kind: Kind, namespace: string | undefined, object: KubeObject): void {
  const meta = object.metadata;
  if (kind.namespaced) {
    meta.namespace ??= namespace;
    if (meta.namespace === '') meta.namespace = namespace;
    if (meta.namespace !== namespace) {
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    }
  } else if (meta.namespace === '') delete meta.namespace;
  if (meta.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  // Decoded JSON may lack it; '' lets validation say that name or generateName is required.
  meta.name = (meta as { name?: string }).name ?? '';
  meta.uid = core.newUid();
  meta.creationTimestamp = timestamp(core.clock.now());
  delete meta.resourceVersion;
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete meta.selfLink;
  object.kind = kind.kind;
  object.apiVersion = apiVersionOf(kind);
}

/** Its definition is on its way out, and would wait for this object as well. */
function terminating(): ApiError {
  return new ApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'create not allowed while custom resource definition is terminating',
  });
}

/** Every name that was made up is taken: the client may try again. */
function nameExhausted(kind: Kind, name: string): ApiError {
  const { status } = alreadyExists(kind, name);
  return new ApiError({
    ...status,
    message: `${status.message ?? ''}, the server was not able to generate a unique name for the object`,
    details: { ...status.details, retryAfterSeconds: 1 },
  });
}

function exhausted(kind: Kind, name: string): ApiError {
  return internalError(`could not create ${kind.plural} ${JSON.stringify(name)}: others were faster each time`);
}
