/**
 * Of several processes one acts at a time: the one whose name is in a Lease and who renews it, as client-go's leader election does. A lease
 * counts as given up once it has not changed for its duration *as seen here*: clocks of different machines are never compared.
 */
import { isNotFound } from '../api/api-error.ts';
import { LEASES } from '../api/kinds.ts';
import type { Lease } from '../api/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Client } from './client.ts';

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly namespace: string;
  readonly name: string;
  /** Of this process, different from every other's. */
  readonly identity: string;
  /** Milliseconds, as kube-controller-manager's flags: 15 s, 10 s and 2 s where absent. */
  readonly leaseDuration?: number;
  /** A leader that could not renew for so long stops: well before others may begin. */
  readonly renewDeadline?: number;
  readonly retryPeriod?: number;
  /** Begins to act; answers how to stop. */
  readonly lead: () => { stop(): Promise<void> };
}

/** What was last seen of the lease, and since when it has been so. */
export interface Observed {
  readonly version: string;
  readonly since: number;
}

/** `wait`: somebody else leads. Pure. */
export function decideLease(
  lease: Lease | undefined,
  observed: Observed | undefined,
  now: number,
  identity: string,
): 'create' | 'take' | 'renew' | 'wait' {
  if (!lease) return 'create';
  const holder = lease.spec?.holderIdentity ?? '';
  if (holder === identity) return 'renew';
  if (holder === '') return 'take';
  const unchanged = observed?.version === lease.metadata.resourceVersion;
  const duration = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
  return observed && unchanged && now >= observed.since + duration ? 'take' : 'wait';
}

/** RFC 3339 with microseconds (metav1.MicroTime). */
const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

export class LeaderElection {
  readonly #options: Required<LeaderElectionOptions>;
  #observed: Observed | undefined;
  /** How to stop what this process does as the leader. */
  #acting: { stop(): Promise<void> } | undefined;
  #renewed = 0;
  #cancel: () => void = () => undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  /** Begins to try at once. */
  constructor(options: LeaderElectionOptions) {
    this.#options = { leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2000, ...options };
    this.#next(0);
  }

  /** This process acts. */
  get leading(): boolean {
    return this.#acting !== undefined;
  }

  /** Stops acting, then gives the lease up so that another can take it at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#round;
    const led = this.#acting !== undefined;
    await this.#resign();
    if (!led) return;
    await this.#release().catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'the lease was not given up: it has to run out');
    });
  }

  #next(wait: number): void {
    const { clock, retryPeriod } = this.#options;
    this.#cancel = clock.after(wait, () => {
      this.#round = this.#try().finally(() => {
        if (!this.#stopped) this.#next(retryPeriod);
      });
    });
  }

  /** One round, never rejects. A hanging one must not keep a leader beyond its time: see the deadline. */
  async #try(): Promise<void> {
    const { clock, renewDeadline, retryPeriod, log, name } = this.#options;
    const began = clock.now();
    const deadline = this.#acting ? Math.max(0, this.#renewed + renewDeadline - began) : renewDeadline;
    let cancel = (): void => undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      cancel = clock.after(Math.max(deadline, retryPeriod / 2), () => {
        resolve(false);
      });
    });
    const attempt = this.#acquire().catch((error: unknown) => {
      if (this.#acting) log.warn({ err: error, lease: name }, 'the lease could not be renewed');
      return false;
    });
    const held = await Promise.race([attempt, tooLate]);
    cancel();
    // From the moment before it was asked: others count from when they saw the answer.
    if (held) this.#renewed = began;
    if (held && !this.#acting && !this.#stopped) {
      log.info({ lease: name }, 'leading');
      this.#acting = this.#options.lead();
    }
    const over = clock.now() >= this.#renewed + renewDeadline;
    if (!held && this.#acting && (over || this.#isOthers)) {
      log.warn({ lease: name }, 'leading no more');
      await this.#resign();
    }
  }

  #isOthers = false;

  /** True when the lease is this process's now. Throws what the client throws. */
  async #acquire(): Promise<boolean> {
    const { client, clock, namespace, name, identity, leaseDuration } = this.#options;
    const lease = await this.#read();
    const now = clock.now();
    const version = lease?.metadata.resourceVersion ?? '';
    if (this.#observed?.version !== version) this.#observed = { version, since: now };
    const decision = decideLease(lease, this.#observed, now, identity);
    this.#isOthers = decision === 'wait';
    if (decision === 'wait') return false;
    const before = lease?.spec;
    const spec: NonNullable<Lease['spec']> = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDuration / 1000),
      acquireTime: decision === 'renew' ? (before?.acquireTime ?? microTime(now)) : microTime(now),
      renewTime: microTime(now),
      leaseTransitions: (before?.leaseTransitions ?? 0) + (decision === 'take' ? 1 : 0),
    };
    if (lease) await client.update(LEASES, { ...lease, spec });
    else await client.create(LEASES, { metadata: { name, namespace }, spec });
    return true;
  }

  async #read(): Promise<Lease | undefined> {
    const { client, namespace, name } = this.#options;
    try {
      return await client.get(LEASES, name, namespace);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #resign(): Promise<void> {
    const acting = this.#acting;
    this.#acting = undefined;
    await acting?.stop();
  }

  async #release(): Promise<void> {
    const lease = await this.#read();
    if (lease?.spec?.holderIdentity !== this.#options.identity) return;
    const { holderIdentity: _, ...spec } = { ...lease.spec, leaseDurationSeconds: 1 };
    await this.#options.client.update(LEASES, { ...lease, spec });
  }
}
