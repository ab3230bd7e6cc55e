/**
 * IPVS and its device over two long-lived sockets: a change starts no program, and thousands take one call. What netlink does not reach here
 * (ipsets, servers by mark, listings of all) still goes through the tools. In the network namespace of this process.
 */
import { isIP } from 'node:net';
import type { IpvsTools } from './ipvs-tools.ts';
import { createIpvs, type Ipvs, type IpvsChange, type RealServer, type VirtualServerKey } from './netlink/ipvs.ts';
import { createAddressLinks } from './netlink/links.ts';
import { NetlinkError } from './netlink/netlink-error.ts';

export interface IpvsNetlinkOptions {
  readonly family: 'IPv4' | 'IPv6';
  readonly device?: string;
}

/** Throws HostError where the kernel has no IPVS or the sockets cannot be opened: `tools` alone do the same, slower. */
export function createIpvsNetlink(tools: IpvsTools, { family, device = 'kube-ipvs0' }: IpvsNetlinkOptions): IpvsTools {
  const ipvs = createIpvs();
  const links = createAddressLinks();
  return {
    ...tools,
    changeServers: (lines) => changeServers(ipvs, tools, lines),
    connections: async (key) => {
      const service = key === undefined ? undefined : parseKey(key);
      if (!service || key === undefined) return tools.connections(key);
      return new Map(
        (await ipvs.destinations(service)).map((real) => [
          `${key} ${hostPort(real)}`,
          (real.activeConnections ?? 0) + (real.inactiveConnections ?? 0),
        ]),
      );
    },
    hasServer: async (key) => {
      const service = parseKey(key);
      // none may also mean that there is no such service, which the kernel does not tell
      return (service !== undefined && (await ipvs.destinations(service)).length > 0) || tools.hasServer(key);
    },
    boundAddresses: () =>
      links.addresses(device, family).catch((error: unknown) => {
        if (error instanceof NetlinkError && error.code === 'ENODEV') return undefined;
        throw error;
      }),
    hasDevice: async () => (await links.flags(device)) !== undefined,
    addDevice: async () => {
      await links.makeDummy(device);
    },
    changeAddresses: async (add, remove) => {
      const changes = [
        ...add.filter(isAddress).map((address) => ({ op: 'add', address }) as const),
        ...remove.map((address) => ({ op: 'delete', address }) as const),
      ];
      const [refused] = changes.length === 0 ? [] : await links.changeAddresses(device, changes);
      if (refused) throw new NetlinkError(['address', refused.request.op, refused.request.address], refused.code);
      const unreadable = add.find((address) => !isAddress(address));
      if (unreadable !== undefined) throw new NetlinkError(['address', 'add', unreadable], 'EINVAL');
    },
    close: () => {
      ipvs.close();
      links.close();
      tools.close();
    },
  };
}

/** Whoever asks to delete what is gone has what they want. */
const GONE = ['ESRCH', 'ENOENT'];

async function changeServers(ipvs: Ipvs, tools: IpvsTools, lines: readonly string[]): Promise<string> {
  const changes: IpvsChange[] = [];
  const others: string[] = [];
  for (const line of lines) {
    const change = parseLine(line);
    if (change) changes.push(change);
    else others.push(line);
  }
  const refused = await ipvs.apply(changes);
  const complaints = refused
    .filter(({ request, code }) => !(request.op.startsWith('delete') && GONE.includes(code)))
    .map(({ request, code, detail }) => `${request.op} ${hostPort(request.service)}: ${code} ${detail}`.trim());
  return [...complaints, await tools.changeServers(others)].filter((one) => one !== '').join('\n');
}

const PROTOCOLS: Readonly<Record<string, VirtualServerKey['protocol']>> = {
  '-t': 'TCP',
  '-u': 'UDP',
  '--sctp-service': 'SCTP',
};

/** undefined: by mark. */
function parseKey(key: string): VirtualServerKey | undefined {
  const [option = '', at = ''] = key.split(' ');
  const protocol = PROTOCOLS[option];
  const service = parseHostPort(at);
  return protocol && isAddress(service.address) ? { protocol, ...service } : undefined;
}

const isAddress = (text: string): boolean => isIP(text) !== 0;

/** A line as after `ipvsadm`; undefined where it must go there, if only to be told why not. */
function parseLine(line: string): IpvsChange | undefined {
  const [verb = '', option = '', at = '', ...rest] = line.split(' ');
  const key = parseKey(`${option} ${at}`);
  const value = (name: string) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined);
  const flags = value('-b');
  const persistence = Number(value('-p') ?? 0);
  if (!key || (flags !== undefined && flags !== 'mh-port') || persistence > 0xffffffff) return undefined;
  const service = { ...key, scheduler: value('-s') ?? '', persistence, ...(flags && { schedulerFlags: 2 }) };
  const real = value('-r');
  const destination: RealServer | undefined =
    real === undefined ? undefined : { ...parseHostPort(real), weight: Number(value('-w') ?? 1) };
  if (verb === '-A') return { op: 'add-service', service };
  if (verb === '-E') return { op: 'set-service', service };
  if (verb === '-D') return { op: 'delete-service', service: key };
  if (!destination) return undefined;
  const op = ({ '-a': 'add', '-e': 'set', '-d': 'delete' } as const)[verb];
  return op && { op: `${op}-destination`, service: key, destination };
}

function parseHostPort(text: string): { address: string; port: number } {
  const at = text.lastIndexOf(':');
  return { address: text.slice(0, at).replaceAll(/[[\]]/g, ''), port: Number(text.slice(at + 1)) };
}

function hostPort({ address, port }: { address: string; port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${String(port)}`;
}
