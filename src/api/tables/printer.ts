/** The little language the printers are written in: a column is a name, a type and how to read its cell. */
import type { Cell, ColumnDefinition } from '../column.ts';
import type { KubeObject } from '../types.ts';

export interface Printer {
  readonly columns: ColumnDefinition[];
  cells(object: KubeObject, now: number): Cell[];
}

/** A trailing '*' on the name makes the column appear with `-o wide` only. */
export type Column<T extends KubeObject> = readonly [
  name: string,
  type: ColumnDefinition['type'],
  cell: (object: T, now: number) => Cell,
];

const nameDescription =
  'Name must be unique within a namespace. It is given when an object is created and never changes.';

/** Every table begins with the name, so it is not listed; unless `withName` is false, for Events whose name comes last. */
export function definePrinter<T extends KubeObject>(columns: readonly Column<T>[], withName = true): Printer {
  const nameColumn: Column<T> = ['Name', 'string', (object) => object.metadata.name];
  const all = withName ? [nameColumn, ...columns] : columns;
  return {
    columns: all.map(([name, type]) => {
      const bare = name.replace(/\*$/, '');
      return {
        name: bare,
        type,
        format: bare === 'Name' ? 'name' : '',
        description: bare === 'Name' ? nameDescription : `${bare} of the object.`,
        priority: bare === name ? 0 : 1,
      };
    }),
    // A printer is only ever handed objects of the kind it is registered for.
    cells: (object, now) => all.map(([, , cell]) => cell(object as T, now)),
  };
}
