/** Create: admit -> default -> prepare -> validate -> allocate -> one commit (features 8-061 to 8-063, 1-012). */
import type { ApiError } from '../api/api-error.ts';
import { alreadyExists, badRequest, internalError, invalidObject } from '../api/api-error.ts';
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import { generateName } from '../api/meta.ts';
import { strategyFor } from '../api/strategies.ts';
import type { KubeObject } from '../api/types.ts';
import { errorsIn } from '../api/versions/convert.ts';
import { timestamp } from '../lib/clock.ts';
import { ConditionFailed } from '../store/store.ts';
import { admitTolerations } from './admission/default-tolerations.ts';
import { admitNamespace } from './admission/namespace-lifecycle.ts';
import { restrictNode } from './admission/node-restriction.ts';
import { admitPod } from './admission/service-account.ts';
import { MAX_TRIES, type Core, type WriteContext } from './core.ts';
import { encodeStored, Entry } from './entry.ts';
import { keyOf, storedKind } from './keys.ts';
import { putObject, readStored } from './read.ts';

/**
 * `object` is the caller's to give away: it is changed in place and stored. `namespace` is that of the URL; undefined for
 * cluster-scoped kinds. Throws ApiError: 400, 403, 404 (no such namespace), 409, 422.
 */
export async function createObject(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  object: KubeObject,
  context: WriteContext,
): Promise<Entry> {
  beginMetadata(core, kind, namespace, object);
  const namePrefix = object.metadata.name === '' ? object.metadata.generateName : undefined;
  const strategy = strategyFor(kind);
  if (namePrefix) object.metadata.name = generateName(namePrefix, (below) => core.random(below));
  const checks = await admitNamespace(core, kind, object);
  admitPod(core, kind, object);
  admitTolerations(kind, object);
  strategy.applyDefaults(object);
  core.roleGuard.check(context.user, kind, object);
  restrictNode(context.user, kind, object);
  strategy.prepareForCreate(object);
  const errors = errorsIn(context.version, strategy.validate(object));
  if (errors.length > 0) throw invalidObject(kind, object.metadata.name, errors);
  context.warnings.push(...strategy.warnings(object));
  for (let attempt = 1; ; attempt++) {
    const key = keyOf(kind, namespace, object.metadata.name);
    if (context.dryRun) return dryCreate(core, kind, key, object);
    const given = JSON.stringify(object);
    const { operations, settle } = core.hooks.onCreate(kind, object, false);
    let done: Entry | undefined;
    try {
      done = await putObject(core, kind, { key, object, expect: 0, also: [...checks, ...operations] });
      return done;
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
      if (error.key === key && !namePrefix) throw alreadyExists(kind, object.metadata.name);
      if (attempt >= MAX_TRIES) throw exhausted(kind, object.metadata.name);
    } finally {
      settle(done?.revision);
    }
    // Somebody took the name, an address or changed the namespace in between: look again and take others.
    object = JSON.parse(given) as KubeObject;
    if (namePrefix) object.metadata.name = generateName(namePrefix, (below) => core.random(below));
    checks.splice(0, checks.length, ...(await admitNamespace(core, kind, object, true)));
  }
}

async function dryCreate(core: Core, kind: Kind, key: string, object: KubeObject): Promise<Entry> {
  if (await readStored(core, kind, key)) throw alreadyExists(kind, object.metadata.name);
  core.hooks.onCreate(kind, object, true).settle();
  return new Entry(storedKind(kind), key, encodeStored(kind, object), 0);
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
  delete meta.managedFields;
  object.kind = kind.kind;
  object.apiVersion = apiVersionOf(kind);
}

function exhausted(kind: Kind, name: string): ApiError {
  return internalError(`could not create ${kind.plural} ${JSON.stringify(name)}: others were faster each time`);
}
