/** Which headers a proxy request and its answer keep (feature 8-119). Pure. */
import type { IncomingHttpHeaders } from 'node:http';

/** About one connection, not about the message (RFC 9110, section 7.6.1). */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
/** The client's credentials are for the API server, and so is whom it speaks for. */
const credentials = /^(authorization$|impersonate-|x-remote-)/;
/** Whether other sites may read an answer is the API server's to say. */
const crossOrigin = /^access-control-allow-(credentials|headers|methods|origin)$/;

type Headers = Readonly<Record<string, string | undefined>>;

function endToEnd(headers: Readonly<Record<string, unknown>>): [string, string | string[]][] {
  const connection = headers['connection'];
  const named = (typeof connection === 'string' ? connection : '').split(',').map((each) => each.trim().toLowerCase());
  return Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !hopByHop.includes(name) && !named.includes(name),
  ) as [string, string | string[]][];
}

/** What the backend gets. `path` is the whole path at the API server. */
export function requestHeaders(
  headers: Headers,
  { path, remoteAddress }: { path: string; remoteAddress: string },
): Record<string, string | string[]> {
  const kept = endToEnd(headers).filter(([name]) => !credentials.test(name) && name !== 'expect');
  const before = headers['x-forwarded-for'];
  return {
    ...Object.fromEntries(kept),
    // A body whose length is not known goes on as it came.
    ...(headers['transfer-encoding'] !== undefined && { 'transfer-encoding': 'chunked' }),
    'x-forwarded-for': before === undefined ? remoteAddress : `${before}, ${remoteAddress}`,
    'x-forwarded-host': headers['host'] ?? '',
    'x-forwarded-proto': 'https',
    'x-forwarded-uri': path,
  };
}

/** What goes with the handshake of an upgrade: the same, and what asks for it. */
export function upgradeHeaders(headers: Headers, where: { path: string; remoteAddress: string }) {
  const { 'transfer-encoding': _, 'content-length': __, ...rest } = requestHeaders(headers, where);
  return { ...rest, connection: 'Upgrade', upgrade: headers['upgrade'] ?? '' };
}

/** What the client gets of the backend's. */
export function responseHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  return Object.fromEntries(endToEnd(headers).filter(([name]) => !crossOrigin.test(name)));
}
