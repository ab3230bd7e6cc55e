/** Where cluster IPs come from, as the API's ServiceCIDR objects say; not every API server has them (3-002, 1-112). */
import { ApiError, isNotFound } from '../api/api-error.ts';
import { SERVICE_CIDRS } from '../api/kinds.ts';
import type { ServiceCIDR } from '../api/types.ts';
import type { Client, Informer } from '../client/client.ts';
import { startInformer } from '../client/informer.ts';
import { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

/** ms between questions that stay without an answer: the first rules wait for it. */
const UNANSWERED = 1000;

export class ServiceCIDRWatch {
  /** Resolves when it is known what there is, or that the API server will not tell now; never rejects. */
  readonly looked: Promise<void>;
  readonly #backoff = new Backoff({ initial: 100, max: 300_000 });
  readonly #found = Promise.withResolvers<undefined>();
  readonly #clock: Clock;
  #informer: Informer<ServiceCIDR> | undefined;
  #cancel = () => {};
  #stopped = false;

  constructor(client: Client, log: Log, clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.looked = this.#found.promise;
    void this.#start(client, log, onChange);
  }

  ranges(): readonly string[] {
    return (this.#informer?.list() ?? []).flatMap((one) => one.spec.cidrs ?? []);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#informer?.stop();
  }

  /** Asked for before it is watched: an informer would ask for ever where the answer is that there is no such kind. */
  async #start(client: Client, log: Log, onChange: () => void): Promise<void> {
    if (this.#stopped) return;
    try {
      await client.list(SERVICE_CIDRS, { limit: 1 });
    } catch (error) {
      // without any answer there are no Services either, and nothing is written that could be wrong
      const isAnswer = error instanceof ApiError;
      if (isAnswer) this.#found.resolve(undefined);
      if (isNotFound(error)) {
        log.debug({ err: error }, 'this API server has no ServiceCIDR objects');
        return;
      }
      const wait = isAnswer ? this.#backoff.next() : UNANSWERED;
      this.#cancel = this.#clock.after(wait, () => void this.#start(client, log, onChange), true);
      return;
    }
    if (this.#stopped) return;
    this.#informer = startInformer(client, SERVICE_CIDRS, {}, log, { clock: this.#clock });
    this.#informer.onChange(onChange);
    await this.#informer.synced;
    this.#found.resolve(undefined);
  }
}
