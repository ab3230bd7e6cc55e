/** Starts the API server: the state from the store into memory, the socket, the objects every cluster has. */
import type { Client } from '../client/client.ts';
import { realClock } from '../lib/clock.ts';
import { joinHostPort } from '../lib/ip.ts';
import { assemble, type AssembleOptions } from './assemble.ts';
import type { AuditOptions } from './audit/open.ts';
import { handle } from './handle.ts';
import { answerRaw } from './answer-raw.ts';
import type { ApiRequest, ApiResponse } from './request.ts';
import { listen } from './serve.ts';

export interface ApiServerOptions extends AssembleOptions {
  /** Absent: no audit log. */
  readonly auditLog?: AuditOptions | undefined;
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
  const audit = await openAuditLog(options);
  const { server, localClient, begin, announceEnd, close } = await assemble({ ...options, audit });
  const listening = await listen(
    { bindAddress, port: securePort, cert: tls.cert, key: tls.key, clientCa: tls.clientCa },
    {
      request: (raw) => answerRaw(server, raw),
      upgrade: (raw, socket, head) => {
        // Loaded on first use: most runs never ask for a stream.
        import('./streams/upgrade.ts')
          .then(({ relayUpgrade }) => relayUpgrade(server, raw, socket, head))
          .catch((error: unknown) => {
            // A program that was replaced while it runs cannot be loaded from any more: that ends one stream, not the server.
            log.error({ error: String(error) }, 'stream could not be served');
            socket.destroy();
          });
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
      await audit?.file.close();
    },
  };
}

/** Loaded only where it is asked for. */
async function openAuditLog({ auditLog, clock = realClock, log, audit }: ApiServerOptions): Promise<typeof audit> {
  if (!auditLog) return audit;
  const { openAudit } = await import('./audit/open.ts');
  return await openAudit(auditLog, clock, log);
}
