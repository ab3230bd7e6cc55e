/** Where etcd is, from the value of `--datastore`. Pure. */
import { isIP } from 'node:net';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

const DEFAULT_PORT = 2379;

/**
 * `https://a:2379,https://[fd00::1]:2379`. Without TLS everybody on the way reads every Secret: `http://` is for loopback alone.
 * @throws Error that says which part is wrong
 */
export function parseEndpoints(text: string): Endpoint[] {
  const endpoints = text.split(',').map((each) => parseEndpoint(each.trim()));
  if (new Set(endpoints.map(({ tls }) => tls)).size > 1) throw new Error(`${text} mixes http and https`);
  return endpoints;
}

function parseEndpoint(text: string): Endpoint {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new Error(`not an etcd endpoint: ${text} (as in https://10.0.0.1:2379)`);
  }
  const { protocol, hostname, port, pathname, username } = url;
  const bare = pathname === '/' && url.search === '' && username === '' && hostname !== '';
  if (!bare || (protocol !== 'https:' && protocol !== 'http:')) {
    throw new Error(`not an etcd endpoint: ${text} (as in https://10.0.0.1:2379)`);
  }
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const tls = protocol === 'https:';
  if (!tls && !isLoopback(host)) {
    throw new Error(`${text} would carry every Secret in the clear: http is taken for loopback alone, use https`);
  }
  // An URL leaves out the port that its scheme has by itself.
  const own = tls ? 443 : 80;
  const given = port !== '' ? Number(port) : /:\d+\/?$/.test(text) ? own : DEFAULT_PORT;
  return { host, port: given, tls };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
