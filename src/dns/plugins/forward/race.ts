/**
 * Asks servers until one answers. The first has a head start; when it does not answer within `STEP_MS` the next is asked as well, and whoever
 * answers first is believed. So a server that died a moment ago costs the question a fraction of a second, also the first question ever asked.
 */
import type { Clock } from '../../../lib/clock.ts';
import type { Message } from '../../wire/message.ts';
import { COULD_NOT, type Ask } from './upstream-client.ts';
import { UpstreamError } from './upstream-error.ts';

/** What takes part: an upstream, or a fake of one. */
export interface Runner {
  readonly name: string;
  /** @throws UpstreamError */
  ask(ask: Ask, signal: AbortSignal): Promise<Message>;
  /** It failed, or was so slow that another had to be asked. */
  failed(): void;
}

export interface RaceOptions {
  readonly clock: Clock;
  /** Codes for which the next one is asked instead (`failover`). */
  readonly failover?: ReadonlySet<number>;
  /** Failed tries in all; 0: as many as the time allows. */
  readonly maxAttempts?: number;
}

export interface Lost {
  /** Who failed how, in order: "10.0.0.1:53 did not answer within 2 s". */
  readonly reasons: readonly string[];
}

export interface Won extends Lost {
  readonly reply: Message;
  readonly by: string;
  /** From the start of the try that won. */
  readonly ms: number;
}

/** Before another server is asked too. */
export const STEP_MS = 300;
/** Before one is asked a second time that has not answered yet: the packet may have been lost. */
const AGAIN_MS = 1000;
/** In all: the resolvers of most systems give up after 5 s. */
const DEADLINE_MS = 4500;

export function race(runners: readonly Runner[], ask: Ask, options: RaceOptions): Promise<Won | Lost> {
  return new Promise((resolve) => {
    new Race(runners, ask, options, resolve).begin();
  });
}

interface Try {
  readonly runner: Runner;
  readonly startedAt: number;
  readonly abort: AbortController;
}

class Race {
  readonly #runners: readonly Runner[];
  readonly #ask: Ask;
  readonly #options: RaceOptions;
  readonly #resolve: (outcome: Won | Lost) => void;
  readonly #underWay = new Set<Try>();
  readonly #reasons: string[] = [];
  /** Who is not worth a second try: what is not there is not there a moment later. */
  readonly #gone = new Set<Runner>();
  #started = 0;
  #failures = 0;
  /** The best that was said so far by servers that could not. */
  #fallback: Won | undefined;
  #isOver = false;
  #cancelStep: (() => void) | undefined;
  #cancelDeadline: (() => void) | undefined;

  constructor(runners: readonly Runner[], ask: Ask, options: RaceOptions, resolve: (outcome: Won | Lost) => void) {
    this.#runners = runners;
    this.#ask = ask;
    this.#options = options;
    this.#resolve = resolve;
  }

  begin(): void {
    this.#cancelDeadline = this.#options.clock.after(DEADLINE_MS, () => {
      this.#giveUp();
    });
    if (!this.#startNext()) this.#giveUp();
  }

  /** False: nobody is left to ask. */
  #startNext(): boolean {
    this.#cancelStep?.();
    const { maxAttempts = 0, clock } = this.#options;
    if (maxAttempts > 0 && this.#failures >= maxAttempts) return false;
    const runner = this.#next();
    if (!runner) return false;
    const current: Try = { runner, startedAt: clock.now(), abort: new AbortController() };
    this.#underWay.add(current);
    const isLastNew = this.#started >= this.#runners.length;
    this.#cancelStep = clock.after(isLastNew ? AGAIN_MS : STEP_MS, () => {
      this.#startNext();
    });
    runner.ask(this.#ask, current.abort.signal).then(
      (reply) => {
        this.#onReply(current, reply);
      },
      (error: unknown) => {
        this.#onError(current, error);
      },
    );
    return true;
  }

  /** Each once in their order, then each once more. */
  #next(): Runner | undefined {
    while (this.#started < this.#runners.length * 2) {
      const runner = this.#runners[this.#started++ % this.#runners.length];
      if (runner && !this.#gone.has(runner)) return runner;
    }
    return undefined;
  }

  #onReply(current: Try, reply: Message): void {
    this.#underWay.delete(current);
    if (this.#isOver) return;
    const { clock, failover } = this.#options;
    const ms = clock.now() - current.startedAt;
    const won = { reply, by: current.runner.name, ms, reasons: this.#reasons };
    const goesOn = failover?.has(reply.rcode) ?? false;
    if (!goesOn && !COULD_NOT.has(reply.rcode)) {
      this.#end(won);
      return;
    }
    this.#fallback = won;
    this.#gone.add(current.runner);
    if (goesOn && this.#startNext()) return;
    if (this.#underWay.size === 0) this.#end(won);
  }

  #onError(current: Try, error: unknown): void {
    this.#underWay.delete(current);
    if (this.#isOver) return;
    this.#failures++;
    this.#reasons.push(`${current.runner.name} ${error instanceof Error ? error.message : String(error)}`);
    if (!(error instanceof UpstreamError) || error.kind === 'at once') this.#gone.add(current.runner);
    current.runner.failed();
    // Who has been asked already has a second to answer before he is asked again, unless there is nobody else to wait for.
    const isAnyoneNew = this.#started < this.#runners.length;
    if ((isAnyoneNew || this.#underWay.size === 0) && this.#startNext()) return;
    if (this.#underWay.size === 0) this.#giveUp();
  }

  #giveUp(): void {
    this.#end(this.#fallback ?? { reasons: this.#reasons });
  }

  #end(outcome: Won | Lost): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelStep?.();
    this.#cancelDeadline?.();
    const now = this.#options.clock.now();
    const winner = 'by' in outcome ? outcome.by : undefined;
    for (const { runner, startedAt, abort } of this.#underWay) {
      if (now - startedAt >= STEP_MS && runner.name !== winner) runner.failed();
      abort.abort();
    }
    this.#resolve(outcome);
  }
}
