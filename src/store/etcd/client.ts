/** Calls to etcd: one member at a time, another when that one fails, each call within a bounded time. */
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { GrpcChannel, type StreamHandlers } from '../../host/grpc/channel.ts';
import { Codec } from '../../host/grpc/codec.ts';
import { GrpcError } from '../../host/grpc/grpc-error.ts';
import { parseProto } from '../../host/grpc/proto.ts';
import { parseEndpoints, type Endpoint } from './endpoints.ts';
import { inDoubt, outcomeOf, refused, unavailable } from './failures.ts';

export interface EtcdConnection {
  /** `https://a:2379,https://b:2379`, as for `--datastore`. */
  readonly endpoints: string;
  /** PEM texts: whom to believe, and who we are. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly timeouts?: Timeouts;
}

/** Milliseconds. */
export interface Timeouts {
  /** Of one attempt that may be repeated: a member that lost its leader a moment ago would sit on it for seconds. */
  readonly read: number;
  /** Of one that may not: above the 7 s after which etcd gives up itself, so that its own words are heard. */
  readonly write: number;
  /** Of all attempts. */
  readonly total: number;
}

export interface WatchCall {
  close(): void;
  /** Its member is too slow, or hangs. */
  giveUp(): void;
}

const TIMEOUTS: Timeouts = { read: 2000, write: 8000, total: 8000 };
const CONNECT_TIMEOUT = 2000;
/** Servers refuse to be asked more often than every 5 s. */
const KEEP_ALIVE = 10_000;
/** A range is asked in pages; a single value is at most 1.5 MiB by default, a batch of watch events a little more than that. */
const MAX_MESSAGE = 512 * 1024 * 1024;
/** A member that has lost its leader says so instead of waiting. */
const METADATA = { hasleader: 'true' };
const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 500;

const FILE = parseProto(readFileSync(new URL('rpc.proto', import.meta.url), 'utf8'));
const CODEC = new Codec(FILE);

export class EtcdClient {
  readonly endpoints: string;
  readonly #channels: readonly GrpcChannel[];
  readonly #timeouts: Timeouts;
  #at = 0;
  #closed = false;

  /** @throws Error for endpoints or certificates that make no sense; connects with the first call */
  constructor({ endpoints, ca, cert, key, timeouts = TIMEOUTS }: EtcdConnection) {
    this.endpoints = endpoints;
    this.#timeouts = timeouts;
    this.#channels = parseEndpoints(endpoints).map((endpoint) => channelTo(endpoint, { ca, cert, key }));
  }

  /**
   * @param call `KV/Txn` @param mayRepeat doing it twice is as doing it once, so a lost answer is no reason for doubt
   * @throws StoreError: `unavailable` (nothing was done), `unknown` (it may have been done), and refusals; GrpcError for those about revisions
   */
  async call<T>(call: string, request: object, mayRepeat: boolean): Promise<T> {
    const { path, types } = callOf(call);
    const message = CODEC.encode(types.request, request);
    const { read, write, total } = this.#timeouts;
    const deadline = performance.now() + total;
    for (let failures = 1; ; failures += 1) {
      const channel = this.#channel();
      const left = Math.max(1, Math.ceil(Math.min(mayRepeat ? read : write, deadline - performance.now())));
      try {
        return CODEC.decode(types.response, await channel.call(path, message, left, METADATA)) as T;
      } catch (error) {
        if (!(error instanceof GrpcError)) throw error;
        const outcome = outcomeOf(error);
        if (outcome === 'final') throw isAboutRevisions(error) ? error : refused(error, this.endpoints);
        this.#leave(channel);
        if (outcome === 'doubt' && !mayRepeat) throw inDoubt(error);
        const pause = this.#pause(failures);
        if (this.#closed || performance.now() + pause >= deadline) throw unavailable(this.endpoints, error);
        if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** Opens a watch at the member that is used now; a failed one is left for the next time, and so is one that is given up on. */
  watch(create: object, handlers: { onResponse(response: object): void; onEnd(error: GrpcError): void }): WatchCall {
    const channel = this.#channel();
    const { path, types } = callOf('Watch/Watch');
    const following: StreamHandlers = {
      onMessage: (message) => {
        handlers.onResponse(CODEC.decode(types.response, message));
      },
      onEnd: (error) => {
        this.#leave(channel);
        handlers.onEnd(error);
      },
    };
    const stream = channel.stream(path, METADATA, following);
    stream.send(CODEC.encode(types.request, { createRequest: create }));
    return {
      close: () => {
        stream.close();
      },
      giveUp: () => {
        this.#leave(channel);
        stream.close();
      },
    };
  }

  close(): void {
    this.#closed = true;
    for (const channel of this.#channels) channel.close();
  }

  #channel(): GrpcChannel {
    const channel = this.#channels[this.#at];
    if (!channel) throw new Error('an etcd client needs an endpoint');
    return channel;
  }

  /** Only for the first one who found it broken: others that failed with it must not leave the next one too. */
  #leave(channel: GrpcChannel): void {
    if (this.#channels[this.#at] === channel) this.#at = (this.#at + 1) % this.#channels.length;
  }

  /** None until every member has been asked. */
  #pause(failures: number): number {
    const round = Math.floor(failures / this.#channels.length);
    if (round === 0) return 0;
    return Math.min(FIRST_PAUSE * 2 ** Math.min(round - 1, 10), LONGEST_PAUSE) * (0.5 + Math.random() / 2);
  }
}

function callOf(call: string): { path: string; types: { request: string; response: string } } {
  const [service = '', name = ''] = call.split('/');
  const types = FILE.services.get(service)?.get(name);
  if (!types) throw new Error(`rpc.proto has no call ${call}`);
  return { path: `/${FILE.package}.${call}`, types };
}

function isAboutRevisions(error: GrpcError): boolean {
  return /required revision/.test(error.message);
}

function channelTo({ host, port, tls }: Endpoint, pem: Pick<EtcdConnection, 'ca' | 'cert' | 'key'>): GrpcChannel {
  const name = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
  return new GrpcChannel({
    name,
    connectTimeout: CONNECT_TIMEOUT,
    keepAlive: KEEP_ALIVE,
    maxMessage: MAX_MESSAGE,
    openedBy: tls ? 'secureConnect' : 'connect',
    open: () => {
      if (!tls) return connectTcp({ host, port, noDelay: true });
      const { ca, cert, key } = pem;
      const socket = connectTls({ host, port, ca, cert, key, ALPNProtocols: ['h2'], minVersion: 'TLSv1.2' });
      socket.setNoDelay(true);
      return socket;
    },
  });
}
