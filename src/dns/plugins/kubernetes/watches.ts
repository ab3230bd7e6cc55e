/** Watches of one API server that blocks, and Corefiles one after the other, share. */
import type { Kind } from '../../../api/kinds.ts';
import type { KubeObject } from '../../../api/types.ts';
import type { Change, Client, Informer, InformerOptions } from '../../../client/client.ts';
import { startInformer } from '../../../client/informer.ts';
import type { Dependency, Runtime } from '../../plugin.ts';
import type { ConnectionSource } from './connection.ts';
import { keepTrue } from './keep-true.ts';
import { Shared, type Held } from './shared.ts';

export interface Watch<T extends KubeObject> {
  readonly informer: Informer<T>;
  /** ms since the epoch. */
  changedAt: number;
}

const pools = new WeakMap<Runtime, Shared>();

function poolOf(runtime: Runtime): Shared {
  const pool = pools.get(runtime) ?? new Shared();
  pools.set(runtime, pool);
  return pool;
}

export class Watches {
  readonly #runtime: Runtime;
  readonly #source: ConnectionSource;
  readonly #client: Client;
  readonly #held: Held<unknown>[] = [];

  constructor(runtime: Runtime, source: ConnectionSource) {
    this.#runtime = runtime;
    this.#source = source;
    this.#client = this.share('connection', () => source.open(runtime));
  }

  /** Of all who share it the first opens it. @param what tells it from everything else at this API server */
  share<T>(what: string, open: () => { readonly value: T; readonly close: () => void }): T {
    const held = poolOf(this.#runtime).acquire(JSON.stringify([this.#source.key, what]), open);
    this.#held.push(held);
    return held.value;
  }

  /**
   * Announces what a change makes untrue before anything can be answered from it: both happen in one turn of the event loop.
   * @param variant tells apart watches that keep different things of the same objects
   */
  open<T extends KubeObject>(
    kind: Kind<T>,
    changed: (change: Change<T>) => readonly (Dependency | undefined)[],
    options: InformerOptions<T>,
    variant = '',
  ): Watch<T> {
    const { labelSelector = '', fieldSelector = '' } = options;
    const { clock, log, changes } = this.#runtime;
    return this.share(`watch ${kind.plural} ${variant}?${labelSelector}&${fieldSelector}`, () => {
      const informer = startInformer(this.#client, kind, options, log, { clock });
      const value: Watch<T> = { informer, changedAt: clock.now() };
      informer.onChange((change) => {
        value.changedAt = clock.now();
        // Before the first list is complete nothing is answered from it.
        if (informer.hasSynced) for (const dependency of changed(change)) changes.announce(dependency);
      });
      const stopChecking = keepTrue(this.#runtime, { client: this.#client, kind, informer, selection: options });
      return {
        value,
        close: () => {
          stopChecking();
          informer.stop();
        },
      };
    });
  }

  /** What nobody else holds ends. */
  release(): void {
    // The connection, which came first, goes last.
    for (const held of this.#held.splice(0).reverse()) held.release();
  }
}
