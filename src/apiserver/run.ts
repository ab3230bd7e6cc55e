/** Starts the API server: the state from the store into memory, the socket, the objects every cluster has. */
import { ApiError } from '../api/api-error.ts';
import type { Client } from '../client/client.ts';
import { joinHostPort } from '../lib/ip.ts';
import { assemble, type AssembleOptions } from './assemble.ts';
import { handle } from './handle.ts';
import { identify } from './identify.ts';
import type { ApiRequest, ApiResponse } from './request.ts';
import { renderError } from './respond.ts';
import { listen, type RawRequest } from './serve.ts';
import type { Server } from './server.ts';

export interface ApiServerOptions extends AssembleOptions {
  readonly bindAddress: string;
  /** 0: any free one, for tests. */
  readonly securePort: number;
  /** PEM texts; `clientCa` is the CA of client certificates. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string };
}

export interface ApiServer {
  /** `https://172.30.0.1:6443` */
  readonly url: string;
  /** In this process, as system:masters. */
  readonly localClient: Client;
  /** The same for a part that owns what it writes under its own name (`kube-scheduler`). */
  clientAs(manager: string): Client;
  /** The server as a function, without the socket. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** Ends the socket and everything that runs in the background; the store stays open. */
  stop(): Promise<void>;
}

/** Throws an Error for options that make no sense, and what listening throws (a port already taken). */
export async function runApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { log, tls, bindAddress, securePort, advertiseAddress } = options;
  const { server, localClient, begin, announceEnd, close } = await assemble(options);
  const listening = await listen(
    { bindAddress, port: securePort, cert: tls.cert, key: tls.key, clientCa: tls.clientCa },
    {
      request: (raw) => answerRaw(server, raw),
      upgrade: (raw, socket, head) => {
        // Loaded on first use: most runs never ask for a stream.
        void import('./streams/upgrade.ts').then(({ relayUpgrade }) => relayUpgrade(server, raw, socket, head));
      },
    },
  );
  await begin(listening.port);
  const url = `https://${joinHostPort(advertiseAddress, listening.port)}`;
  log.info({ url }, 'API server is ready');
  return {
    url,
    localClient,
    clientAs: (manager) => localClient.as(manager),
    handle: (request) => handle(server, request),
    async stop() {
      await announceEnd();
      await listening.close();
      close();
    },
  };
}

/** Authentication comes first, so that wrong credentials are 401 whatever is asked for. */
async function answerRaw(server: Server, raw: RawRequest): Promise<ApiResponse> {
  const { peer: _peer, impersonation: _impersonation, ...rest } = raw;
  try {
    const { user } = await identify(server, raw);
    return await handle(server, { ...rest, user });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return renderError(error, { ...rest, user: { name: '', groups: [] } });
  }
}
