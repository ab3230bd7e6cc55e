/** One virtual server of IPVS and its real servers, as data, and the lines of ipvsadm that make it. */
import { joinHostPort, type Family } from '../../lib/ip.ts';
import type { Protocol } from '../plan/types.ts';

export interface VirtualServer {
  /** The options that name it to ipvsadm: `-t 10.96.0.20:80`, or `-f 65536` (with ` -6`) for one that packets reach by their mark. */
  readonly key: string;
  /** undefined: by mark. */
  readonly protocol: Protocol | undefined;
  /** rr, wlc, … with its flags: `mh -b mh-port`. */
  readonly scheduler: string;
  /** Seconds a client stays with its real server; undefined: not at all. */
  readonly persistence: number | undefined;
  /** `ip:port` -> weight. Ours have 1; 0 takes no new connections. */
  readonly servers: ReadonlyMap<string, number>;
}

const OPTIONS: Readonly<Record<Protocol, string>> = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' };

export function serverKey(protocol: Protocol, ip: string, port: number): string {
  return `${OPTIONS[protocol]} ${joinHostPort(ip, port)}`;
}

export function markKey(mark: number, family: Family): string {
  return `-f ${String(mark)}${family === 'IPv6' ? ' -6' : ''}`;
}

/** What a key says. */
export function addressOfKey(key: string): { ip: string; port: number } | undefined {
  const [option = '', address = ''] = key.split(' ');
  const at = address.lastIndexOf(':');
  if (option === '-f' || at < 0) return undefined;
  return { ip: address.slice(0, at).replaceAll(/[[\]]/g, ''), port: Number(address.slice(at + 1)) };
}

export function familyOfKey(key: string): Family {
  return key.includes('[') || key.endsWith(' -6') ? 'IPv6' : 'IPv4';
}

/** Everything after the verb of `ipvsadm -A` or `-E`. */
export function serverOptions(server: VirtualServer): string {
  const { key, scheduler, persistence } = server;
  return `${key} -s ${scheduler}${persistence === undefined ? '' : ` -p ${String(persistence)}`}`;
}

/** Masquerading is IPVS' word for what everybody else calls destination NAT. */
export function realServerOptions(key: string, address: string, weight: number): string {
  return `${key} -r ${address} -m -w ${String(weight)}`;
}

/** The lines of `ipvsadm --restore` that make these. */
export function renderServers(servers: Iterable<VirtualServer>): string {
  const lines: string[] = [];
  for (const server of servers) {
    lines.push(`-A ${serverOptions(server)}\n`);
    for (const [address, weight] of server.servers)
      lines.push(`-a ${realServerOptions(server.key, address, weight)}\n`);
  }
  return lines.join('');
}

const PROTOCOL_OF: Readonly<Record<string, Protocol>> = { '-t': 'TCP', '-u': 'UDP', '--sctp-service': 'SCTP' };

/** What `ipvsadm --save --numeric` prints -> virtual servers by key. Throws SyntaxError on a line that is no such. */
export function parseServers(text: string): ReadonlyMap<string, VirtualServer> {
  const found = new Map<string, VirtualServer & { servers: Map<string, number> }>();
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const words = line.trim().split(/\s+/);
    const [verb, option = '', address = '', ...rest] = words;
    const isIPv6Mark = option === '-f' && rest.includes('-6');
    const key = `${option} ${address}${isIPv6Mark ? ' -6' : ''}`;
    const value = (name: string) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined);
    if (verb === '-A') {
      const flags = value('-b');
      const persistence = value('-p');
      found.set(key, {
        key,
        protocol: PROTOCOL_OF[option],
        scheduler: `${value('-s') ?? ''}${flags === undefined ? '' : ` -b ${flags}`}`,
        persistence: persistence === undefined ? undefined : Number(persistence),
        servers: new Map(),
      });
    } else if (verb === '-a') {
      const real = value('-r') ?? '';
      const owner = found.get(key);
      if (!owner) throw new SyntaxError(`line ${String(at + 1)}: a real server of no virtual server: ${line}`);
      owner.servers.set(real, Number(value('-w') ?? 1));
    } else throw new SyntaxError(`line ${String(at + 1)}: not what ipvsadm saves: ${line.slice(0, 200)}`);
  }
  return found;
}
