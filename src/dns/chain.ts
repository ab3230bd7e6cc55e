/** Server blocks to chains of plugins. `buildServers` sets plugins up and throws where a directive is wrong; nothing is opened before `start`. */
import type { Directive, Place, ServerBlock } from './corefile/directive.ts';
import { CorefileError } from './corefile/corefile-error.ts';
import { parseServerKey, type ServerKey } from './corefile/server-key.ts';
import type { Block, Handler, PluginInstance, Reply, Runtime } from './plugin.ts';
import { findPlugin, rankOf, servedPlugins } from './plugins/index.ts';
import { Router } from './router.ts';
import { RCODE, replyTo, type Message } from './wire/message.ts';

/** One server block on one port, ready to answer. */
export interface Server {
  readonly block: Block;
  readonly place: Place;
  readonly port: number;
  /** Addresses of `bind`; absent: those the program was started with. */
  readonly addresses?: readonly string[];
  readonly handler: Handler;
  readonly plugins: readonly NamedInstance[];
  /** True where the answer of that plugin may be kept in front of the chain: all before it leave such an answer as it is. */
  keeps(from: string): boolean;
}

export interface NamedInstance {
  readonly name: string;
  readonly instance: PluginInstance;
}

/** @throws CorefileError */
export function buildServers(blocks: readonly ServerBlock[], runtime: Runtime): Server[] {
  const servers: Server[] = [];
  for (const block of blocks) {
    const keys = block.keys.flatMap((key) => parseServerKey(key, block.place));
    for (const [port, own] of Map.groupBy(keys, (key) => key.port)) {
      const lookUp = lookUpAmong(() => new Router(servers.filter((server) => server.port === port)));
      servers.push(buildServer(block, own, { port, runtime, lookUp }));
    }
  }
  return servers;
}

type Surroundings = Pick<Block, 'runtime' | 'lookUp'> & { readonly port: number };

function buildServer(written: ServerBlock, keys: readonly ServerKey[], { port, ...around }: Surroundings): Server {
  const { directives, place } = written;
  const zones = [...new Set(keys.map(({ zone }) => zone))];
  const block: Block = { zones, server: `dns://:${String(port)}`, ...around };
  const byName = Map.groupBy(directives, ({ name }) => name);
  for (const [name, [first]] of byName) if (first) expectServed(name, first);
  const plugins = [...byName]
    .sort(([a], [b]) => rankOf(a) - rankOf(b))
    .flatMap(([name, each]): NamedInstance[] => {
      const plugin = findPlugin(name);
      return plugin === undefined || typeof plugin === 'string' ? [] : [{ name, instance: plugin.setup(each, block) }];
    });
  const addresses = plugins.find(({ instance }) => instance.listen)?.instance.listen;
  return {
    block,
    place,
    port,
    ...(addresses && { addresses }),
    handler: chainOf(plugins),
    plugins,
    keeps(from) {
      const before = plugins.slice(
        0,
        plugins.findIndex(({ name }) => name === from),
      );
      return before.every(({ instance }) => instance.wrap === undefined || instance.transparent === true);
    },
  };
}

function expectServed(name: string, { place }: Directive): void {
  const plugin = findPlugin(name);
  if (typeof plugin === 'string') throw new CorefileError(place, `plugin ${name} is ${plugin}`);
  if (plugin) return;
  const known = servedPlugins.map((each) => each.name).join(', ');
  throw new CorefileError(place, `unknown plugin "${name}", there are ${known}`);
}

/** Behind the last plugin nobody answers: SERVFAIL, as in CoreDNS. */
const endOfChain: Handler = ({ message }): Reply => ({ message: replyTo(message, RCODE.SERVFAIL), from: '' });

function chainOf(plugins: readonly NamedInstance[]): Handler {
  return plugins.reduceRight<Handler>((next, { instance }) => instance.wrap?.(next) ?? next, endOfChain);
}

/** Look-ups in look-ups: an alias that leads to an alias, and so on. */
const DEEPEST = 8;
const depths = new WeakMap<Message, number>();

function lookUpAmong(makeRouter: () => Router): NonNullable<Block['lookUp']> {
  let router: Router | undefined;
  return async (question, query) => {
    const depth = (depths.get(query.message) ?? 0) + 1;
    const message: Message = { ...query.message, questions: [question] };
    if (depth > DEEPEST) return { message: replyTo(message, RCODE.SERVFAIL), from: '', transient: true };
    depths.set(message, depth);
    router ??= makeRouter();
    const route = router.find(question.name);
    return route?.server.handler({ ...query, message, question });
  };
}
