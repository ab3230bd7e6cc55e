/** Which sockets a Corefile asks for, and what each of them serves. Pure. */
import type { Server } from '../routing/chain.ts';
import { CorefileError } from '../corefile/corefile-error.ts';
import { Router } from '../routing/router.ts';

export interface Listener {
  readonly address: string;
  /** As the Corefile says it. */
  readonly port: number;
  readonly router: Router;
}

/** The same address and port is the same socket, before and after a reload. */
export const listenerKey = ({ address, port }: Pick<Listener, 'address' | 'port'>): string =>
  `${String(port)} ${address}`;

/**
 * @param addresses of blocks without `bind`
 * @throws CorefileError where two blocks claim a zone on one socket
 */
export function planListeners(servers: readonly Server[], addresses: readonly string[]): Map<string, Listener> {
  const bySocket = new Map<string, { address: string; port: number; servers: Server[] }>();
  for (const server of servers) {
    for (const address of new Set(server.addresses ?? addresses)) {
      const key = listenerKey({ address, port: server.port });
      const socket = bySocket.get(key) ?? { address, port: server.port, servers: [] };
      expectOthers(socket.servers, server);
      socket.servers.push(server);
      bySocket.set(key, socket);
    }
  }
  return new Map(
    [...bySocket].map(([key, { address, port, servers: own }]) => [key, { address, port, router: new Router(own) }]),
  );
}

function expectOthers(servers: readonly Server[], { block, port, place }: Server): void {
  for (const other of servers) {
    const zone = block.zones.find((each) => other.block.zones.includes(each));
    if (zone === undefined) continue;
    const at = `${other.place.file}:${String(other.place.line)}`;
    throw new CorefileError(place, `dns://${zone}:${String(port)} is served by the block at ${at} already`);
  }
}
