/** What a row of the table of kinds is (`kinds.ts`), and how one is written. */
import type { JsonSchema } from './custom/schema.ts';
import type { Decoded } from './decode.ts';
import type { Strategy } from './strategy.ts';
import type { Printer } from './tables/printer.ts';
import type * as T from './types.ts';
import type { Conversion } from './versions/conversion.ts';

export type Subresource =
  | 'status'
  | 'scale'
  | 'binding'
  | 'eviction'
  | 'log'
  | 'exec'
  | 'attach'
  | 'portforward'
  | 'proxy'
  | 'token'
  | 'finalize'
  | 'ephemeralcontainers'
  | 'approval';

/** One row. `T` ties the row to the shape of its objects, so that `client.get(PODS, …)` is a Pod. */
export interface Kind<Object extends T.KubeObject = T.KubeObject> {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The resource name in URLs: lower-case plural. */
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** `all` puts it into `kubectl get all` (feature 8-009). */
  readonly categories: readonly string[];
  readonly subresources: readonly Subresource[];
  /** The row whose storage this one is a view of; itself where undefined (events.k8s.io Events are stored as core Events). */
  readonly storedAs?: Kind;
  /** Between this row and the stored one; undefined where they differ in nothing but apiVersion. */
  readonly conversion?: Conversion;
  /** What every answer warns of (feature 8-010). */
  readonly deprecated?: string;
  /** The kind of a list, where it is not the kind with `List` behind it. */
  readonly listKind?: string;
  /** Of kinds that a CustomResourceDefinition defines: all that is code or table for the others. */
  readonly custom?: CustomBehaviour;
  /** Type only, never set. */
  readonly _object?: Object;
}

/** How objects of one version of a custom resource behave; made by `custom/kinds.ts` from the definition. */
export interface CustomBehaviour {
  readonly schema: JsonSchema;
  /** The version objects are stored in. */
  readonly storageVersion: string;
  /** The definition is being deleted: nothing new is made. */
  readonly isTerminating: boolean;
  readonly strategy: Strategy;
  readonly printer: Printer;
  /** `spec.color`, besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  /** Where the Scale finds its numbers, as lists of field names. */
  readonly scale?: {
    readonly specReplicas: readonly string[];
    readonly statusReplicas: readonly string[];
    readonly labelSelector?: readonly string[];
  };
  decode(raw: unknown, duplicateFields?: readonly string[]): Decoded;
  /** A stored object, of whatever version it was written in, as this version has it. May change what it is given. */
  fromStored(object: T.KubeObject): T.KubeObject;
  /** An object of this version in the version that is stored. */
  toStored(object: T.KubeObject): T.KubeObject;
}

type Row = [kind: string, plural: string, shortNames?: string, subresources?: string, categories?: string];

export function define<Object extends T.KubeObject = T.KubeObject>(
  groupVersion: string,
  scope: 'Namespaced' | 'Cluster',
  [kind, plural, shortNames = '', subresources = '', categories = '']: Row,
  more: Partial<Pick<Kind, 'storedAs' | 'conversion' | 'deprecated'>> = {},
): Kind<Object> {
  const slash = groupVersion.indexOf('/');
  const words = (text: string) => text.split(' ').filter((word) => word !== '');
  return Object.freeze({
    group: slash < 0 ? '' : groupVersion.slice(0, slash),
    version: groupVersion.slice(slash + 1),
    kind,
    plural,
    singular: kind.toLowerCase(),
    shortNames: words(shortNames),
    namespaced: scope === 'Namespaced',
    categories: words(categories),
    subresources: words(subresources) as Subresource[],
    ...more,
  });
}

/** `[since, until]`: the minor releases of Kubernetes 1 in which it was deprecated and in which it was gone. */
type Lifetime = readonly [since: number, until: number];

/** A row for an older version of a kind, which is stored as the present one. */
export function older(
  kind: Kind,
  groupVersion: string,
  [since, until]: Lifetime,
  conversion?: Conversion,
  successor = kind.kind,
): Kind {
  const [group = '', version = ''] = groupVersion.split('/');
  const stored = kind.storedAs ?? kind;
  // A short name that two groups claim makes kubectl warn, and a category that both are in lists everything twice.
  const moved = group !== kind.group && { shortNames: [], categories: [] };
  const { storedAs: _storedAs, conversion: _conversion, ...row } = kind;
  const deprecated = `${groupVersion} ${kind.kind} is deprecated in v1.${since}+, unavailable in v1.${until}+; use ${apiVersionOf(kind)} ${successor}`;
  return Object.freeze({
    ...row,
    ...moved,
    group,
    version,
    storedAs: stored,
    deprecated,
    ...(conversion && { conversion }),
  });
}

/** The row whose storage a kind uses: its own but for further versions and views. */
export function storedKind(kind: Kind): Kind {
  return kind.storedAs ?? kind;
}

/** `v1` for the core group, else `group/version`: the text of `apiVersion`. */
export function apiVersionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
