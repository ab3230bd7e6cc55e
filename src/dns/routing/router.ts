/** Which server block answers a name: the one with the longest zone that the name is in. Pure. */
import type { Server } from './chain.ts';

export interface Route {
  readonly server: Server;
  /** Of the block's zones the one that matched. */
  readonly zone: string;
}

/** Lives above the cut between two zones, unlike everything else of a zone's own name (RFC 4035, 3.1.4.1). */
const DS = 43;

/** The servers of one socket. */
export class Router {
  /** What the first block with `prometheus` is called: questions that no block takes are counted there. */
  readonly metered: string | undefined;
  readonly #routes = new Map<string, Route>();

  constructor(servers: readonly Server[]) {
    this.metered = servers.find(({ traits }) => traits.hasPrometheus)?.block.server;
    for (const server of servers) {
      for (const zone of server.block.zones) this.#routes.set(zone, { server, zone });
    }
  }

  /** @param name any case, with the final dot */
  find(name: string, type?: number): Route | undefined {
    const lower = name.toLowerCase();
    const own = this.#routes.get(lower);
    const above = own && type !== DS ? undefined : this.#findAbove(lower);
    return (type === DS ? above : undefined) ?? own ?? above;
  }

  #findAbove(name: string): Route | undefined {
    for (let rest = parentOf(name); rest !== undefined; rest = parentOf(rest)) {
      const route = this.#routes.get(rest);
      if (route) return route;
    }
    return undefined;
  }
}

/** The name without its first label; undefined for the root. A backslash takes the sign behind it into the label. */
function parentOf(name: string): string | undefined {
  if (name === '.' || name === '') return undefined;
  for (let at = 0; at < name.length; at++) {
    if (name.charCodeAt(at) === 0x5c) at++;
    else if (name.charCodeAt(at) === 0x2e) return at + 1 < name.length ? name.slice(at + 1) : '.';
  }
  return undefined;
}
