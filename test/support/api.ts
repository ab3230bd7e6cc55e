/**
 * A whole API server for tests, over the store in memory. Without a socket (`startTestApi`), so that it runs anywhere;
 * with one on 127.0.0.1 (`startTlsApi`), for which the test must be in a namespace of its own.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble, type AssembleOptions } from '../../src/apiserver/assemble.ts';
import { answerRaw } from '../../src/apiserver/answer-raw.ts';
import type { Peer } from '../../src/apiserver/authenticate.ts';
import type { HeaderPairs } from '../../src/apiserver/authentication/impersonate.ts';
import { strictness } from '../../src/apiserver/entry.ts';
import { handle } from '../../src/apiserver/handle.ts';
import { LOOPBACK, isStream, type ApiRequest, type ApiResponse, type User } from '../../src/apiserver/request.ts';
import { runApiServer, type ApiServerOptions } from '../../src/apiserver/run.ts';
import type { Server } from '../../src/apiserver/server.ts';
import type { Client } from '../../src/client/client.ts';
import { ensureCertificates, pkiPaths } from '../../src/cluster/certificates.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import { requireOuterNamespace } from './outer-namespace.ts';

/** One key for all tests of a process: making it is the slowest part of the start. */
const serviceAccountKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

export interface TestRequest {
  query?: Record<string, string> | string;
  /** A string goes as it is, everything else as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  user?: User;
}

/** A request as it comes off the socket: nobody knows yet whose it is. */
export interface Knock extends Omit<TestRequest, 'user'> {
  peer?: Peer;
  impersonation?: HeaderPairs;
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: ApiResponse['headers'];
  readonly text: string;
  /** The parsed JSON body; undefined when it is none. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any;
}

export interface TestApi {
  readonly client: Client;
  readonly store: Store;
  readonly server: Server;
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** `request('POST', '/api/v1/namespaces/default/services', { body })`; waits for the end of a stream. */
  request(method: string, path: string, options?: TestRequest): Promise<TestAnswer>;
  /** The same with credentials instead of a user: through authentication, impersonation and the audit log. */
  knock(method: string, path: string, options?: Knock): Promise<TestAnswer>;
  stop(): Promise<void>;
}

type Overrides = Partial<AssembleOptions>;

function options(overrides: Overrides): AssembleOptions {
  return {
    store: overrides.store ?? createMemoryStore(),
    advertiseAddress: '172.30.0.1',
    securePort: 6443,
    kubeletClient: { cert: '', key: '' },
    serviceAccountKey,
    serviceAccountIssuer: 'https://kubernetes.default.svc.cluster.local',
    serviceClusterIpRange: '10.96.0.0/16',
    serviceNodePortRange: '30000-32767',
    caBundle: '-----BEGIN CERTIFICATE-----\ntest\n-----END CERTIFICATE-----\n',
    log: silentLog,
    ...overrides,
  };
}

/** In this process and without a socket. Objects that readers share are frozen, so that one who changes them fails. */
export async function startTestApi(overrides: Overrides = {}): Promise<TestApi> {
  strictness.freeze = true;
  const all = options(overrides);
  const { server, localClient, begin, announceEnd, close } = await assemble(all);
  await begin(all.securePort);
  const run = (request: ApiRequest) => handle(server, request);
  return {
    server,
    client: localClient,
    store: all.store,
    handle: run,
    request: (method, path, given) => send(run, method, path, given),
    knock: (method, path, { peer = {}, impersonation = [], ...given } = {}) =>
      send(
        ({ user: _user, ...request }) =>
          answerRaw(server, { ...request, peer, impersonation, search: request.query.toString() }),
        method,
        path,
        given,
      ),
    async stop() {
      await announceEnd();
      close();
      await all.store.close();
    },
  };
}

export function apiRequest(method: string, path: string, given: TestRequest = {}): ApiRequest {
  const { body, query = '', headers = {}, user = LOOPBACK } = given;
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const [bare = '', inPath = ''] = path.split('?', 2);
  return {
    method,
    path: bare,
    query: new URLSearchParams(inPath === '' ? query : inPath),
    headers,
    body: Buffer.from(text),
    user,
    remoteAddress: '127.0.0.1',
  };
}

async function send(
  run: (request: ApiRequest) => Promise<ApiResponse>,
  method: string,
  path: string,
  given?: TestRequest,
): Promise<TestAnswer> {
  const { status, headers, body } = await run(apiRequest(method, path, given));
  const text = isStream(body) ? await readStream(body) : Buffer.from(body as Uint8Array).toString();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not JSON: the test looks at the text.
  }
  return { status, headers, text, json };
}

function readStream(body: Extract<ApiResponse['body'], { start: unknown }>): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    body.start({
      write: (chunk) => chunks.push(chunk),
      pending: () => 0,
      drained: setImmediate,
      end: () => {
        resolve(Buffer.concat(chunks).toString());
      },
    });
  });
}

export interface TlsApi {
  readonly url: string;
  readonly client: Client;
  /** PEM texts of an administrator. */
  readonly admin: { readonly ca: string; readonly cert: string; readonly key: string };
  /** PEM texts of the serving certificate, which is for 127.0.0.1. */
  readonly serving: { readonly ca: string; readonly cert: string; readonly key: string };
  /** For `kubectl --kubeconfig`. */
  readonly kubeconfig: string;
  readonly folder: string;
  stop(): Promise<void>;
}

/** Over real TLS on 127.0.0.1. Throws outside of an outer namespace. */
export async function startTlsApi(overrides: Overrides & Pick<ApiServerOptions, 'auditLog'> = {}): Promise<TlsApi> {
  requireOuterNamespace();
  const folder = mkdtempSync(join(tmpdir(), 'fairway-api-'));
  await ensureCertificates(folder, [
    { file: 'apiserver', commonName: 'kube-apiserver', use: 'server', ips: ['127.0.0.1'] },
    { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters', use: 'client' },
  ]);
  const paths = pkiPaths(folder);
  const read = (path: string) => readFileSync(path, 'utf8');
  const ca = read(paths.ca);
  const admin = { ca, cert: read(paths.cert('admin')), key: read(paths.key('admin')) };
  const serving = { ca, cert: read(paths.cert('apiserver')), key: read(paths.key('apiserver')) };
  const all = options({ advertiseAddress: '127.0.0.1', caBundle: ca, kubeletClient: admin, ...overrides });
  const api = await runApiServer({
    ...all,
    auditLog: overrides.auditLog,
    bindAddress: '127.0.0.1',
    securePort: overrides.securePort ?? 0,
    tls: { ...serving, clientCa: ca },
  });
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(api.url, admin), { mode: 0o600 });
  return {
    url: api.url,
    client: api.localClient,
    admin,
    serving,
    kubeconfig,
    folder,
    async stop() {
      await api.stop();
      await all.store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function kubeconfigText(server: string, { ca, cert, key }: TlsApi['admin']): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'admin', user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  });
}
