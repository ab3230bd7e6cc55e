/** Sends a probe to the upstreams when the server starts, and again while there is a loop; what comes back is a loop. */
import { randomInt } from 'node:crypto';
import type { Block, Handler, Query } from '../../plugin.ts';
import { queryFor, RCODE, replyTo, type Question } from '../../wire/message.ts';
import { loopText, probeQuestion } from './probe.ts';

/** The sockets open a moment after the plugins started. */
const FIRST_MS = 500;
/** As CoreDNS: until the upstreams have answered, and no longer than half a minute. */
const AGAIN_MS = 2000;
const MOST_TRIES = 15;
/** An answer may be on its way while the question still goes round. */
const LINGER_MS = 2000;
/** Whether a loop is still there is looked at so often. */
const RECHECK_MS = 30_000;

export class LoopWatch {
  readonly #block: Block;
  readonly #next: Handler;
  /** Absent: nothing that comes in is taken for ours, for somebody may have read our probe and send it back. */
  #probe: Question | undefined;
  #isLooping = false;
  #hasReturned = false;
  #isStopped = false;
  #cancel = (): void => undefined;

  constructor(block: Block, next: Handler) {
    this.#block = block;
    this.#next = next;
  }

  readonly handle: Handler = (query) => {
    const { message, question, trail } = query;
    const isOurs =
      this.#probe !== undefined &&
      question.type === this.#probe.type &&
      question.name.toLowerCase() === this.#probe.name.toLowerCase();
    if (isOurs) this.#returned();
    if (!this.#isLooping && !isOurs) return this.#next(query);
    trail?.push({ plugin: 'loop', text: 'the upstreams forward to this server: not asked' });
    const problem = 'the upstreams forward to this server';
    return { message: replyTo(message, RCODE.SERVFAIL), from: 'loop', transient: true, problem };
  };

  start(): void {
    this.#later(FIRST_MS, () => this.#run());
  }

  stop(): void {
    this.#isStopped = true;
    this.#probe = undefined;
    this.#cancel();
  }

  async #run(): Promise<void> {
    const { zones, runtime, server } = this.#block;
    const question = probeQuestion(zones[0] ?? '.', () => randomInt(2 ** 31) / 2 ** 31);
    this.#probe = question;
    this.#hasReturned = false;
    for (let tries = 0; tries < MOST_TRIES && !this.#isStopped; tries++) {
      if (await this.#ask(question)) break;
      if (this.#hasReturned) break;
      await this.#pause(AGAIN_MS);
    }
    await this.#pause(LINGER_MS);
    this.#probe = undefined;
    if (this.#isStopped) return;
    if (this.#isLooping && !this.#hasReturned) {
      this.#isLooping = false;
      runtime.log.info({ server }, 'the upstreams no longer forward to this server: they are asked again');
      runtime.onLoop?.(undefined);
    }
    if (this.#isLooping) this.#later(RECHECK_MS, () => this.#run());
  }

  /** True: the upstreams answered, so it need not be asked again. */
  async #ask(question: Question): Promise<boolean> {
    const { runtime } = this.#block;
    const query: Query = {
      message: queryFor(randomInt(0x10000), question),
      question,
      asker: { address: '127.0.0.1', port: 0, transport: 'udp' },
      at: runtime.clock.now(),
    };
    try {
      const reply = await this.#next(query);
      return reply !== undefined && reply.message.rcode !== RCODE.SERVFAIL;
    } catch {
      return false;
    }
  }

  #returned(): void {
    const { runtime, server } = this.#block;
    this.#hasReturned = true;
    if (this.#isLooping || !this.#probe) return;
    this.#isLooping = true;
    const text = loopText(server, this.#probe);
    runtime.log.error({ server }, text);
    runtime.onLoop?.(text);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isStopped) resolve();
      else this.#later(ms, resolve);
    });
  }

  #later(ms: number, callback: () => void | Promise<void>): void {
    this.#cancel = this.#block.runtime.clock.after(ms, () => void callback(), true);
  }
}
