/** An admission webhook with a CA of its own, on loopback: HTTPS, and an answer that the test decides. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureCertificates, pkiPaths } from '../../src/cluster/certificates.ts';

export interface ReviewRequest {
  readonly uid: string;
  readonly operation: string;
  readonly name: string;
  readonly namespace?: string;
  readonly subResource?: string;
  readonly kind: Record<string, string>;
  readonly resource: Record<string, string>;
  readonly requestKind: Record<string, string>;
  readonly userInfo: { readonly username: string; readonly groups: readonly string[] };
  readonly dryRun: boolean;
  readonly options: unknown;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly object: any;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly oldObject: any;
}

/** `response` of the AdmissionReview; `uid` is filled in. A string is sent as it is; undefined: never answered. */
export type Reply = Record<string, unknown> | string | undefined;

export interface WebhookServer {
  readonly port: number;
  /** `https://ADDRESS:PORT` */
  readonly url: string;
  /** Base64, as a configuration takes it. */
  readonly caBundle: string;
  /** What was asked, in order; the tests empty it. */
  readonly seen: { path: string; request: ReviewRequest }[];
  /** How many there have been. */
  connections(): number;
  dropConnections(): void;
  stop(): Promise<void>;
}

/** `name` is what the certificate is for besides `address`. `reply` may set the status of the HTTP answer. */
export async function startWebhook(
  name: string,
  reply: (path: string, request: ReviewRequest, response: ServerResponse) => Reply,
  address = '127.0.0.1',
): Promise<WebhookServer> {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-webhook-'));
  await ensureCertificates(folder, [{ file: 'hook', commonName: name, use: 'server', ips: [address], names: [name] }]);
  const paths = pkiPaths(folder);
  const [cert, key, ca] = [paths.cert('hook'), paths.key('hook'), paths.ca].map((path) => readFileSync(path));
  rmSync(folder, { recursive: true });
  const seen: WebhookServer['seen'] = [];
  const server = createServer({ cert, key }, (incoming, response) => {
    void answer(incoming, response, seen, reply);
  });
  let connections = 0;
  server.on('secureConnection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `https://${address}:${String(port)}`,
    caBundle: (ca ?? Buffer.alloc(0)).toString('base64'),
    seen,
    connections: () => connections,
    dropConnections: () => {
      server.closeAllConnections();
    },
    stop: () => close(server),
  };
}

async function answer(
  incoming: IncomingMessage,
  response: ServerResponse,
  seen: WebhookServer['seen'],
  reply: Parameters<typeof startWebhook>[1],
): Promise<void> {
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  const { apiVersion, kind, request } = JSON.parse(text) as {
    apiVersion: string;
    kind: string;
    request: ReviewRequest;
  };
  const path = incoming.url ?? '';
  seen.push({ path, request });
  const said = reply(path, request, response);
  if (said === undefined) return;
  const body = typeof said === 'string' ? said : { apiVersion, kind, response: { uid: request.uid, ...said } };
  response.setHeader('content-type', 'application/json');
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
