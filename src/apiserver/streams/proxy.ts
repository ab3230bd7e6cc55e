/** pods/proxy and services/proxy over plain HTTP (features 7-067, 8-114 to 8-120). */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { unavailable, badRequest } from '../../api/api-error.ts';
import { ENDPOINTS, PODS, SERVICES } from '../../api/kinds.ts';
import type { Endpoints, Pod, Service } from '../../api/types.ts';
import { joinHostPort } from '../../lib/ip.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';
import { readObject } from '../read.ts';
import type { ApiRequest, ApiResponse } from '../request.ts';
import type { Call } from '../resources.ts';
import { passOn } from './pass-on.ts';

interface Backend {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
}

/** `[https:]name[:port]`. */
interface Target {
  readonly secure: boolean;
  readonly name: string;
  readonly port: string;
}

const CONNECT_TIMEOUT = 30_000;
/** Not passed on: they are about this connection, or are the client's credentials (feature 8-119). */
const dropped = ['authorization', 'connection', 'host', 'content-length', 'transfer-encoding', 'keep-alive', 'upgrade'];

export async function proxyResponse(core: Core, { kind, info, request }: Call): Promise<ApiResponse> {
  const target = parseTarget(info.name ?? '');
  if (info.rest === '' && !request.path.endsWith('/') && ['GET', 'HEAD'].includes(request.method)) {
    const query = request.query.toString();
    return { status: 301, headers: { location: `${request.path}/${query && `?${query}`}` }, body: '' };
  }
  const backend =
    kind === SERVICES
      ? await serviceBackend(core, info.namespace ?? '', target)
      : await podBackend(core, info.namespace ?? '', target);
  return await forward(backend, request, info.rest);
}

/** Throws BadRequest for a name that is none of the forms. */
export function parseTarget(text: string): Target {
  const parts = text.split(':');
  const scheme =
    parts.length === 3 || (parts.length === 2 && ['http', 'https', ''].includes(parts[0] ?? '')) ? parts.shift() : '';
  const [name = '', port = ''] = parts;
  if (parts.length > 2 || name === '' || !['', 'http', 'https'].includes(scheme ?? '')) {
    throw badRequest(`invalid proxy target ${JSON.stringify(text)}: use [https:]name[:port]`);
  }
  return { secure: scheme === 'https', name, port };
}

async function podBackend(core: Core, namespace: string, { secure, name, port }: Target): Promise<Backend> {
  const pod = (await readObject(core, PODS, namespace, name)).object as Pod;
  const declared = pod.spec.containers.flatMap((container) => container.ports ?? []);
  const named = declared.find((each) => each.name !== undefined && each.name === port)?.containerPort;
  const number = port === '' ? (declared[0]?.containerPort ?? 80) : (named ?? Number(port));
  const host = pod.status?.podIP ?? '';
  if (host === '') throw unavailable(`pod ${JSON.stringify(name)} has no IP address yet`);
  if (!Number.isInteger(number) || number < 1 || number > 65535)
    throw badRequest(`invalid port ${JSON.stringify(port)}`);
  return { secure, host, port: number };
}

/** A ready address of the Endpoints that belongs to a Pod of the namespace: nothing else is reachable this way (feature 8-116). */
async function serviceBackend(core: Core, namespace: string, { secure, name, port }: Target): Promise<Backend> {
  const service = (await readObject(core, SERVICES, namespace, name)).object as Service;
  const portName = portNameOf(service, port);
  const endpoints = core.cache.of(ENDPOINTS).get(keyOf(ENDPOINTS, namespace, name))?.object as Endpoints | undefined;
  const candidates = (endpoints?.subsets ?? []).flatMap((subset) => {
    const found = subset.ports?.find((each) => (each.name ?? '') === portName);
    if (!found) return [];
    const addresses = (subset.addresses ?? []).filter(({ ip, targetRef }) =>
      isPodAddress(core, namespace, ip, targetRef?.name),
    );
    return addresses.map(({ ip }) => ({ secure, host: ip, port: found.port }));
  });
  const chosen = candidates[candidates.length > 1 ? core.random(candidates.length) : 0];
  if (!chosen) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return chosen;
}

function portNameOf({ metadata, spec }: Service, asked: string): string {
  const ports = spec.ports ?? [];
  if (asked === '') return ports[0]?.name ?? '';
  if (!/^\d+$/.test(asked)) return asked;
  const found = ports.find((each) => each.port === Number(asked));
  if (!found) throw unavailable(`no service port ${asked} found for service ${JSON.stringify(metadata.name)}`);
  return found.name ?? '';
}

function isPodAddress(core: Core, namespace: string, ip: string, name: string | undefined): boolean {
  if (name === undefined) return false;
  const pod = core.cache.of(PODS).get(keyOf(PODS, namespace, name))?.object as Pod | undefined;
  return [pod?.status?.podIP, ...(pod?.status?.podIPs ?? []).map((each) => each.ip)].includes(ip);
}

function forward({ secure, host, port }: Backend, request: ApiRequest, rest: string): Promise<ApiResponse> {
  const query = request.query.toString();
  const headers = Object.entries(request.headers).filter(
    ([name, value]) => value !== undefined && !dropped.includes(name),
  );
  const options = {
    host,
    port,
    method: request.method,
    path: `/${rest}${query && `?${query}`}`,
    agent: false as const,
    timeout: CONNECT_TIMEOUT,
    headers: {
      ...(Object.fromEntries(headers) as Record<string, string>),
      host: joinHostPort(host, port),
      'x-forwarded-for': request.remoteAddress,
      'x-forwarded-host': request.headers['host'] ?? '',
      'x-forwarded-proto': 'https',
      'x-forwarded-uri': request.path,
      ...(request.body.length > 0 && { 'content-length': String(request.body.length) }),
    },
  };
  return new Promise((resolve, reject) => {
    const answered = (incoming: IncomingMessage): void => {
      outgoing.setTimeout(0);
      resolve({ status: incoming.statusCode ?? 502, headers: responseHeaders(incoming), body: passOn(incoming) });
    };
    // Pods show certificates nobody here can know.
    const outgoing = secure
      ? httpsRequest({ ...options, rejectUnauthorized: false }, answered)
      : httpRequest(options, answered);
    outgoing.on('timeout', () => outgoing.destroy(new Error('i/o timeout')));
    outgoing.on('error', (error) => {
      reject(unavailable(`error trying to reach service: ${error.message}`));
    });
    outgoing.end(request.body);
  });
}

function responseHeaders({ headers }: IncomingMessage): Record<string, string | string[]> {
  const passed = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !['connection', 'transfer-encoding', 'keep-alive'].includes(name),
  );
  return Object.fromEntries(passed) as Record<string, string | string[]>;
}
