/** PriorityClasses. */
import type { PriorityClass } from '../types.ts';
import { age } from './cells.ts';
import { definePrinter } from './printer.ts';

export const priorityClassPrinter = definePrinter<PriorityClass>([
  ['Value', 'integer', ({ value }) => value],
  ['Global-Default', 'boolean', ({ globalDefault }) => globalDefault ?? false],
  ['Age', 'string', age],
  ['PreemptionPolicy', 'string', ({ preemptionPolicy }) => preemptionPolicy ?? ''],
]);
