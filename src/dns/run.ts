/** The DNS server of one node, driven by a Corefile: sockets, chains of plugins, and how one Corefile takes over from another. */
import type { Client } from '../client/client.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { createChangeFeed } from './change-feed.ts';
import { buildServers, type Server } from './routing/chain.ts';
import { CorefileError } from './corefile/corefile-error.ts';
import { diskImports, type ImportSource } from './corefile/import-source.ts';
import type { Environment } from './corefile/lexer.ts';
import { parseCorefile } from './corefile/parse.ts';
import { HttpFaces } from './http-faces.ts';
import { planListeners } from './sockets/listeners.ts';
import { DnsMetrics } from './metrics.ts';
import { startPlugins, stopPlugins, unreadyOf, whenReady } from './routing/plugin-life.ts';
import type { Asker, Runtime, TrailStep } from './plugin.ts';
import { tellEnabled } from './plugins/enabled.ts';
import { countReload } from './plugins/reload.ts';
import { respond, type Answered } from './routing/respond.ts';
import { Sockets } from './sockets/sockets.ts';
import { QueryTap } from './query-log/tap.ts';
import type { Message } from './wire/message.ts';

export interface DnsOptions {
  /** Where absent, `kubernetes` needs an `endpoint` or a `kubeconfig`. */
  readonly client?: Client;
  readonly corefile: {
    /** As messages call it, and where relative imports count from. */
    readonly file: string;
    readonly text: string;
  };
  readonly listen: {
    /** Of blocks without `bind`. */
    readonly addresses: readonly string[];
    /** Stands in for 53 of the Corefile; 0 takes any. */
    readonly port?: number;
    /** Of the HTTP ports the Corefile names without one (`:9153`): every address where absent. */
    readonly httpAddress?: string;
  };
  /** Read where the Corefile names `/etc/resolv.conf`, which it is where absent. */
  readonly resolvConf?: string;
  /** As `Runtime.readsFiles`; true where absent. */
  readonly readsFiles?: boolean;
  readonly nodeName?: string;
  /** As `Runtime.onLoop`. */
  readonly onLoop?: Runtime['onLoop'];
  readonly log: Log;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** The process's where absent. */
  readonly environment?: Environment;
  /** The disk where absent. */
  readonly imports?: ImportSource;
}

export interface RunningDns {
  /** Listening, and every plugin is ready: until then names of the cluster get SERVFAIL. Rejects where the first Corefile is wrong. */
  readonly ready: Promise<void>;
  /** The sockets of the first Corefile are open; resolves to the ports that were taken, by the Corefile's. Rejects where it is wrong. */
  readonly listening: Promise<ReadonlyMap<number, number>>;
  readonly runtime: Runtime;
  /**
   * Another Corefile from now on. Sockets that both have stay open, and no question is lost.
   * @throws CorefileError, or the error of a socket that cannot be had; the old Corefile stays
   */
  load(text: string, file?: string): Promise<void>;
  /** What a client at `asker` would be told; each plugin that has a part in it says so in `trail`. Undefined: nothing. */
  ask(message: Message, asker: Asker, trail?: TrailStep[]): Promise<Answered | undefined>;
  /** What names of the cluster end in, for this Corefile: `cluster.local`. */
  clusterZones(): readonly string[];
  /** `atOnce`: without the wait of `lameduck`. */
  stop(options?: { readonly atOnce?: boolean }): Promise<void>;
}

/** ms a new Corefile's plugins have to become ready before they take over from the old ones' all the same. */
const READY_MS = 5000;

export function runDns(options: DnsOptions): RunningDns {
  return new DnsServer(options);
}

class DnsServer implements RunningDns {
  readonly runtime: Runtime;
  readonly listening: Promise<ReadonlyMap<number, number>>;
  readonly ready: Promise<void>;
  readonly #options: DnsOptions;
  readonly #sockets: Sockets;
  readonly #stopped = new AbortController();
  #servers: readonly Server[] = [];
  /** Of the first Corefile, as long as its sockets are not open. */
  #starting: readonly Server[] = [];
  /** Loads one after the other. */
  #turn: Promise<unknown>;

  constructor(options: DnsOptions) {
    this.#options = options;
    this.runtime = runtimeFor(options, () => this.#unready());
    this.#sockets = new Sockets({ ...options.listen, log: options.log, clock: this.runtime.clock }, this.runtime);
    const { file, text } = options.corefile;
    const first = this.#load(text, file, true);
    this.#turn = first.catch(() => undefined);
    this.listening = first.then(() => this.#sockets.ports());
    this.ready = first.then(() => whenReady(this.#servers));
    for (const promise of [this.listening, this.ready]) promise.catch(() => undefined);
  }

  load(text: string, file = this.#options.corefile.file): Promise<void> {
    const turn = this.#turn.then(() =>
      this.#load(text, file, false).catch((error: unknown) => {
        countReload(this.runtime.metrics, undefined);
        throw error;
      }),
    );
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async ask(message: Message, asker: Asker, trail?: TrailStep[]): Promise<Answered | undefined> {
    const router = this.#sockets.anyRouter();
    const { clock, metrics } = this.runtime;
    return router && respond(message, asker, { router, clock, metrics }, trail);
  }

  clusterZones(): readonly string[] {
    const zones = this.#servers.flatMap(({ plugins }) =>
      plugins.flatMap(({ instance }) => instance.clusterZones ?? []),
    );
    return [...new Set(zones)];
  }

  async stop({ atOnce = false } = {}): Promise<void> {
    this.#stopped.abort();
    await this.#turn;
    await stopPlugins(this.#servers, atOnce ? 'reload' : 'end');
    await this.#sockets.close();
  }

  /** Plugins too while the sockets are not open: `ready` asks nobody again whom it once did not find here. */
  #unready(): string[] {
    return this.#servers.length > 0 ? unreadyOf(this.#servers) : [...unreadyOf(this.#starting), 'sockets'];
  }

  /** Not for ever: an API server may be away. */
  async #readySoon(servers: readonly Server[]): Promise<void> {
    const enough = Promise.withResolvers<undefined>();
    const giveUp = (): void => {
      enough.resolve(undefined);
    };
    const cancel = this.runtime.clock.after(READY_MS, giveUp);
    this.#stopped.signal.addEventListener('abort', giveUp, { once: true });
    await Promise.race([whenReady(servers), enough.promise]);
    this.#stopped.signal.removeEventListener('abort', giveUp);
    cancel();
  }

  async #load(text: string, file: string, isFirst: boolean): Promise<void> {
    const { environment = (name) => process.env[name], imports = diskImports, listen } = this.#options;
    const blocks = parseCorefile(text, { file, environment, imports });
    if (blocks.length === 0) throw new CorefileError({ file, line: 1 }, 'expected a server block such as ".:53 {"');
    const servers = buildServers(blocks, this.runtime);
    const listeners = planListeners(servers, listen.addresses);
    if (isFirst) this.#starting = servers;
    await startPlugins(servers);
    // What is there answers until the new knows as much.
    if (!isFirst) await this.#readySoon(servers);
    try {
      // The first time an address may come up after us: the sockets are tried until they can be had.
      await this.#sockets.change(listeners, isFirst ? this.#stopped.signal : undefined);
    } catch (error) {
      await stopPlugins(servers, 'reload');
      throw error;
    }
    const before = this.#servers;
    this.#servers = servers;
    this.runtime.changes.announce(undefined);
    tellEnabled(this.runtime.metrics, servers);
    countReload(this.runtime.metrics, blocks);
    await stopPlugins(before, 'reload');
  }
}

/** What a server lends its plugins. */
export function runtimeFor(options: Omit<DnsOptions, 'corefile'>, unready: Runtime['unready'] = () => []): Runtime {
  const { log, clock = realClock, random = Math.random, client, nodeName } = options;
  return {
    log,
    clock,
    random,
    ...(client && { client }),
    ...(nodeName !== undefined && { nodeName }),
    ...(options.onLoop && { onLoop: options.onLoop }),
    resolvConf: options.resolvConf ?? '/etc/resolv.conf',
    ...(options.readsFiles !== undefined && { readsFiles: options.readsFiles }),
    ownAddresses: options.listen.addresses,
    ...(options.listen.port !== undefined && { ownPort: options.listen.port }),
    changes: createChangeFeed(),
    metrics: new DnsMetrics(),
    faces: new HttpFaces({
      log,
      clock,
      ...(options.listen.httpAddress !== undefined && { host: options.listen.httpAddress }),
    }),
    tap: new QueryTap(),
    ailments: new Map(),
    unready,
  };
}
