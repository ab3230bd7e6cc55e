/** Server blocks to chains of plugins. `buildServers` sets plugins up and throws where a directive is wrong; nothing is opened before `start`. */
import type { Directive, Place, ServerBlock } from '../corefile/directive.ts';
import { CorefileError } from '../corefile/corefile-error.ts';
import { parseServerKey, type ServerKey } from '../corefile/server-key.ts';
import type { Block, Handler, PluginInstance, Reply, Runtime } from '../plugin.ts';
import { joinHostPort } from '../../lib/ip.ts';
import { likelyWord } from '../../lib/likely-word.ts';
import { boundAddresses } from '../plugins/bind.ts';
import { findPlugin, plugins as knownNames, rankOf, servedPlugins } from '../plugins/index.ts';
import { Router } from './router.ts';
import { RCODE, replyTo, type Message } from '../wire/message.ts';

/** One server block on one port, ready to answer. */
export interface Server {
  readonly block: Block;
  readonly place: Place;
  readonly port: number;
  /** Addresses of `bind`; absent: those the program was started with. */
  readonly addresses?: readonly string[];
  readonly handler: Handler;
  readonly plugins: readonly NamedInstance[];
  /** What its plugins have in common, looked for once. */
  readonly traits: Traits;
  /** True where the answer of that plugin may be kept in front of the chain: all before it leave such an answer as it is. */
  keeps(from: string): boolean;
}

export interface Traits {
  readonly hasPrometheus: boolean;
  readonly isBalanced: boolean;
  /** May change: the servers that a followed file names come and go. */
  readonly recurses: boolean;
  readonly anyClass: boolean;
  readonly udpSize?: number;
  readonly collectsFor?: readonly string[];
}

export function traitsOf(plugins: readonly NamedInstance[]): Traits {
  const udpSize = plugins.find(({ instance }) => instance.udpSize)?.instance.udpSize;
  const recursing = plugins.filter(({ instance }) => 'recurses' in instance);
  const collectsFor = plugins.find(({ instance }) => instance.collectsFor)?.instance.collectsFor;
  return {
    hasPrometheus: plugins.some(({ name }) => name === 'prometheus'),
    isBalanced: plugins.some(({ name }) => name === 'loadbalance'),
    get recurses() {
      return recursing.some(({ instance }) => instance.recurses === true);
    },
    anyClass: plugins.some(({ instance }) => instance.anyClass === true),
    ...(udpSize !== undefined && { udpSize }),
    ...(collectsFor && { collectsFor }),
  };
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
  const byName = Map.groupBy(directives, ({ name }) => name);
  for (const [name, [first]] of byName) if (first) expectServed(name, first);
  const addresses = byName.has('bind') ? boundAddresses(byName.get('bind') ?? []) : undefined;
  const block: Block = { zones, server: `dns://${joinHostPort(addresses?.[0] ?? '', port)}`, ...around };
  const plugins = [...byName]
    .sort(([a], [b]) => rankOf(a) - rankOf(b))
    .flatMap(([name, each]): NamedInstance[] => {
      const plugin = findPlugin(name);
      return plugin === undefined || typeof plugin === 'string' ? [] : [{ name, instance: plugin.setup(each, block) }];
    });
  for (const { instance } of plugins) instance.check?.();
  return {
    block,
    place,
    port,
    ...(addresses && { addresses }),
    handler: chainOf(plugins),
    plugins,
    traits: traitsOf(plugins),
    keeps: keepsOf(plugins),
  };
}

/** The plugins up to the first that is in the way, it included. */
function keepsOf(plugins: readonly NamedInstance[]): Server['keeps'] {
  const inTheWay = plugins.findIndex(({ instance }) => instance.wrap && instance.transparent !== true);
  const names = new Set(plugins.slice(0, inTheWay < 0 ? undefined : inTheWay + 1).map(({ name }) => name));
  return (from) => names.has(from);
}

function expectServed(name: string, { place }: Directive): void {
  const plugin = findPlugin(name);
  if (typeof plugin === 'string')
    throw new CorefileError(place, `plugin ${name}${plugin.startsWith('not ') ? ' is ' : ': '}${plugin}`);
  if (plugin) return;
  const known = servedPlugins.map((each) => each.name).join(', ');
  const likely = likelyWord(name, knownNames);
  const hint = likely === undefined ? 'there are' : `did you mean ${likely}? There are`;
  throw new CorefileError(place, `unknown plugin "${name}", ${hint} ${known}`);
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
