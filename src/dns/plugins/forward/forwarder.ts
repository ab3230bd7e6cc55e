/** One `forward` of a Corefile at work: its upstreams, how they are, and a race among them for each question. */
import type { SecureContext } from 'node:tls';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import { RCODE, type Message } from '../../wire/message.ts';
import { rcodeName } from '../../wire/record-text.ts';
import { admission } from './admission.ts';
import type { ForwardMetrics } from './forward-metrics.ts';
import { Health } from './health.ts';
import type { ForwardOptions } from './options.ts';
import { policyOf, shuffled, type Policy } from './policy.ts';
import { race, type Runner } from './race.ts';
import { relevant } from './relevant.ts';
import { UpstreamClient, type Ask } from './upstream-client.ts';
import { upstreamKey, upstreamText, type Upstream } from './upstream.ts';

export interface ForwarderOptions {
  readonly options: ForwardOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ForwardMetrics;
  readonly secureContext?: SecureContext;
}

/** What came of a question. `steps`: what happened, for people. */
export interface Forwarded {
  /** Absent: nobody answered, or nobody was asked. */
  readonly reply?: Message;
  readonly rcode: number;
  /** Who answered. */
  readonly upstream?: string;
  readonly steps: readonly string[];
}

/** Without `max_concurrent`: each question under way holds a socket. */
const MOST_UNDER_WAY = 4096;
/** Before an upstream that says nothing is taken for failed; CoreDNS waits as long. */
const READ_MS = 2000;

interface Member extends Runner {
  readonly client: UpstreamClient;
  readonly health: Health;
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #policy: Policy;
  readonly #admission: ReturnType<typeof admission>;
  readonly #flights = new Map<string, Promise<Forwarded>>();
  #members: Member[] = [];

  constructor(options: ForwarderOptions) {
    this.#options = options;
    const { policy, maxConcurrent } = options.options;
    this.#policy = policyOf(policy, options.random);
    this.#admission = admission(maxConcurrent > 0 ? maxConcurrent : MOST_UNDER_WAY);
  }

  get hasUpstreams(): boolean {
    return this.#members.length > 0;
  }

  /** Takes others from now on; what is known of those that stay is kept, and what is under way ends as it would have. */
  use(upstreams: readonly Upstream[]): void {
    const known = new Map(this.#members.map((member) => [upstreamKey(member.client.upstream), member]));
    const members = upstreams.map((upstream) => known.get(upstreamKey(upstream)) ?? this.#member(upstream));
    for (const member of this.#members) if (!members.includes(member)) member.health.stop();
    this.#members = members;
  }

  /** Never rejects. @param asker whose share of what may be under way it counts to */
  async ask(ask: Ask, asker: string): Promise<Forwarded> {
    if (!this.#admission.enter(asker)) {
      this.#options.metrics.rejected();
      return { rcode: RCODE.REFUSED, steps: ['too many questions are under way'] };
    }
    try {
      return await this.#together(ask);
    } finally {
      this.#admission.leave(asker);
    }
  }

  stop(): void {
    for (const { health, client } of this.#members) {
      health.stop();
      client.close();
    }
  }

  /** Who asks what is being asked already gets the same answer: the upstream is asked once, and a forger gets one chance, not a hundred. */
  #together(ask: Ask): Promise<Forwarded> {
    const { question, overTcp, dnssecOk, checkingDisabled, authenticData, recursionDesired } = ask;
    const bits = [overTcp, dnssecOk, checkingDisabled, authenticData, recursionDesired].map(Number).join('');
    const key = `${String(question.class)} ${String(question.type)} ${bits} ${question.name.toLowerCase()}`;
    let flight = this.#flights.get(key);
    if (!flight) {
      flight = this.#alone(ask).finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    return flight;
  }

  async #alone(ask: Ask): Promise<Forwarded> {
    const { options, clock, metrics } = this.#options;
    const order = this.#order();
    if (order.length === 0)
      return { rcode: RCODE.SERVFAIL, steps: [this.hasUpstreams ? 'no upstream is well' : 'there is no upstream'] };
    const outcome = await race(order, ask, { clock, failover: options.failover, maxAttempts: options.maxAttempts });
    if (!('reply' in outcome)) return { rcode: RCODE.SERVFAIL, steps: outcome.reasons };
    const { reply, by, ms, reasons } = outcome;
    // What has no place in four bits means something only to whom it was said: to us.
    const rcode = reply.rcode > 15 ? RCODE.SERVFAIL : reply.rcode;
    metrics.answered(by, rcode, ms);
    const text = `${by} answered ${rcodeName(reply.rcode)} in ${String(ms)} ms`;
    return {
      reply: { ...reply, rcode, ...relevant(ask.question, reply) },
      rcode,
      upstream: by,
      steps: [...reasons, text],
    };
  }

  /** By the policy, those first that did not just fail. When none is well that says more about the checks than about the servers: any is tried. */
  #order(): Member[] {
    const { options, random, metrics } = this.#options;
    const well = this.#policy(this.#members).filter(({ health }) => !health.isDown);
    if (well.length > 0) {
      return [...well.filter(({ health }) => !health.isDoubtful), ...well.filter(({ health }) => health.isDoubtful)];
    }
    if (this.#members.length > 0) metrics.allDown();
    return options.failsFast ? [] : shuffled(this.#members, random);
  }

  #member(upstream: Upstream): Member {
    const { options, clock, log, metrics, secureContext } = this.#options;
    const name = upstreamText(upstream);
    const client = new UpstreamClient({
      ...options,
      upstream,
      clock,
      timeoutMs: READ_MS,
      ...(secureContext && { secureContext }),
      onConnection: (proto, isReused) => {
        metrics.connection(name, proto, isReused);
      },
    });
    const { intervalMs, ...probe } = options.health;
    const health = new Health({
      clock,
      intervalMs,
      maxFails: options.maxFails,
      probe: () => client.probe({ ...probe, overTcp: options.forceTcp }),
      onFailure: () => {
        metrics.probeFailed(name);
      },
      onTurn: (isDown) => {
        if (isDown)
          log.warn({ upstream: name, from: options.from }, 'an upstream DNS server does not answer, others are asked');
        else log.info({ upstream: name, from: options.from }, 'an upstream DNS server answers again');
      },
    });
    return {
      name,
      client,
      health,
      ask: (ask, signal) => client.ask(ask, signal),
      failed: () => {
        health.failed();
      },
    };
  }
}
