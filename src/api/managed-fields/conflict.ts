/** The refusal of an apply that would take fields from others (feature 8-070), in the words kubectl prints. */
import { ApiError } from '../api-error.ts';
import { paths, type FieldSet } from './field-set.ts';
import type { Manager } from './managers.ts';
import { formatPath } from './path-element.ts';

/** Fields of another manager that an apply would change. */
export interface Conflict {
  readonly manager: Manager;
  readonly fields: FieldSet;
}

/** 409 with one cause per field. */
export function applyConflict(conflicts: readonly Conflict[]): ApiError {
  const sorted = [...conflicts].sort((a, b) => (describeManager(a.manager) < describeManager(b.manager) ? -1 : 1));
  const all = sorted.flatMap(({ manager, fields }) =>
    [...paths(fields)].map((path) => ({ manager: describeManager(manager), path: formatPath(path) })),
  );
  return new ApiError({
    code: 409,
    reason: 'Conflict',
    message: messageOf(all),
    details: {
      causes: all.map(({ manager, path }) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${manager}`,
        field: path,
      })),
    },
  });
}

function messageOf(all: readonly { manager: string; path: string }[]): string {
  const [only] = all;
  if (only && all.length === 1) return `Apply failed with 1 conflict: conflict with ${only.manager}: ${only.path}`;
  const byManager = Map.groupBy(all, ({ manager }) => manager);
  const texts = [...byManager].flatMap(([manager, fields]) => [
    `conflicts with ${manager}:`,
    ...fields.map(({ path }) => `- ${path}`),
  ]);
  return `Apply failed with ${String(all.length)} conflicts: ${texts.join('\n')}`;
}

/** Appliers by name; updaters with their version. */
function describeManager({ name, operation, apiVersion, subresource }: Manager): string {
  const under = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(name)}${under}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
}
