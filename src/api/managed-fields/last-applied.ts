/**
 * The way from `kubectl apply` to `kubectl apply --server-side` (feature 8-073): what the client applied before stands in an annotation, and
 * taking over a field that still is as it was applied there is no conflict.
 */
import { compare } from './compare.ts';
import { ConfigProblem, configSet } from './config-set.ts';
import { difference, EMPTY, type FieldSet } from './field-set.ts';
import { isRecord, type Json, type MergeSchema } from './merge-schema.ts';
import { tracked } from './tracked.ts';
import type { Writer } from './update.ts';

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
/** Only kubectl's own manager takes part, so that any other name opts out. */
const KUBECTL = 'kubectl';

/** Fields that stand in the annotation and still are as they stand there. */
export function allowedByLastApplied(schema: MergeSchema, live: Json, { name, part }: Writer): FieldSet {
  const text = name === KUBECTL ? annotations(live)?.[ANNOTATION] : undefined;
  if (typeof text !== 'string') return EMPTY;
  try {
    const last: unknown = JSON.parse(text);
    if (!isRecord(last)) return EMPTY;
    const then = tracked(last, part);
    const { added, modified, removed } = compare(schema, then, tracked(live, part));
    return [added, modified, removed].reduce<FieldSet>(
      (left, set) => (set ? difference(left, set) : left),
      configSet(schema, then),
    );
  } catch (error) {
    // Anybody may write annotations: one that makes no sense allows nothing.
    if (error instanceof SyntaxError || error instanceof ConfigProblem) return EMPTY;
    throw error;
  }
}

/** Keeps the annotation of an object that has one true, so that a later `kubectl apply` without `--server-side` knows what was applied. */
export function updateLastApplied(object: Json, config: Json, { name, subresource }: Writer): Json {
  const present = annotations(object);
  if (name !== KUBECTL || subresource !== '' || typeof present?.[ANNOTATION] !== 'string') return object;
  const { metadata, ...rest } = config;
  const { annotations: given, ...meta } = isRecord(metadata) ? metadata : {};
  const { [ANNOTATION]: _last, ...others } = isRecord(given) ? given : {};
  const text = `${JSON.stringify({ ...rest, metadata: { ...meta, annotations: others } })}\n`;
  return {
    ...object,
    metadata: { ...(object['metadata'] as Json), annotations: { ...present, [ANNOTATION]: text } },
  };
}

function annotations(object: Json): Json | undefined {
  const { metadata } = object;
  const found = isRecord(metadata) ? metadata['annotations'] : undefined;
  return isRecord(found) ? found : undefined;
}
