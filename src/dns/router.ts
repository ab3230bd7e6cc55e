/** Which server block answers a name: the one with the longest zone that the name is in. Pure. */
import type { Server } from './chain.ts';

export interface Route {
  readonly server: Server;
  /** Of the block's zones the one that matched. */
  readonly zone: string;
}

/** The servers of one socket. */
export class Router {
  readonly #routes = new Map<string, Route>();

  constructor(servers: readonly Server[]) {
    for (const server of servers) {
      for (const zone of server.block.zones) this.#routes.set(zone, { server, zone });
    }
  }

  /** @param name any case, with the final dot */
  find(name: string): Route | undefined {
    let rest = name.toLowerCase();
    for (;;) {
      const route = this.#routes.get(rest);
      if (route) return route;
      const dot = endOfLabel(rest);
      if (dot < 0) return undefined;
      rest = dot + 1 < rest.length ? rest.slice(dot + 1) : rest === '.' ? '' : '.';
    }
  }
}

/** Where the dot behind the first label is. A backslash takes the sign behind it into the label. */
function endOfLabel(name: string): number {
  for (let at = 0; at < name.length; at++) {
    if (name.charCodeAt(at) === 0x5c) at++;
    else if (name.charCodeAt(at) === 0x2e) return at;
  }
  return -1;
}
