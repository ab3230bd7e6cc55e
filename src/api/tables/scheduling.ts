/** PriorityClasses and RuntimeClasses. */
import type { PriorityClass, RuntimeClass } from '../types.ts';
import { age } from './cells.ts';
import { definePrinter } from './printer.ts';

export const priorityClassPrinter = definePrinter<PriorityClass>([
  ['Value', 'integer', ({ value }) => value],
  ['Global-Default', 'boolean', ({ globalDefault }) => globalDefault ?? false],
  ['Age', 'string', age],
  ['PreemptionPolicy', 'string', ({ preemptionPolicy }) => preemptionPolicy ?? ''],
]);

export const runtimeClassPrinter = definePrinter<RuntimeClass>([
  ['Handler', 'string', ({ handler }) => handler],
  ['Age', 'string', age],
]);
