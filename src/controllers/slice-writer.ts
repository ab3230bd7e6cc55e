/** Carries out a slice plan and guards it against a copy that is behind: the shell that both slice controllers share. */
import { ENDPOINT_SLICES } from '../api/kinds.ts';
import type { EndpointSlice } from '../api/types.ts';
import type { Change } from '../client/client.ts';
import { ignoreNotFound, unlessTerminating } from './api-outcomes.ts';
import { index, type IndexDefinition, type View } from './loop.ts';
import type { SlicePlan } from './slice-plan.ts';
import { WriteTracker } from './write-tracker.ts';

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
export const SLICE_MANAGER_LABEL = 'endpointslice.kubernetes.io/managed-by';

/** Finds slices by the Service they belong to and who manages them. */
export const sliceIndexes: readonly IndexDefinition[] = [
  index(ENDPOINT_SLICES, {
    service: ({ metadata }) => [
      sliceKey(
        serviceKeyOf(metadata.namespace ?? '', metadata.labels?.[SERVICE_NAME_LABEL] ?? ''),
        metadata.labels?.[SLICE_MANAGER_LABEL] ?? '',
      ),
    ],
  }),
];

const serviceKeyOf = (namespace: string, name: string) => `${namespace}/${name}`;
const sliceKey = (serviceKey: string, manager: string) => `${serviceKey} ${manager}`;

export class SliceWriter {
  readonly #manager: string;
  readonly #tracker = new WriteTracker();
  /** Keys put off because the copy was behind: any event of their slices makes them due. */
  readonly #waiting = new Set<string>();

  constructor(manager: string) {
    this.#manager = manager;
  }

  /** The trigger for slices: the Service's key, unless the event is the echo of our own write. Others' slices never count (2-063). */
  keysOfChange(change: Change<EndpointSlice>): string[] {
    const slices = change.type === 'updated' ? [change.old, change.object] : [change.object];
    const keys = slices
      .filter(({ metadata }) => metadata.labels?.[SLICE_MANAGER_LABEL] === this.#manager)
      .map(({ metadata }) => serviceKeyOf(metadata.namespace ?? '', metadata.labels?.[SERVICE_NAME_LABEL] ?? ''));
    return [...new Set(keys)].filter((key) => {
      if (change.type === 'deleted') this.#tracker.sawRemoval(key, change.object);
      return this.#waiting.has(key) || !this.#tracker.isOwnEcho(key, change.object);
    });
  }

  /** This manager's slices of a Service; undefined where the copy is behind our own writes: look again after the next event. */
  slicesOf(key: string, view: View): EndpointSlice[] | undefined {
    const slices = view.byIndex(ENDPOINT_SLICES, 'service', sliceKey(key, this.#manager));
    if (this.#tracker.isFresh(key, slices, view.clock.now())) {
      this.#waiting.delete(key);
      return slices.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    }
    this.#waiting.add(key);
    return undefined;
  }

  /** Creates before it removes, so that no moment is without the endpoints that move. */
  async apply(key: string, plan: SlicePlan, view: View): Promise<void> {
    const { client, clock } = view;
    for (const slice of plan.create) {
      const created = await unlessTerminating(client.create(ENDPOINT_SLICES, slice));
      if (created) this.#tracker.wrote(key, created, clock.now());
    }
    for (const slice of plan.update) {
      this.#tracker.wrote(key, await client.update(ENDPOINT_SLICES, slice), clock.now());
    }
    for (const slice of plan.remove) {
      const { name, namespace, uid } = slice.metadata;
      await ignoreNotFound(
        client.delete(ENDPOINT_SLICES, name, namespace, uid === undefined ? {} : { preconditions: { uid } }),
      );
      this.#tracker.removed(key, slice, clock.now());
    }
  }

  forget(key: string): void {
    this.#tracker.forget(key);
    this.#waiting.delete(key);
  }
}
