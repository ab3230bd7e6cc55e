/** The kinds whose objects the garbage collector follows: those of the table, and those that definitions add while it runs. */
import { kindsOf } from '../api/custom/kinds.ts';
import type { CustomResourceDefinition } from '../api/custom/definition.ts';
import { EVENTS, KINDS, kindByApiVersion, resourceNameOf, storedKind, type Kind } from '../api/kinds.ts';
import type { Meta } from '../api/types.ts';
import type { Change } from '../client/client.ts';
import type { Trigger, View } from './loop.ts';

/** Events are left out: nobody owns them and there are many. */
export const builtInKinds: readonly Kind[] = KINDS.filter((kind) => !kind.storedAs && kind !== EVENTS);

/** The row of a definition's objects by which they are read: the stored version, or else the preferred one. */
export function readableKind(definition: CustomResourceDefinition): Kind | undefined {
  const kinds = kindsOf(definition);
  return kinds?.served.find((kind) => kind === kinds.stored) ?? kinds?.served[0];
}

interface Followed {
  readonly kind: Kind;
  readonly ready: Promise<void>;
  stop(): void;
}

export class CollectedKinds {
  readonly #byResource = new Map(builtInKinds.map((kind) => [resourceNameOf(kind), kind]));
  readonly #custom = new Map<string, Followed>();

  get all(): Kind[] {
    return [...this.#byResource.values()];
  }

  /** @param name `pods`, `deployments.apps` */
  byResource(name: string): Kind | undefined {
    return this.#byResource.get(name);
  }

  /** Whatever version the reference names. Undefined: not a kind that is followed. */
  ofOwner({ apiVersion, kind }: Meta.OwnerReference): Kind | undefined {
    const known = kindByApiVersion(apiVersion, kind);
    const stored = known && storedKind(known);
    if (stored) return builtInKinds.includes(stored) ? stored : undefined;
    const group = apiVersion.split('/')[0];
    return [...this.#custom.values()].find((each) => each.kind.group === group && each.kind.kind === kind)?.kind;
  }

  /** The objects of every kind are there: without them an owner could seem to have no dependents. */
  async ready(): Promise<void> {
    for (const { ready } of this.#custom.values()) await ready;
  }

  /** Takes a change of a definition in. */
  take({ type, object }: Change<CustomResourceDefinition>, view: View, triggerOf: (kind: Kind) => Trigger): void {
    const { name } = object.metadata;
    const kind = type === 'deleted' ? undefined : readableKind(object);
    const present = this.#custom.get(name);
    if (present && kind?.version === present.kind.version) return;
    if (present) {
      present.stop();
      this.#custom.delete(name);
      this.#byResource.delete(resourceNameOf(present.kind));
    }
    if (!kind || this.#byResource.has(resourceNameOf(kind))) return;
    this.#byResource.set(resourceNameOf(kind), kind);
    this.#custom.set(name, { kind, ...view.follow(triggerOf(kind)) });
  }
}
