/** Where cluster IPs come from, as the API's ServiceCIDR objects say; not every API server has them (3-002, 1-112). */
import { SERVICE_CIDRS } from '../api/kinds.ts';
import type { ServiceCIDR } from '../api/types.ts';
import type { Client, Informer } from '../client/client.ts';
import { startInformer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

export class ServiceCIDRWatch {
  /** Resolves when it is known what there is; never rejects. */
  readonly looked: Promise<void>;
  #hasLooked = false;
  #informer: Informer<ServiceCIDR> | undefined;
  #stopped = false;

  constructor(client: Client, log: Log, clock: Clock, onChange: () => void) {
    this.looked = this.#start(client, log, clock, onChange);
  }

  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  ranges(): readonly string[] {
    return (this.#informer?.list() ?? []).flatMap((one) => one.spec.cidrs ?? []);
  }

  stop(): void {
    this.#stopped = true;
    this.#informer?.stop();
  }

  /** Asked once before it is watched: an informer would ask for ever where the answer is that there is no such kind. */
  async #start(client: Client, log: Log, clock: Clock, onChange: () => void): Promise<void> {
    try {
      await client.list(SERVICE_CIDRS, { limit: 1 });
      if (this.#stopped) return;
      this.#informer = startInformer(client, SERVICE_CIDRS, {}, log, { clock });
      await this.#informer.synced;
      this.#informer.onChange(onChange);
    } catch (error) {
      log.debug({ err: error }, 'no ServiceCIDR objects can be read here');
    } finally {
      this.#hasLooked = true;
    }
  }
}
