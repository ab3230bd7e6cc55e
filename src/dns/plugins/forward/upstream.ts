/** A server to ask, as `forward` names it: `10.0.0.1`, `[2001:db8::1]:5353`, `tls://9.9.9.9%dns.quad9.net`. Pure. */
import { formatIp, parseIp } from '../../../lib/ip.ts';

export interface Upstream {
  /** `dns`: UDP and TCP; `tls`: DNS over TLS (RFC 7858). */
  readonly transport: 'dns' | 'tls';
  /** Canonical; with a zone index (`fe80::1%eth0`) where the address says nothing without one. */
  readonly address: string;
  readonly port: number;
  /** Whose certificate is expected, where that is not the address. */
  readonly serverName?: string;
}

const PORTS = { dns: 53, tls: 853 } as const;
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/;

/** `reason` says why it is none, and what would be right. */
export function parseUpstream(text: string): Upstream | { readonly reason: string } {
  const [, scheme = 'dns', rest = ''] = /^(?:([a-z0-9+.-]+):\/\/)?(.*)$/i.exec(text) ?? [];
  const transport = scheme.toLowerCase();
  if (transport !== 'dns' && transport !== 'tls') {
    return { reason: `"${text}": Fairway asks over dns:// (UDP and TCP) and tls://, not over ${transport}://` };
  }
  const parts = splitPort(rest);
  const port = Number(parts?.port ?? PORTS[transport]);
  if (!parts || !Number.isInteger(port) || port < 1 || port > 65_535) {
    return { reason: `"${text}": expected an address, with a port from 1 to 65535 if it is not the usual one` };
  }
  const [, host = '', suffix] = /^([^%]*)(?:%(.+))?$/.exec(parts.host) ?? [];
  const ip = parseIp(host);
  if (!ip)
    return { reason: `"${text}": expected an IP address or a file such as /etc/resolv.conf; names are not looked up` };
  const address = formatIp(ip);
  if (suffix === undefined) return { transport, address, port };
  if (LINK_LOCAL.test(address)) return { transport, address: `${address}%${suffix}`, port };
  return transport === 'tls'
    ? { transport, address, port, serverName: suffix }
    : { reason: `"${text}": only tls:// takes the name of a certificate behind a %` };
}

/** An IPv6 address may stand without brackets when no port follows. */
function splitPort(text: string): { host: string; port?: string } | undefined {
  const bracketed = /^\[([^\]]+)\](?:(%[^:]+)?:(\d+))?$/.exec(text);
  if (bracketed) {
    const [, host = '', suffix = '', port] = bracketed;
    return { host: `${host}${suffix}`, ...(port !== undefined && { port }) };
  }
  const named = /^([^:%]+%[^:]+|[^:%]+):(\d+)$/.exec(text);
  if (named) return { host: named[1] ?? '', port: named[2] ?? '' };
  return text.includes('[') || text === '' ? undefined : { host: text };
}

/** As metrics and logs call it: `10.0.0.1:53`, `[2001:db8::1]:53`. */
export const upstreamText = ({ address, port }: Upstream): string =>
  address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;

/** Two of the same are one server. */
export const upstreamKey = (upstream: Upstream): string =>
  `${upstream.transport}://${upstreamText(upstream)}%${upstream.serverName ?? ''}`;
