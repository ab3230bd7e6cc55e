/** The DNS server of one node: watches the cluster, answers for its names, forwards the rest. */
import { readFile } from 'node:fs/promises';
import type { Client } from '../client/client.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { AnswerCache } from './plugins/cache/answer-cache.ts';
import { watchCluster } from './plugins/kubernetes/cluster-view.ts';
import { createForwarder } from './plugins/forward/forward.ts';
import { respond } from './respond.ts';
import { serveDns, type DnsSockets } from './serve.ts';
import { parseUpstreams, type Upstream } from './plugins/forward/upstreams.ts';

export interface DnsOptions {
  readonly client: Client;
  readonly listenAddress: string;
  /** 53 where absent; 0 takes any. */
  readonly port?: number;
  /** `cluster.local` where absent. */
  readonly clusterDomain?: string;
  /** Servers for names outside the cluster. Where absent, those of `resolvConf`. */
  readonly upstreams?: readonly Upstream[];
  /** A resolv.conf to take upstreams from; a file that is missing or empty means none. */
  readonly resolvConf?: string;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface RunningDns {
  /** Listening, and the first list of everything is there. Until then names of the cluster get SERVFAIL. */
  readonly ready: Promise<void>;
  /** The sockets are open; resolves to the port. */
  readonly listening: Promise<number>;
  stop(): Promise<void>;
}

/** Between tries to get the address and port: the node's address may come up after the agent. */
const RETRY_MS = 500;

export function runDns(options: DnsOptions): RunningDns {
  const { client, log, clock = realClock } = options;
  const view = watchCluster(client, log, () => clock.now());
  const stopped = new AbortController();
  const sockets = listen(options, view, clock, stopped.signal);
  const listening = sockets.then((open) => open?.port ?? 0);
  const ready = Promise.all([listening, view.synced]).then(() => undefined);
  return {
    ready,
    listening,
    async stop() {
      stopped.abort();
      view.stop();
      await (await sockets)?.close();
    },
  };
}

/** Undefined when stopped before it came to that. Never rejects. */
async function listen(
  options: DnsOptions,
  view: ReturnType<typeof watchCluster>,
  clock: Clock,
  signal: AbortSignal,
): Promise<DnsSockets | undefined> {
  const { listenAddress: address, port = 53, log } = options;
  const upstreams = options.upstreams ?? (await readUpstreams(options));
  const respondOptions = {
    view,
    zone: (options.clusterDomain ?? 'cluster.local').replace(/\.$/, '').toLowerCase(),
    forwarder: createForwarder({ upstreams }),
    cache: new AnswerCache(),
    hasUpstreams: upstreams.length > 0,
    now: () => clock.now(),
    shuffle,
  };
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      const open = await serveDns({ address, port, log, respond: (query) => respond(query, respondOptions) });
      log.info({ address, port: open.port, upstreams: upstreams.map((each) => each.address) }, 'serving DNS');
      return open;
    } catch (error) {
      if (tries === 0) log.error({ err: error, address, port }, 'cannot listen for DNS, trying again until it works');
      await pause(clock, RETRY_MS, signal);
    }
  }
  return undefined;
}

async function readUpstreams({ resolvConf, listenAddress, log }: DnsOptions): Promise<Upstream[]> {
  if (resolvConf === undefined) return [];
  try {
    return parseUpstreams(await readFile(resolvConf, 'utf8'), [listenAddress]);
  } catch (error) {
    log.warn({ err: error, resolvConf }, 'cannot read upstream servers: names outside the cluster will not resolve');
    return [];
  }
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}

/** Fisher and Yates. */
function shuffle<T>(list: readonly T[]): T[] {
  const shuffled = [...list];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    const [a, b] = [shuffled[last], shuffled[other]];
    if (a !== undefined && b !== undefined) [shuffled[last], shuffled[other]] = [b, a];
  }
  return shuffled;
}
