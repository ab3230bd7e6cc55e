/** Which endpoint a client was given (3-133). Shared by all relays of one Service port. */

interface Given {
  readonly endpoint: string;
  usedAt: number;
}

/** More clients than this at a time: whoever was away longest is forgotten, rather than memory filled. */
const MOST_CLIENTS = 65_536;

export class Affinity {
  /** ms; undefined: nobody is remembered. */
  #patience: number | undefined;
  readonly #now: () => number;
  /** Client IP -> what it was given, whoever was away longest first. */
  readonly #clients = new Map<string, Given>();

  /** `now` in ms, from any start. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get isOn(): boolean {
    return this.#patience !== undefined;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Other times hold for clients already here as well; undefined forgets them. */
  setSeconds(seconds: number | undefined): void {
    this.#patience = seconds === undefined ? undefined : seconds * 1000;
    if (seconds === undefined) this.#clients.clear();
  }

  /** `ip:port` of the endpoint, while less time has gone by than the Service allows. */
  endpointOf(client: string): string | undefined {
    this.#expire();
    return this.#clients.get(client)?.endpoint;
  }

  remember(client: string, endpoint: string): void {
    if (this.#patience === undefined) return;
    // last in the map is last in use
    this.#clients.delete(client);
    this.#clients.set(client, { endpoint, usedAt: this.#now() });
    if (this.#clients.size > MOST_CLIENTS) for (const first of this.#clients.keys()) return this.forget(first);
  }

  forget(client: string): void {
    this.#clients.delete(client);
  }

  #expire(): void {
    const patience = this.#patience ?? 0;
    const now = this.#now();
    for (const [client, { usedAt }] of this.#clients) {
      if (now - usedAt < patience) return;
      this.#clients.delete(client);
    }
  }
}
