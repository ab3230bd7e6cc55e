/** APIServices. */
import type { APIService } from '../types.ts';
import { age } from './cells.ts';
import { definePrinter } from './printer.ts';

function available({ status }: APIService): string {
  const condition = status?.conditions?.find(({ type }) => type === 'Available');
  if (!condition) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
}

export const apiServicePrinter = definePrinter<APIService>([
  [
    'Service',
    'string',
    ({ spec }) => (spec?.service ? `${spec.service.namespace ?? ''}/${spec.service.name ?? ''}` : 'Local'),
  ],
  ['Available', 'string', available],
  ['Age', 'string', age],
]);
