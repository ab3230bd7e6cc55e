/** The `forward` lines of a Corefile at work, with a `cache` in front where it has one, for tests: what an asker would be told. */
import { realClock } from '../../../lib/clock.ts';
import { diskImports } from '../../corefile/import-source.ts';
import { parseCorefile } from '../../corefile/parse.ts';
import { fakeRuntime } from '../../fake-runtime.ts';
import type { Asker, Block, Handler, Query, Reply, Runtime, TrailStep } from '../../plugin.ts';
import { queryFor, RCODE, replyTo, TYPE, type Message } from '../../wire/message.ts';
import { rcodeName, recordText } from '../../wire/record-text.ts';
import { cachePlugin } from '../cache/plugin.ts';
import { forwardPlugin } from './plugin.ts';

export interface AskOptions {
  readonly type?: number;
  readonly asker?: Partial<Asker>;
  readonly change?: Partial<Message>;
}

export interface Forwarding {
  readonly runtime: Runtime;
  /** Never undefined: `forward` always says something. */
  ask(
    name: string,
    options?: AskOptions,
  ): Promise<Reply & { readonly trail: readonly TrailStep[]; readonly ms: number }>;
  /** `NOERROR tc www.example. 60 IN A 192.0.2.1`. */
  short(name: string, options?: AskOptions): Promise<string>;
  stop(): Promise<void>;
}

/** What stands behind all of them. */
const nobody: Handler = ({ message }) => ({ message: replyTo(message, RCODE.NXDOMAIN), from: 'next' });

/** @param text lines of a server block */
export async function forwarding(text: string, change: Partial<Runtime> = {}): Promise<Forwarding> {
  const runtime = fakeRuntime({ clock: realClock, random: Math.random, ...change });
  const source = { file: 'Corefile', environment: () => undefined, imports: diskImports };
  const [written] = parseCorefile(`. {\n${text}\n}`, source);
  const block: Block = { zones: ['.'], server: 'dns://:53', runtime };
  const named = Map.groupBy(written?.directives ?? [], ({ name }) => name);
  const instance = forwardPlugin.setup(named.get('forward') ?? [], block);
  await instance.start?.();
  const cache = named.has('cache') ? cachePlugin.setup(named.get('cache') ?? [], block) : undefined;
  const forward = instance.wrap?.(nobody) ?? nobody;
  const handler = cache?.wrap?.(forward) ?? forward;
  const ask: Forwarding['ask'] = async (name, { type = TYPE.A, asker, change: changed } = {}) => {
    const question = { name, type, class: 1 };
    const trail: TrailStep[] = [];
    const query: Query = {
      message: { ...queryFor(4711, question), ...changed },
      question,
      asker: { address: '10.244.0.9', port: 40_000, transport: 'udp', ...asker },
      at: runtime.clock.now(),
      trail,
    };
    const began = performance.now();
    const reply = await handler(query);
    if (!reply) throw new Error('forward said nothing');
    return { ...reply, trail, ms: performance.now() - began };
  };
  return {
    runtime,
    ask,
    async short(name, options) {
      const { message } = await ask(name, options);
      const { rcode, truncated, answers } = message;
      return [rcodeName(rcode), ...(truncated ? ['tc'] : []), ...answers.map(recordText)].join(' ');
    },
    stop: async () => {
      await cache?.stop?.('end');
      await instance.stop?.('end');
    },
  };
}
