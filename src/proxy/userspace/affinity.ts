/** Which endpoint a client was given (3-133). Shared by all relays of one Service port; there is none where the Service asks for none. */

interface Given {
  readonly endpoint: string;
  usedAt: number;
}

/** More clients than this at a time: whoever was away longest is forgotten, rather than memory filled. */
const MOST_CLIENTS = 65_536;

const elapsed = (): number => performance.now();

export class Affinity {
  /** ms. */
  #patience: number;
  readonly #now: () => number;
  /** Client IP -> what it was given, whoever was away longest first. */
  readonly #clients = new Map<string, Given>();

  /** `now` in ms, from any start. */
  constructor(seconds: number, now: () => number = elapsed) {
    this.#patience = seconds * 1000;
    this.#now = now;
  }

  /** What a Service is to have that had `known` and now asks for this: who is remembered stays so, under the new time. */
  static for(seconds: number | undefined, known: Affinity | undefined): Affinity | undefined {
    if (seconds === undefined) return undefined;
    if (!known) return new Affinity(seconds);
    known.#patience = seconds * 1000;
    return known;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** `ip:port` of the endpoint, while less time has gone by than the Service allows. */
  endpointOf(client: string): string | undefined {
    this.#expire();
    return this.#clients.get(client)?.endpoint;
  }

  remember(client: string, endpoint: string): void {
    // last in the map is last in use
    this.#clients.delete(client);
    this.#clients.set(client, { endpoint, usedAt: this.#now() });
    if (this.#clients.size > MOST_CLIENTS) for (const first of this.#clients.keys()) return this.forget(first);
  }

  forget(client: string): void {
    this.#clients.delete(client);
  }

  #expire(): void {
    const now = this.#now();
    for (const [client, { usedAt }] of this.#clients) {
      if (now - usedAt < this.#patience) return;
      this.#clients.delete(client);
    }
  }
}
