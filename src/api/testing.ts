/** For tests: takes a manifest through the write path as the API server does, without the server. */
import { parse } from 'yaml';
import { decodeObject } from './decode.ts';
import { fieldErrorMessage } from './field-error.ts';
import { apiVersionOf, type Kind } from './kinds.ts';
import { strategyFor } from './strategies.ts';
import type { KubeObject } from './types.ts';
import { fromVersion } from './versions/convert.ts';

export const testUid = '11111111-2222-4333-8444-555555555555';
/** When every object of the tests was made. */
export const testTime = '2026-11-20T12:00:00Z';

/** YAML of one object, without apiVersion and kind, as it would be stored; `metadata` may be left out. */
export function manifest<T extends KubeObject>(kind: Kind<T>, yaml: string): T {
  const raw = (parse(yaml) as Record<string, unknown> | null) ?? {};
  const metadata = { name: 'it', ...(kind.namespaced && { namespace: 'default' }), ...(raw['metadata'] as object) };
  const { object } = decodeObject(kind as Kind, { apiVersion: apiVersionOf(kind), kind: kind.kind, ...raw, metadata });
  return fromVersion(object, kind) as T;
}

/** Default, prepare and validate: the stored object and what was wrong, as `path: message`. */
export function create<T extends KubeObject>(kind: Kind<T>, yaml: string): { object: T; errors: string[] } {
  const object = manifest(kind, yaml);
  Object.assign(object.metadata, { uid: testUid, creationTimestamp: testTime });
  const strategy = strategyFor(kind);
  strategy.applyDefaults(object);
  strategy.prepareForCreate(object);
  return { object, errors: strategy.validate(object).map(fieldErrorMessage) };
}

/** A stored object of a manifest that must be right. */
export function stored<T extends KubeObject>(kind: Kind<T>, yaml: string): T {
  const { object, errors } = create(kind, yaml);
  if (errors.length > 0) throw new Error(`the test's own manifest is wrong: ${errors.join(', ')}`);
  return object;
}

/** PUT of a changed copy of `old`. */
export function update<T extends KubeObject>(
  kind: Kind<T>,
  old: T,
  change: (object: T) => void,
): { object: T; errors: string[] } {
  const object = structuredClone(old);
  change(object);
  const strategy = strategyFor(kind);
  strategy.applyDefaults(object);
  strategy.prepareForUpdate(object, old);
  return { object, errors: strategy.validateUpdate(object, old).map(fieldErrorMessage) };
}
