/** Leases that let keys go by themselves. One serves all keys of a minute: a lease of its own for every Event would double their cost. */
import { randomInt } from 'node:crypto';
import type { EtcdClient } from './client.ts';

/** How long one lease is given to new keys, seconds: a key lives for its time and at most this much longer. */
const SHARED_FOR = 60;
/** A lease whose end would delete more than this at once is left to those who have it. */
const MOST_KEYS = 500;
/** Ours, so that they are whole numbers in JavaScript; etcd's own have 63 bits. */
const LARGEST_ID = 2 ** 48 - 1;

interface Lease {
  readonly id: Promise<number>;
  readonly until: number;
  keys: number;
}

export class Leases {
  readonly #client: EtcdClient;
  readonly #byTtl = new Map<number, Lease>();

  constructor(client: EtcdClient) {
    this.#client = client;
  }

  /** @param ttl seconds */
  async forKey(ttl: number): Promise<number> {
    let lease = this.#byTtl.get(ttl);
    if (!lease || lease.until < performance.now() || lease.keys >= MOST_KEYS) {
      // Asked for twice after a lost answer, the first one expires unused.
      const id = randomInt(1, LARGEST_ID);
      const granted = this.#client
        .call<{ id: number }>('Lease/LeaseGrant', { ttl: ttl + SHARED_FOR, id }, false)
        .then((answer) => answer.id);
      lease = { id: granted, until: performance.now() + SHARED_FOR * 1000, keys: 0 };
      this.#byTtl.set(ttl, lease);
      granted.catch(() => {
        this.forget();
      });
    }
    lease.keys += 1;
    return await lease.id;
  }

  /** After one was found to be gone, or could not be had. */
  forget(): void {
    this.#byTtl.clear();
  }
}
