/**
 * Asks one upstream, and remembers what it is like: UDP first, TCP for what UDP cannot carry; EDNS unless it is too old for it; letters in a random
 * case unless it does not repeat them.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { Clock } from '../../../lib/clock.ts';
import { TYPE, queryFor, RCODE, type Message, type Question } from '../../wire/message.ts';
import { mixCase, withPlainCase } from './letter-case.ts';
import { StreamPool } from './stream-pool.ts';
import { askOverUdp, UDP_SIZE } from './udp.ts';
import type { Upstream } from './upstream.ts';
import { UpstreamError } from './upstream-error.ts';

/** A question with what its asker said besides. */
export interface Ask {
  readonly question: Question;
  /** Over TCP from the start. */
  readonly overTcp: boolean;
  readonly recursionDesired: boolean;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly authenticData: boolean;
}

export interface UpstreamClientOptions {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Without an answer for so long it failed; CoreDNS waits 2 s too. */
  readonly timeoutMs: number;
  readonly expireMs: number;
  readonly maxIdle: number;
  readonly maxAgeMs: number;
  /** For `tls`. */
  readonly secureContext?: SecureContext;
  /** Expected in the certificate; absent: the address. */
  readonly serverName?: string;
  readonly onConnection?: (proto: 'tcp' | 'tcp-tls', isReused: boolean) => void;
}

export interface ProbeOptions {
  readonly name: string;
  readonly recursionDesired: boolean;
  readonly overTcp: boolean;
}

/** For so long a server is taken for what it was found to be. */
const REMEMBERED_MS = 15 * 60_000;
const PROBE_MS = 1000;

export class UpstreamClient {
  readonly #options: UpstreamClientOptions;
  readonly #streams: StreamPool;
  /** Until then it is asked without. */
  #noEdnsUntil = 0;
  #noCaseUntil = 0;

  constructor(options: UpstreamClientOptions) {
    this.#options = options;
    const proto = options.upstream.transport === 'tls' ? 'tcp-tls' : 'tcp';
    this.#streams = new StreamPool({
      ...options,
      open: opener(options),
      onUse: (reused) => options.onConnection?.(proto, reused),
    });
  }

  get upstream(): Upstream {
    return this.#options.upstream;
  }

  /**
   * Its answer, with TC where the whole was not to be had; not yet freed of what does not belong there (`relevant`).
   * @throws UpstreamError
   */
  async ask(ask: Ask, signal: AbortSignal): Promise<Message> {
    const hadEdns = this.#now >= this.#noEdnsUntil;
    const first = await this.#once(ask, hadEdns, signal);
    if (first.verdict !== 'no edns') return first.reply;
    // An answer to a question without EDNS is never taken for that.
    const second = await this.#once(ask, false, signal);
    if (second.verdict !== 'no edns') this.#noEdnsUntil = this.#now + REMEMBERED_MS;
    return second.reply;
  }

  /** Whether it answers at all. Never rejects. */
  async probe({ name, recursionDesired, overTcp }: ProbeOptions): Promise<boolean> {
    const question = { name, type: TYPE.NS, class: 1 };
    const query = { ...queryFor(randomInt(0x10000), question), recursionDesired };
    const signal = new AbortController().signal;
    try {
      if (overTcp || this.upstream.transport === 'tls') await this.#streams.ask(query, PROBE_MS, signal);
      else await askOverUdp(query, { ...this.#options, timeoutMs: PROBE_MS, signal });
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#streams.close();
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  async #once(ask: Ask, withEdns: boolean, signal: AbortSignal): Promise<Result> {
    const query = queryOf(ask, withEdns);
    if (ask.overTcp || this.upstream.transport === 'tls') return this.#overStream(query, signal);
    const mixes = this.#now >= this.#noCaseUntil;
    const mixed = mixes ? withMixedCase(query) : query;
    const outcome = await askOverUdp(mixed, { ...this.#options, signal });
    if (outcome.verdict === 'stream') return this.#overStream(query, signal);
    if (outcome.verdict === 'other case' && mixes) return this.#inPlainCase(query, mixed, signal);
    if (outcome.verdict === 'no edns') return { verdict: 'no edns', reply: outcome.reply };
    const reply = mixes ? withPlainCase(outcome.reply, nameOf(mixed), nameOf(query)) : outcome.reply;
    if (!reply.truncated) return { verdict: 'fits', reply };
    try {
      return await this.#overStream(query, signal);
    } catch (error) {
      if (error instanceof UpstreamError && error.kind === 'aborted') throw error;
      // No TCP there: half an answer, which says that it is one.
      return { verdict: 'fits', reply };
    }
  }

  /**
   * An answer in other letters than were sent is not believed over UDP: TCP, which cannot be forged from afar, tells whether the server is like
   * that. A server without TCP is asked once more, without mixing, from another port and with another id.
   */
  async #inPlainCase(query: Message, mixed: Message, signal: AbortSignal): Promise<Result> {
    try {
      const { verdict, reply } = await this.#streams.ask(mixed, this.#options.timeoutMs, signal);
      if (verdict === 'other case') this.#noCaseUntil = this.#now + REMEMBERED_MS;
      const plain = withPlainCase(reply, nameOf(mixed), nameOf(query));
      return { verdict: verdict === 'no edns' ? verdict : 'fits', reply: plain };
    } catch (error) {
      if (error instanceof UpstreamError && error.kind === 'aborted') throw error;
      const again = { ...query, id: randomInt(0x10000) };
      const outcome = await askOverUdp(again, { ...this.#options, signal });
      if (outcome.verdict === 'stream') return this.#overStream(query, signal);
      this.#noCaseUntil = this.#now + REMEMBERED_MS;
      return { verdict: outcome.verdict === 'no edns' ? 'no edns' : 'fits', reply: outcome.reply };
    }
  }

  async #overStream(query: Message, signal: AbortSignal): Promise<Result> {
    const { verdict, reply } = await this.#streams.ask(query, this.#options.timeoutMs, signal);
    return { verdict: verdict === 'no edns' ? verdict : 'fits', reply };
  }
}

interface Result {
  readonly verdict: 'fits' | 'no edns';
  readonly reply: Message;
}

function queryOf(
  { question, recursionDesired, dnssecOk, checkingDisabled, authenticData }: Ask,
  withEdns: boolean,
): Message {
  const edns = { size: UDP_SIZE, version: 0, dnssecOk };
  return {
    ...queryFor(randomInt(0x10000), question, withEdns ? edns : undefined),
    recursionDesired,
    checkingDisabled,
    authenticData,
  };
}

const nameOf = ({ questions }: Message): string => questions[0]?.name ?? '.';

function withMixedCase(query: Message): Message {
  const questions = query.questions.map((each) => ({ ...each, name: mixCase(each.name, randomBytes(32)) }));
  return { ...query, questions };
}

function opener({ upstream, secureContext, serverName }: UpstreamClientOptions) {
  const { address: host, port, transport } = upstream;
  if (transport === 'dns') return () => connect({ host, port, noDelay: true });
  let session: Buffer | undefined;
  const servername = upstream.serverName ?? serverName;
  return () => {
    const socket = connectTls({
      host,
      port,
      ...(secureContext && { secureContext }),
      ...(servername !== undefined && { servername }),
      ...(session && { session }),
      minVersion: 'TLSv1.2',
    });
    socket.on('session', (fresh: Buffer) => {
      session = fresh;
    });
    return socket;
  };
}

/** Codes that say that a server could not, rather than what the answer is. */
export const COULD_NOT: ReadonlySet<number> = new Set([RCODE.FORMERR, RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED]);
