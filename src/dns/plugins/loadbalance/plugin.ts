/** `loadbalance [round_robin | weighted FILE]`: clients that take the first address spread over all of them (feature 4-054). */
import { loadSmallFile } from '../../../lib/small-file.ts';
import { resolve } from 'node:path';
import { parseNetwork, type Cidr } from '../../../lib/cidr.ts';
import type { Directive } from '../../corefile/directive.ts';
import { expectArgs, expectDuration, expectNumber, expectOnce, readOptions, refuse } from '../../corefile/option.ts';
import type { Plugin, Runtime } from '../../plugin.ts';
import type { Record } from '../../wire/message.ts';
import { expectMayRead } from '../../file-fence.ts';
import { rootOf } from '../root.ts';
import { preferring, roundRobin, weighted, type Weights } from './order.ts';
import { parseWeights } from './weights.ts';

export interface LoadbalanceOptions {
  /** Absent: round robin. */
  readonly weightFile?: string;
  /** ms; 0: never. */
  readonly reloadMs: number;
  readonly prefer: readonly Cidr[];
  /** Records of an answer at most. */
  readonly limit: number;
}

export const loadbalancePlugin: Plugin = {
  name: 'loadbalance',
  setup(directives, block) {
    const directive = expectOnce(directives);
    const { weightFile, reloadMs, prefer, limit } = parseLoadbalance(directive);
    const { runtime } = block;
    if (weightFile !== undefined) {
      const weights = resolve(rootOf(block), weightFile);
      const instead = 'take round_robin';
      expectMayRead(runtime, { by: 'loadbalance', file: weights, instead, place: directive.place });
    }
    const file =
      weightFile === undefined ? undefined : new WeightFile(resolve(rootOf(block), weightFile), reloadMs, runtime);
    const order = (records: readonly Record[]): Record[] => {
      const { random } = runtime;
      const mixed = file ? weighted(records, file.weights, random) : roundRobin(records, random);
      return (prefer.length > 0 ? preferring(mixed, prefer) : mixed).slice(0, limit);
    };
    return {
      // Kept packets have their addresses change places; more than that is done here only.
      transparent: !file && prefer.length === 0 && limit === Infinity,
      ...(file && { start: () => file.start(), stop: () => Promise.resolve(file.stop()) }),
      wrap: (next) => async (query) => {
        const reply = await next(query);
        if (!reply || reply.message.answers.length < 2) return reply;
        return { ...reply, message: { ...reply.message, answers: order(reply.message.answers) } };
      },
    };
  },
};

/** @throws CorefileError */
export function parseLoadbalance(directive: Directive): LoadbalanceOptions {
  const [policy = 'round_robin', weightFile] = expectArgs(directive, 0, 2, 'round_robin, or weighted and a file');
  if (policy !== 'round_robin' && policy !== 'weighted') {
    refuse(directive, `unknown policy "${policy}", there are round_robin, weighted`);
  }
  if ((policy === 'weighted') !== (weightFile !== undefined)) {
    refuse(directive, policy === 'weighted' ? 'expected a file behind weighted' : 'round_robin takes no file');
  }
  let reloadMs = 30_000;
  let prefer: readonly Cidr[] = [];
  let limit = Infinity;
  readOptions(directive, {
    reload: (option) => void (reloadMs = expectDuration(option, expectArgs(option, 1, 1, 'a time')[0])),
    prefer(option) {
      prefer = expectArgs(option, 1, Infinity, 'networks').map(
        (text) => parseNetwork(text) ?? refuse(option, `expected a network such as 10.0.0.0/8, found "${text}"`),
      );
    },
    limit_answers(option) {
      limit = expectNumber(option, expectArgs(option, 1, 1, 'a number')[0], 1, 65_535);
    },
  });
  return { reloadMs, prefer, limit, ...(weightFile !== undefined && { weightFile }) };
}

/** A file that is wrong or away changes nothing, and is told. */
class WeightFile {
  weights: Weights = new Map();
  readonly #file: string;
  readonly #reloadMs: number;
  readonly #runtime: Runtime;
  #text = '';
  #isStopped = false;
  #cancel = (): void => undefined;

  constructor(file: string, reloadMs: number, runtime: Runtime) {
    this.#file = file;
    this.#reloadMs = reloadMs;
    this.#runtime = runtime;
  }

  /** @throws where there is no such file at the start, or it is wrong */
  async start(): Promise<void> {
    await this.#read();
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #wait(): void {
    if (this.#isStopped || this.#reloadMs <= 0) return;
    const again = () => {
      void this.#read()
        .catch((error: unknown) => {
          this.#runtime.log.error({ err: error, file: this.#file }, 'these weights are not taken, those before stay');
        })
        .then(() => {
          this.#wait();
        });
    };
    this.#cancel = this.#runtime.clock.after(this.#reloadMs, again, true);
  }

  async #read(): Promise<void> {
    const text = (await loadSmallFile(this.#file)).toString();
    if (text === this.#text) return;
    this.weights = parseWeights(text);
    this.#text = text;
  }
}
