/** From a CustomResourceDefinition to rows like those of the table of kinds: one per served version. */
import type { CustomBehaviour, Kind } from '../kinds.ts';
import type { KubeObject } from '../types.ts';
import { compareVersions } from '../versions/order.ts';
import { columnsPrinter } from './columns.ts';
import { decodeCustomResource } from './decode.ts';
import { applyDefaults } from './defaults.ts';
import { isTrue, type CustomResourceDefinition, type DefinitionVersion } from './definition.ts';
import { fieldsOf } from './json-path.ts';
import { prune } from './prune.ts';
import type { JsonSchema } from './schema.ts';
import { customResourceStrategy } from './strategy.ts';

export interface DefinedKinds {
  /** The preferred version first. */
  readonly served: readonly Kind[];
  /** The version objects are stored in, served or not. */
  readonly stored: Kind;
  /** Changed in place when the definition begins to go: the kinds stay, so that who watches sees the objects go. */
  readonly state: DefinitionState;
}

export interface DefinitionState {
  isTerminating: boolean;
}

/** Where everything is kept: no schema, or a definition from the days when nothing was pruned. */
const anything: JsonSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** Undefined: nothing of it is served yet. */
export function kindsOf(definition: CustomResourceDefinition): DefinedKinds | undefined {
  if (!isTrue(definition, 'Established')) return undefined;
  const { versions } = definition.spec;
  const storage = versions.find((version) => version.storage);
  if (!storage) return undefined;
  const schemas = new Map(versions.map((version) => [version.name, schemaOf(definition, version)]));
  const state = { isTerminating: definition.metadata.deletionTimestamp !== undefined };
  const keepsAll = definition.spec.preserveUnknownFields === true;
  const row = (version: DefinitionVersion) => rowOf(definition, version, { storage, schemas, state, keepsAll });
  const served = versions
    .filter((version) => version.served)
    .sort((a, b) => compareVersions(a.name, b.name))
    .map(row);
  return { served, stored: served.find(({ version }) => version === storage.name) ?? row(storage), state };
}

function schemaOf({ spec }: CustomResourceDefinition, { schema }: DefinitionVersion): JsonSchema {
  return schema?.openAPIV3Schema ?? (spec.preserveUnknownFields ? anything : {});
}

/** What all versions of one definition have in common. */
interface Shared {
  readonly storage: DefinitionVersion;
  readonly schemas: ReadonlyMap<string, JsonSchema>;
  readonly state: DefinitionState;
  /** Nothing is pruned, whatever the schemas say. */
  readonly keepsAll: boolean;
}

function rowOf(definition: CustomResourceDefinition, version: DefinitionVersion, shared: Shared): Kind {
  const { group, scope } = definition.spec;
  const names = definition.status?.acceptedNames ?? definition.spec.names;
  const { subresources } = version;
  const plain = {
    group,
    version: version.name,
    kind: names.kind,
    listKind: names.listKind || `${names.kind}List`,
    plural: names.plural,
    singular: names.singular || names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    namespaced: scope === 'Namespaced',
    categories: names.categories ?? [],
    ...(version.deprecated && {
      deprecated: version.deprecationWarning ?? `${group}/${version.name} ${names.kind} is deprecated`,
    }),
    subresources: (['status', 'scale'] as const).filter((name) => subresources?.[name] !== undefined),
  };
  return { ...plain, custom: behaviourOf(plain, version, shared) };
}

function behaviourOf(kind: Kind, version: DefinitionVersion, shared: Shared): CustomBehaviour {
  const { storage, schemas, state, keepsAll } = shared;
  const schema = schemas.get(version.name) ?? anything;
  const kept = (name: string) => (keepsAll ? anything : (schemas.get(name) ?? schema));
  const scale = version.subresources?.scale;
  return {
    schema,
    storageVersion: storage.name,
    get isTerminating() {
      return state.isTerminating;
    },
    strategy: customResourceStrategy(kind, version, schema),
    printer: columnsPrinter(version),
    selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, '')),
    ...(scale && {
      scale: {
        specReplicas: fieldsOf(scale.specReplicasPath) ?? [],
        statusReplicas: fieldsOf(scale.statusReplicasPath) ?? [],
        ...(scale.labelSelectorPath && { labelSelector: fieldsOf(scale.labelSelectorPath) ?? [] }),
      },
    }),
    decode: (raw, duplicateFields) =>
      decodeCustomResource(kind, { schema, kept: kept(version.name) }, raw, duplicateFields),
    fromStored(object) {
      const [, written = ''] = (object.apiVersion ?? '').split('/');
      // Defaults are those of the version it was written in; then it is what this version can say (conversion strategy None).
      applyDefaults(object, schemas.get(written) ?? schema);
      return converted(object, kind, kept(version.name));
    },
    toStored: (object) => converted(object, { ...kind, version: storage.name }, kept(storage.name)),
  };
}

function converted(object: KubeObject, kind: Kind, schema: JsonSchema): KubeObject {
  const pruned = prune(object, schema) as KubeObject;
  return { ...pruned, apiVersion: `${kind.group}/${kind.version}`, kind: kind.kind };
}
