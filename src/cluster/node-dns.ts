/**
 * The DNS of one node, kept at what ConfigMap kube-system/coredns says. A Corefile that is wrong changes nothing and is told in an Event on the
 * ConfigMap; one that is deleted makes it the default. The last one that was good is remembered on disk, so that a node that starts while the
 * API server is away sends nobody's names to the wrong upstream.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CONFIG_MAPS } from '../api/kinds.ts';
import type { ConfigMap } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder, type EventRecorder } from '../client/events.ts';
import { startInformer } from '../client/informer.ts';
import { CorefileError } from '../dns/corefile/corefile-error.ts';
import { defaultCorefile } from '../dns/corefile/default-corefile.ts';
import { runDns, type RunningDns } from '../dns/run.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { COREFILE_KEY, COREFILE_MAP, COREFILE_NAMESPACE, mapImports, type CorefileData } from './corefile-map.ts';

export interface NodeDnsOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** Where it listens: DNS, and the HTTP ports of the Corefile. */
  readonly addresses: readonly string[];
  /** 53 where absent; 0 takes any. */
  readonly port?: number;
  readonly clusterDomain: string;
  readonly resolvConf: string;
  /** Where the last good Corefile is remembered. */
  readonly directory: string;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface NodeDns {
  /** Of the first Corefile that could be taken. */
  readonly running: Promise<RunningDns>;
  stop(): Promise<void>;
}

/** ms after which a Corefile that is right and could not be taken, such as for a socket that is in use, is tried again. */
const RETRY_MS = 5000;
/** ms that the API server has to say what the Corefile is, before the node starts with what it remembers. */
const FIRST_WORD_MS = 2000;

/** Wanted before anything was: equal to no word of the API server. */
const NOTHING: ConfigMap = { metadata: { name: '' } };

export function runNodeDns(options: NodeDnsOptions): NodeDns {
  return new NodeDnsServer(options);
}

class NodeDnsServer implements NodeDns {
  readonly running: Promise<RunningDns>;
  readonly #options: NodeDnsOptions;
  readonly #events: EventRecorder;
  readonly #informer;
  readonly #unsubscribe: () => void;
  readonly #stopped = new AbortController();
  /** Of the Corefile that is served or being tried: what its imports find. */
  #data: CorefileData = {};
  #wanted: ConfigMap | undefined = NOTHING;
  #work: Promise<void>;
  #hasComplained = false;

  constructor(options: NodeDnsOptions) {
    const { client, nodeName, log } = options;
    this.#options = options;
    this.#events = createEventRecorder(client, 'fairway-dns', nodeName, options.clock);
    const selection = { namespace: COREFILE_NAMESPACE, fieldSelector: `metadata.name=${COREFILE_MAP}` };
    this.#informer = startInformer(client, CONFIG_MAPS, selection, log);
    this.running = this.#start();
    this.running.catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) log.error({ err: error }, 'the DNS server could not be started');
    });
    this.#work = this.running.then(
      () => undefined,
      () => undefined,
    );
    this.#unsubscribe = this.#informer.onChange(({ type, object }) => {
      const map = type === 'deleted' ? undefined : object;
      this.#work = this.#work.then(() => this.#take(map));
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#unsubscribe();
    this.#informer.stop();
    await this.#work;
    // A node that ends answers nobody: there is nobody to wait for.
    await (await this.running.catch(() => undefined))?.stop({ atOnce: true });
    await this.#events.flush();
  }

  /** What the cluster says, else what was good last, else the default. */
  async #start(): Promise<RunningDns> {
    const heard = await this.#firstWord();
    const remembered = await this.#remembered();
    const own = { [COREFILE_KEY]: defaultCorefile(this.#options.clusterDomain) };
    if (heard) {
      const map = this.#informer.get(COREFILE_MAP, COREFILE_NAMESPACE);
      this.#wanted = map;
      if (!map) return this.#run(own);
      try {
        const running = await this.#run(map.data ?? {});
        await this.#remember();
        return running;
      } catch (error) {
        this.#complain(map, error);
      }
    }
    try {
      if (remembered) return await this.#run(remembered);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the Corefile of last time is wrong, taking the default');
    }
    return this.#run(own);
  }

  /** Whether the API server has said what there is. */
  async #firstWord(): Promise<boolean> {
    const { clock = realClock } = this.#options;
    const late = Promise.withResolvers<undefined>();
    const giveUp = (): void => {
      late.resolve(undefined);
    };
    const cancel = clock.after(FIRST_WORD_MS, giveUp);
    this.#stopped.signal.addEventListener('abort', giveUp, { once: true });
    await Promise.race([this.#informer.synced, late.promise]);
    cancel();
    return this.#informer.hasSynced;
  }

  /** @throws what is wrong with it */
  async #run(data: CorefileData): Promise<RunningDns> {
    const { client, nodeName, addresses, port, resolvConf, log, clock } = this.#options;
    this.#data = data;
    const [httpAddress] = addresses;
    const running = runDns({
      client,
      nodeName,
      resolvConf,
      log,
      corefile: { file: COREFILE_KEY, text: corefileOf(data) },
      listen: { addresses, ...(port !== undefined && { port }), ...(httpAddress !== undefined && { httpAddress }) },
      imports: mapImports(() => this.#data),
      // Who may write the ConfigMap may not read what this process was started with, nor what only root reads.
      environment: () => undefined,
      readsFiles: false,
      onLoop: (message) => {
        this.#tellLoop(message);
      },
      ...(clock && { clock }),
    });
    this.#stopped.signal.addEventListener('abort', () => void running.stop({ atOnce: true }), { once: true });
    try {
      await running.listening;
    } catch (error) {
      await running.stop({ atOnce: true });
      throw error;
    }
    return running;
  }

  /** The newest word counts: one that another has followed already is passed over. */
  async #take(map: ConfigMap | undefined): Promise<void> {
    const current = this.#informer.get(COREFILE_MAP, COREFILE_NAMESPACE);
    if (this.#stopped.signal.aborted || current !== map || map === this.#wanted) return;
    this.#wanted = map;
    const before = this.#data;
    const data = map ? (map.data ?? {}) : { [COREFILE_KEY]: defaultCorefile(this.#options.clusterDomain) };
    if (!sameData(data, before)) {
      this.#data = data;
      try {
        await (await this.running).load(corefileOf(data));
      } catch (error) {
        this.#data = before;
        this.#complain(map, error);
        if (!(error instanceof CorefileError)) this.#retryLater(map);
        return;
      }
      await this.#remember();
      this.#options.log.info(map ? 'another Corefile from now on' : 'no Corefile any more: the default from now on');
    }
    if (map && this.#hasComplained) this.#say(map, 'Normal', 'CorefileLoaded', `taken on ${this.#options.nodeName}`);
    this.#hasComplained = false;
  }

  #retryLater(map: ConfigMap | undefined): void {
    const { clock = realClock } = this.#options;
    clock.after(
      RETRY_MS,
      () => {
        if (this.#wanted !== map) return;
        this.#wanted = NOTHING;
        this.#work = this.#work.then(() => this.#take(map));
      },
      true,
    );
  }

  #complain(map: ConfigMap | undefined, error: unknown): void {
    const { log, nodeName } = this.#options;
    this.#hasComplained = true;
    log.error({ err: error }, 'this Corefile is not taken, the one before stays');
    if (!map) return;
    const why = error instanceof Error ? error.message : String(error);
    const reason = error instanceof CorefileError ? 'InvalidCorefile' : 'CorefileNotLoaded';
    this.#say(map, 'Warning', reason, `not taken on ${nodeName}, where the one before stays: ${why}`);
  }

  /** The log has it already. */
  #tellLoop(message: string | undefined): void {
    const map = this.#informer.get(COREFILE_MAP, COREFILE_NAMESPACE);
    const { nodeName } = this.#options;
    if (!map) return;
    if (message === undefined)
      this.#say(map, 'Normal', 'ForwardingLoopEnded', `upstreams are asked again on ${nodeName}`);
    else this.#say(map, 'Warning', 'ForwardingLoop', `on ${nodeName}: ${message}`);
  }

  #say(map: ConfigMap, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#events.event({ ...map, apiVersion: 'v1', kind: 'ConfigMap' }, type, reason, message);
  }

  async #remembered(): Promise<CorefileData | undefined> {
    try {
      const data = JSON.parse(await readFile(this.#file, 'utf8')) as unknown;
      const isData =
        typeof data === 'object' && data !== null && Object.values(data).every((one) => typeof one === 'string');
      return isData ? (data as CorefileData) : undefined;
    } catch {
      return undefined;
    }
  }

  async #remember(): Promise<void> {
    try {
      await mkdir(this.#options.directory, { recursive: true, mode: 0o750 });
      await writeFile(`${this.#file}.new`, JSON.stringify(this.#data), { mode: 0o640 });
      await rename(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the Corefile could not be remembered');
    }
  }

  get #file(): string {
    return join(this.#options.directory, 'corefile.json');
  }
}

/** @throws CorefileError where there is none */
function corefileOf(data: CorefileData): string {
  const text = data[COREFILE_KEY];
  if (text !== undefined) return text;
  throw new CorefileError({ file: COREFILE_KEY, line: 1 }, `the ConfigMap has no key ${COREFILE_KEY}`);
}

function sameData(a: CorefileData, b: CorefileData): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
