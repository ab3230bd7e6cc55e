/** Server-side tables of custom resources: `additionalPrinterColumns`, or the age where there are none. */
import { humanDuration } from '../../lib/text.ts';
import type { Cell, ColumnDefinition } from '../column.ts';
import type { Printer } from '../tables/printer.ts';
import type { KubeObject } from '../types.ts';
import type { DefinitionVersion, PrinterColumn } from './definition.ts';
import { findAll, parseJsonPath, type JsonPath } from './json-path.ts';

const ageColumn: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'How long ago the object was made.',
  jsonPath: '.metadata.creationTimestamp',
};

const nameColumn: ColumnDefinition = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace. It is given when an object is created and never changes.',
  priority: 0,
};

/** Of one version of a definition. */
export function columnsPrinter({ additionalPrinterColumns }: DefinitionVersion): Printer {
  const columns = additionalPrinterColumns?.length ? additionalPrinterColumns : [ageColumn];
  const read = columns.map((column) => ({ type: column.type, path: parseJsonPath(column.jsonPath) }));
  return {
    columns: [nameColumn, ...columns.map(definitionOf)],
    cells: (object, now) => [object.metadata.name, ...read.map(({ type, path }) => cellOf(object, type, path, now))],
  };
}

function definitionOf({
  name,
  type,
  format = '',
  description,
  jsonPath,
  priority = 0,
}: PrinterColumn): ColumnDefinition {
  const text = description || `Custom resource definition column (in JSONPath format): ${jsonPath}`;
  return { name, type: type as ColumnDefinition['type'], format, description: text, priority };
}

function cellOf(object: KubeObject, type: string, path: JsonPath | undefined, now: number): Cell {
  const [value] = path ? findAll(object, path) : [];
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date': {
      const moment = typeof value === 'string' ? Date.parse(value) : NaN;
      return Number.isNaN(moment) ? '<invalid>' : humanDuration(now - moment);
    }
    default:
      return typeof value === 'string' ? value : JSON.stringify(value);
  }
}
