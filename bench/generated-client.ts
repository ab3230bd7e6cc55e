/** An API that makes its objects when they are listed and keeps none: what is measured is the proxy, not a store in the same process. */
import { ENDPOINT_SLICES, SERVICES, type Kind } from '../src/api/kinds.ts';
import type { KubeObject, List, WatchEvent } from '../src/api/types.ts';
import type { Client, WatchOptions } from '../src/client/client.ts';

type Event = Exclude<WatchEvent<KubeObject>, { type: 'ERROR' }>;

export class GeneratedClient implements Client {
  readonly #objects: (kind: Kind) => Iterable<KubeObject>;
  readonly #queues = new Map<Kind, Set<(event: Event) => void>>();
  #version = 1;

  constructor(objects: (kind: Kind) => Iterable<KubeObject>) {
    this.#objects = objects;
  }

  /** Every watch of the kind sees the object changed. */
  change(kind: Kind, object: KubeObject): void {
    const event = { type: 'MODIFIED', object: this.#stamped(object) } as Event;
    for (const push of this.#queues.get(kind) ?? []) push(event);
  }

  list<T extends KubeObject>(kind: Kind<T>): Promise<List<T>> {
    const isServed = (kind as Kind) === (SERVICES as Kind) || (kind as Kind) === (ENDPOINT_SLICES as Kind);
    const items = isServed ? [...this.#objects(kind as Kind)].map((one) => this.#stamped(one)) : [];
    return Promise.resolve({ items, metadata: { resourceVersion: '1' } } as unknown as List<T>);
  }

  async *watch<T extends KubeObject>(kind: Kind<T>, { signal }: WatchOptions = {}) {
    const waiting: Event[] = [];
    let wake = () => {};
    const push = (event: Event) => {
      waiting.push(event);
      wake();
    };
    const queues = this.#queues.get(kind as Kind) ?? new Set();
    this.#queues.set(kind as Kind, queues);
    queues.add(push);
    signal?.addEventListener('abort', () => {
      wake();
    });
    while (signal?.aborted !== true) {
      const event = waiting.shift();
      if (event) yield event as Exclude<WatchEvent<T>, { type: 'ERROR' }>;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    queues.delete(push);
  }

  get(): Promise<never> {
    return refuse();
  }
  create(): Promise<never> {
    return refuse();
  }
  update(): Promise<never> {
    return refuse();
  }
  patch(): Promise<never> {
    return refuse();
  }
  delete(): Promise<never> {
    return refuse();
  }

  #stamped(object: KubeObject): KubeObject {
    const version = String(++this.#version);
    return { ...object, metadata: { ...object.metadata, uid: object.metadata.name, resourceVersion: version } };
  }
}

const refuse = (): Promise<never> => Promise.reject(new Error('a GeneratedClient only lists and watches'));
