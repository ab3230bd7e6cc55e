/** Which node this is and at which addresses, as its Node object says (3-029, 3-030). */
import { NODES } from '../api/kinds.ts';
import { ApiError, isNotFound } from '../api/api-error.ts';
import type { Node } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import type { Clock } from '../lib/clock.ts';
import { formatIp, parseIp, type Family } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';

/**
 * The node's addresses, the primary first: of each family its first InternalIP, else its first ExternalIP; then its other InternalIPs.
 * `bindAddress` decides the primary family, and is the address of that family where it is one (`0.0.0.0` and `::` are none).
 * Loopback where neither says anything.
 */
export function nodeIpsOf(node: Node | undefined, bindAddress: string): readonly string[] {
  const bind = parseIp(bindAddress);
  const isOwn = bind !== undefined && bind.value !== 0n;
  const ofType = (type: string) =>
    (node?.status?.addresses ?? []).filter((one) => one.type === type).flatMap((one) => parseIp(one.address) ?? []);
  const internal = ofType('InternalIP');
  const told = [...(isOwn ? [bind] : []), ...internal, ...ofType('ExternalIP')];
  // 0.0.0.0 is the default and says nothing; :: is a wish for IPv6
  const first: Family | undefined = isOwn || bind?.family === 'IPv6' ? bind.family : told[0]?.family;
  const families: Family[] = first === 'IPv6' ? ['IPv6', 'IPv4'] : ['IPv4', 'IPv6'];
  const primaries = families.flatMap((family) => told.find((one) => one.family === family) ?? []);
  if (primaries.length === 0) return [first === 'IPv6' ? '::1' : '127.0.0.1'];
  return [...new Set([...primaries, ...internal].map(formatIp))];
}

/** Adds to the node's addresses what else is bound on it, of the same families: `local` as `node:os` tells it. */
export function withLocalAddresses(nodeIps: readonly string[], local: readonly LocalAddress[]): readonly string[] {
  const families = new Set(nodeIps.map((ip) => parseIp(ip)?.family));
  const bound = local
    .filter(({ interface: name }) => name !== 'kube-ipvs0')
    .flatMap(({ address }) => parseIp(address.split('%')[0] ?? '') ?? [])
    .filter((ip) => families.has(ip.family) && !isConfined(ip))
    .map(formatIp);
  return [...new Set([...nodeIps, ...bound])];
}

export interface LocalAddress {
  readonly interface: string;
  readonly address: string;
}

/** Loopback and link-local addresses: they are everybody's. */
function isConfined({ family, value }: { family: Family; value: bigint }): boolean {
  if (family === 'IPv4') return value >> 24n === 127n || value >> 16n === 0xa9fen;
  return value === 1n || value >> 118n === 0x3fan;
}

export interface NodeWait {
  readonly client: Client;
  readonly nodeName: string;
  /** ms; 0 asks once. */
  readonly patience: number;
  readonly log: Log;
  readonly clock: Clock;
}

/** HTTP statuses that stay the same however often one asks: not known, and not allowed. */
const HOPELESS: readonly number[] = [401, 403];
/** ms between questions. */
const PAUSE = 1000;

/**
 * The Node, as soon as it is there and has an address; undefined when that took too long. Throws what the client throws where asking
 * again is of no use, or where the last question was never answered.
 */
export async function waitForNode({ client, nodeName, patience, log, clock }: NodeWait): Promise<Node | undefined> {
  const end = clock.now() + patience;
  let hasTold = false;
  for (;;) {
    let failure: unknown;
    try {
      const node = await client.get(NODES, nodeName);
      if ((node.status?.addresses ?? []).some((one) => parseIp(one.address))) return node;
    } catch (error) {
      if (error instanceof ApiError && HOPELESS.includes(error.code)) throw error;
      if (!isNotFound(error)) failure = error;
    }
    if (clock.now() >= end) {
      if (failure !== undefined) throw failure;
      return undefined;
    }
    if (!hasTold) log.info({ err: failure, node: nodeName }, 'waiting for the Node object and its address');
    hasTold = true;
    await new Promise<void>((resolve) => {
      clock.after(PAUSE, resolve);
    });
  }
}

/** For people whose node is called otherwise. */
export async function unknownNode(client: Client, nodeName: string): Promise<string> {
  const list = await client.list(NODES, { limit: 100 }).catch(() => undefined);
  const names = (list?.items ?? []).map((one) => one.metadata.name);
  const known = names.length === 0 ? 'there is none yet' : `there is: ${names.sort().slice(0, 10).join(', ')}`;
  return `there is no Node ${nodeName} with an address (${known}); say which one this is with --hostname-override NAME`;
}
