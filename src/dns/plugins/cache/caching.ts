/** A `cache` of a Corefile at work, for tests: in front of an origin that counts, on a clock that stands still. */
import { FakeClock } from '../../../lib/clock.ts';
import { diskImports } from '../../corefile/import-source.ts';
import { parseCorefile } from '../../corefile/parse.ts';
import { fakeRuntime } from '../../fake-runtime.ts';
import type { Block, Handler, Reply } from '../../plugin.ts';
import { queryFor, TYPE, type Message, type Question } from '../../wire/message.ts';
import { cachePlugin } from './plugin.ts';

export interface Caching {
  readonly clock: FakeClock;
  readonly runtime: ReturnType<typeof fakeRuntime>;
  /** What was asked of the origin, in order. */
  readonly asked: readonly Question[];
  ask(name: string, type?: number, change?: Partial<Message>): Promise<Reply | undefined>;
  stop(): Promise<void>;
}

/** @param text a line of a server block, with its options */
export function caching(text: string, origin: Handler): Caching {
  const clock = new FakeClock(1_000_000);
  const runtime = fakeRuntime({ clock });
  const source = { file: 'Corefile', environment: () => undefined, imports: diskImports };
  const [written] = parseCorefile(`. {\n${text}\n}`, source);
  const block: Block = { zones: ['.'], server: 'dns://:53', runtime };
  const instance = cachePlugin.setup(written?.directives ?? [], block);
  const asked: Question[] = [];
  const next: Handler = (query) => {
    asked.push(query.question);
    return origin(query);
  };
  const handler = instance.wrap?.(next) ?? next;
  return {
    clock,
    runtime,
    asked,
    async ask(name, type = TYPE.A, change = {}) {
      const question = { name, type, class: 1 };
      const asker = { address: '10.244.0.9', port: 40_000, transport: 'udp' } as const;
      return handler({ message: { ...queryFor(7, question), ...change }, question, asker, at: clock.now() });
    },
    stop: async () => {
      await instance.stop?.('end');
    },
  };
}
