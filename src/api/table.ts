/** Server-side tables: what `kubectl get` prints (features 8-020 to 8-042). Columns and cells per kind are in `tables/`. */
import type { Cell, ColumnDefinition } from './column.ts';
import { storedKind, type Kind } from './kinds.ts';
import { printerFor } from './tables/printers.ts';
import type { KubeObject, List } from './types.ts';
import { toVersion } from './versions/convert.ts';

export interface TableRow {
  cells: Cell[];
  object?: unknown;
}

export interface Table {
  kind: 'Table';
  apiVersion: 'meta.k8s.io/v1';
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
  columnDefinitions: ColumnDefinition[];
  rows: TableRow[];
}

/** How much of the object each row carries (feature 8-021). */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

/**
 * A Table of these objects, given as stored. `now` is in milliseconds and only serves the ages. The caller sets `metadata` of a list;
 * a single object's table carries that object's resourceVersion.
 */
export function toTable(
  kind: Kind,
  objects: readonly KubeObject[],
  now: number,
  includeObject: IncludeObject = 'Metadata',
  listMetadata?: List['metadata'],
): Table {
  const printer = printerFor(storedKind(kind));
  const only = objects.length === 1 ? objects[0]?.metadata.resourceVersion : undefined;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMetadata ? { ...listMetadata } : only ? { resourceVersion: only } : {},
    columnDefinitions: printer.columns,
    rows: objects.map((object) => ({
      cells: printer.cells(object, now),
      ...(includeObject !== 'None' && {
        object: includeObject === 'Object' ? toVersion(object, kind) : partialMetadata(object),
      }),
    })),
  };
}

/** The object as PartialObjectMetadata: metadata alone. */
export function partialMetadata(object: KubeObject): {
  kind: string;
  apiVersion: string;
  metadata: KubeObject['metadata'];
} {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
