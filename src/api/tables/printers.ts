/** Which printer belongs to which kind; a kind without one shows NAME and AGE (feature 8-024). */
import type { Kind } from '../kinds.ts';
import { definePrinter, type Printer } from './printer.ts';

const plain = definePrinter([['Created At', 'date', (object) => object.metadata.creationTimestamp ?? null]]);

const printers = new Map<Kind, Printer>([]);

export function printerFor(kind: Kind): Printer {
  return printers.get(kind) ?? plain;
}
