/** Keeps `metadata.managedFields` on every write, and applies configurations (features 8-070, 8-071). The counting itself is `src/api/managed-fields`. */
import { badRequest } from '../api/api-error.ts';
import { mergeSchemaOfResource } from '../api/custom/merge-schema.ts';
import type { KindName } from '../api/decode.ts';
import { deepEqual } from '../api/deep-equal.ts';
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import {
  afterUpdate,
  applyConfig,
  ConfigProblem,
  kindSchema,
  managersFor,
  readManagers,
  UNTYPED,
  writeManagers,
  type ManagedFieldsEntry,
  type Manager,
  type MergeSchema,
  type Part,
  type Writer,
} from '../api/managed-fields/index.ts';
import type { KubeObject } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import type { Core, WriteContext } from './core.ts';

type Json = Record<string, unknown>;

const schemas = new WeakMap<Kind, MergeSchema>();

export function mergeSchemaOf(kind: Kind): MergeSchema {
  const known = schemas.get(kind);
  if (known) return known;
  const schema = kind.custom ? mergeSchemaOfResource(kind.custom.schema) : (kindSchema(kind) ?? UNTYPED);
  schemas.set(kind, schema);
  return schema;
}

/** Call when the object has its defaults and before the server adds anything: what the server fills in, nobody owns. */
export function ownCreated(core: Core, kind: Kind, object: KubeObject, context: WriteContext): void {
  setManagers(object, afterUpdate(mergeSchemaOf(kind), [], undefined, asJson(object), writerOf(core, kind, context)));
}

/** The same for a changed object. */
export function ownUpdated(core: Core, kind: Kind, object: KubeObject, old: KubeObject, context: WriteContext): void {
  const writer = writerOf(core, kind, context);
  const managers = managersFor(object.metadata.managedFields, old.metadata.managedFields, writer.part);
  setManagers(object, afterUpdate(mergeSchemaOf(kind), managers, asJson(old), asJson(object), writer));
}

/** Whatever time it says: the same owners of the same fields. */
export function sameOwners(a: KubeObject, b: KubeObject): boolean {
  const timeless = ({ metadata }: KubeObject) => metadata.managedFields?.map(({ time: _time, ...entry }) => entry);
  return deepEqual(timeless(a), timeless(b));
}

export interface ApplyRequest {
  readonly config: Json;
  readonly force: boolean;
  decode(merged: Json): KubeObject;
}

/**
 * The object as it is to be, its owners included. `current` is changed no more than anything else.
 * @throws ApiError 400, also for a field the schema does not know, 409 for conflicts
 */
export function applyObject(
  core: Core,
  kind: Kind,
  current: KubeObject | undefined,
  { config, force, decode }: ApplyRequest,
  context: WriteContext,
): KubeObject {
  try {
    const { object, managers } = applyConfig({
      schema: mergeSchemaOf(kind),
      managers: readManagers(current?.metadata.managedFields, true),
      live: current ? asJson(current) : {},
      config,
      applier: writerOf(core, kind, context),
      force,
      decode: (merged) => asJson(decode(merged)),
    });
    const result = object as unknown as KubeObject;
    setManagers(result, managers);
    return result;
  } catch (error) {
    if (!(error instanceof ConfigProblem)) throw error;
    // Kubernetes answers 500 without a reason here and means to mend it (kubernetes#139255): the client can do nothing about a 500.
    throw badRequest(`failed to create typed patch object (${nameOf(kind, config)}): ${error.message}`);
  }
}

/** What a configuration must say before it can be applied. Throws ApiError 400. */
export function checkConfig(kind: KindName, config: unknown): asserts config is Json {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw badRequest('error decoding YAML: the configuration is not an object');
  }
  const { apiVersion = '', kind: kindName = '', metadata } = config as Json;
  const expected = apiVersionOf(kind as Kind);
  if (apiVersion !== expected) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${String(apiVersion)}, expected: ${expected}`,
    );
  }
  if (kindName !== kind.kind) throw badRequest(`invalid object type: ${gvkOf(String(apiVersion), String(kindName))}`);
  if (hasManagers(metadata)) {
    throw badRequest('metadata.managedFields must be nil');
  }
}

function hasManagers(metadata: unknown): boolean {
  const given = typeof metadata === 'object' && metadata !== null ? (metadata as Json)['managedFields'] : undefined;
  return given !== undefined && given !== null;
}

/** `default/web; /v1, Kind=Service`, as the API machinery writes it. */
function nameOf(kind: Kind, config: Json): string {
  const { namespace = '', name = '' } = (config['metadata'] ?? {}) as { namespace?: string; name?: string };
  return `${namespace}/${name}; ${gvkOf(apiVersionOf(kind), kind.kind)}`;
}

const gvkOf = (apiVersion: string, kind: string): string =>
  `${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}`;

/** Where nobody is named, the server itself writes. */
function writerOf(core: Core, kind: Kind, context: WriteContext): Writer {
  const { manager = 'kube-apiserver', subresource = '' } = context;
  const time = timestamp(core.clock.now());
  return { name: manager, apiVersion: apiVersionOf(kind), subresource, part: partOf(kind, subresource), time };
}

function partOf(kind: Kind, subresource: string): Part {
  // An approval is written into the status.
  if (subresource === 'status' || subresource === 'approval') return 'status';
  return kind.subresources.includes('status') ? 'main' : 'all';
}

function setManagers(object: KubeObject, managers: readonly Manager[]): void {
  const entries: ManagedFieldsEntry[] | undefined = writeManagers(managers);
  if (entries) object.metadata.managedFields = entries;
  else delete object.metadata.managedFields;
}

const asJson = (object: KubeObject): Json => object as unknown as Json;
