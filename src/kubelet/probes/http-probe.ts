/** HTTP probes (features 7-012, 7-013) on requests of our own: no keep-alive, no proxy, no check of certificates. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { Core } from '../../api/types.ts';
import { joinHostPort } from '../../lib/ip.ts';
import { dialError, failure, MAX_OUTPUT, succeeded, type Outcome } from './outcome.ts';
import { httpRequest, httpsRequest } from '../../lib/node-http.ts';

const MAX_REDIRECTS = 10;

export interface HttpTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: readonly Core.HTTPHeader[];
  readonly userAgent: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Asks, follows redirects on the same host, and judges by the last status. Never throws. */
export async function probeHttp(target: HttpTarget, timeoutMs: number, signal?: AbortSignal): Promise<Outcome> {
  const limit = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
  let url = targetUrl(target);
  try {
    for (let redirects = 0; ; redirects++) {
      const answer = await ask(url, target, limit);
      const next = redirectOf(answer, url);
      if (next?.hostname === url.hostname) {
        if (redirects >= MAX_REDIRECTS)
          return failure(`Get "${url.href}": stopped after ${String(MAX_REDIRECTS)} redirects`);
        url = next;
        continue;
      }
      return judge(answer);
    }
  } catch (error) {
    const address = joinHostPort(target.host, target.port);
    const why = limit.aborted
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : dialError(address, error);
    return failure(`Get "${url.href}": ${why}`);
  }
}

/** One request; any answer is good (lifecycle hooks). Throws an Error. */
export async function askHttp(target: HttpTarget, timeoutMs: number): Promise<HttpAnswer> {
  return ask(targetUrl(target), target, AbortSignal.timeout(timeoutMs));
}

function judge({ status, body }: HttpAnswer): Outcome {
  if (status < 200 || status >= 400) return failure(`HTTP probe failed with statuscode: ${String(status)}`);
  if (status >= 300) return { ...succeeded(`Probe terminated redirects, Response body: ${body}`), warning: true };
  return succeeded(body);
}

function redirectOf({ status, headers }: HttpAnswer, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || headers.location === undefined) return undefined;
  return URL.canParse(headers.location, from) ? new URL(headers.location, from) : undefined;
}

function targetUrl({ scheme, host, port, path }: HttpTarget): URL {
  const base = `${scheme}://${joinHostPort(host, port)}`;
  const rest = path.startsWith('/') ? path : `/${path}`;
  return URL.canParse(base + rest) ? new URL(base + rest) : new URL(base);
}

function ask(url: URL, target: HttpTarget, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const { headers, host } = requestHeaders(target);
    const name = (host ?? url.hostname).replace(/:\d+$/, '');
    const options = {
      agent: false as const,
      headers: { Host: host ?? url.host, ...headers },
      signal,
      ...(secure && { rejectUnauthorized: false, servername: isIP(name.replace(/[[\]]/g, '')) > 0 ? '' : name }),
    };
    const request = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = () => {
        const body = Buffer.concat(chunks).subarray(0, MAX_OUTPUT).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        request.destroy();
      };
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= MAX_OUTPUT) finish();
      });
      response.on('end', finish);
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}

/** The spec's headers over the defaults; an empty Accept or User-Agent sends none; Host is apart, because it also names the server. */
export function requestHeaders({ headers, userAgent }: Pick<HttpTarget, 'headers' | 'userAgent'>): {
  headers: OutgoingHttpHeaders;
  host: string | undefined;
} {
  const sent: Record<string, string[]> = {};
  let host: string | undefined;
  for (const { name, value } of headers) {
    if (name.toLowerCase() === 'host') host = value === '' ? undefined : value;
    else (sent[name.toLowerCase()] ??= []).push(value);
  }
  for (const [name, value] of [
    ['accept', '*/*'],
    ['user-agent', userAgent],
  ] as const) {
    const given = sent[name];
    if (given === undefined) sent[name] = [value];
    else if (given.every((text) => text === '')) Reflect.deleteProperty(sent, name);
  }
  // One value as text: Node refuses lists for some names.
  return {
    host,
    headers: Object.fromEntries(Object.entries(sent).map(([name, list]) => [name, list.length === 1 ? list[0] : list])),
  };
}
