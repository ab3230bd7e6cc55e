/**
 * Keeps the served kinds in step with the CustomResourceDefinitions in memory. It happens inside the very step that takes a definition in,
 * so an object of a new kind, which can only be written later, always finds its place.
 */
import { createHash } from 'node:crypto';
import { isTrue, type CustomResourceDefinition } from '../api/custom/definition.ts';
import { kindsOf, type DefinedKinds } from '../api/custom/kinds.ts';
import { KINDS, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import type { KindCache } from './kind-cache.ts';
import type { ServedKinds } from './served-kinds.ts';

/** Where objects of the kinds are kept. */
interface Storage {
  define(kind: Kind): void;
  remove(kind: Kind): void;
}

/** Takes in all that is there, then every change. */
export function followDefinitions(definitions: KindCache, served: ServedKinds, storage: Storage): void {
  const known = new Map<string, { kinds: DefinedKinds; text: string }>();
  const take = (object: KubeObject): void => {
    const definition = object as CustomResourceDefinition;
    const { name } = definition.metadata;
    const text = essence(definition);
    const present = known.get(name);
    if (present?.text === text) {
      present.kinds.state.isTerminating = definition.metadata.deletionTimestamp !== undefined;
      return;
    }
    const kinds = isBuiltIn(definition) ? undefined : kindsOf(definition);
    if (!kinds) return;
    known.set(name, { kinds, text });
    served.define(name, kinds);
    storage.define(kinds.stored);
  };
  for (const { object } of definitions.range('')) take(object);
  definitions.listeners.add(({ type, entry }) => {
    if (type === 'put') {
      take(entry.object);
      return;
    }
    const { name } = entry.object.metadata;
    const gone = known.get(name);
    known.delete(name);
    served.define(name, undefined);
    if (gone) storage.remove(gone.kinds.stored);
  });
}

/** What the table of kinds has cannot be defined again, in whatever version: it would share the place of the objects. */
function isBuiltIn({ spec }: CustomResourceDefinition): boolean {
  return KINDS.some(({ group, plural }) => group === spec.group && plural === spec.names.plural);
}

/** What the kinds follow from: a change of anything else leaves them, and their watchers, alone. */
function essence(definition: CustomResourceDefinition): string {
  const { spec, status } = definition;
  const text = JSON.stringify([spec, status?.acceptedNames, isTrue(definition, 'Established')]);
  // Its hash, as a definition may be a megabyte of schema.
  return createHash('sha256').update(text).digest('base64');
}
