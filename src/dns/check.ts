/** Reads a Corefile as the server would and opens nothing: for `fairway dns --check`. */
import type { Client } from '../client/client.ts';
import { realClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { buildServers } from './routing/chain.ts';
import { corefileDigest, parseReload } from './plugins/reload.ts';
import { CorefileError } from './corefile/corefile-error.ts';
import { diskImports } from './corefile/import-source.ts';
import { parseCorefile } from './corefile/parse.ts';
import { listenerKey, planListeners } from './sockets/listeners.ts';
import { runtimeFor } from './run.ts';

export interface CheckedServer {
  /** Lower case, with the final dot. */
  readonly zones: readonly string[];
  readonly port: number;
  /** Of `bind`; absent: those the program is started with. */
  readonly addresses?: readonly string[];
  /** In the order in which they see a question. */
  readonly plugins: readonly string[];
  /** `Corefile:7`. */
  readonly place: string;
}

export interface CheckedCorefile {
  readonly servers: readonly CheckedServer[];
  /** How often the file is to be looked at, ms; absent: never. */
  readonly reload?: { readonly intervalMs: number; readonly jitterMs: number };
  /** The same for Corefiles that say the same, imports included. */
  readonly digest: string;
  /** Every address and port it wants. */
  readonly sockets: readonly { readonly address: string; readonly port: number }[];
}

export interface CheckOptions {
  /** As messages call it, and where relative imports count from. */
  readonly file: string;
  /** False: a `kubernetes` without an `endpoint` or a `kubeconfig` is wrong. */
  readonly hasApiServer: boolean;
  /** Of blocks without `bind`. */
  readonly addresses: readonly string[];
  /** Stands in for 53. */
  readonly port?: number;
  readonly resolvConf?: string;
}

/** @throws CorefileError */
export function checkCorefile(text: string, options: CheckOptions): CheckedCorefile {
  const { file, hasApiServer, addresses, port, resolvConf } = options;
  const blocks = parseCorefile(text, { file, environment: (name) => process.env[name], imports: diskImports });
  if (blocks.length === 0) throw new CorefileError({ file, line: 1 }, 'expected a server block such as ".:53 {"');
  const runtime = runtimeFor({
    log: silentLog,
    clock: realClock,
    listen: { addresses },
    ...(resolvConf !== undefined && { resolvConf }),
    ...(hasApiServer && { client: NOBODY }),
  });
  const servers = buildServers(blocks, runtime);
  const reload = blocks.flatMap(({ directives }) => directives).find(({ name }) => name === 'reload');
  const sockets = [...planListeners(servers, addresses).values()];
  return {
    servers: servers.map((server) => ({
      zones: server.block.zones,
      port: standIn(server.port, port),
      ...(server.addresses && { addresses: server.addresses }),
      plugins: server.plugins.map(({ name }) => name),
      place: `${server.place.file}:${String(server.place.line)}`,
    })),
    digest: corefileDigest(blocks),
    ...(reload && { reload: parseReload(reload) }),
    sockets: [...new Map(sockets.map((each) => [listenerKey(each), each])).values()].map((each) => ({
      address: each.address,
      port: standIn(each.port, port),
    })),
  };
}

const DNS_PORT = 53;
const standIn = (port: number, instead: number | undefined) => (port === DNS_PORT ? (instead ?? port) : port);

/** Plugins are set up and never started: nobody asks it. */
const NOBODY = new Proxy({} as Client, {
  get(_, method) {
    throw new Error(`a check asks no API server (${String(method)})`);
  },
});

/** As people read it: each block with its plugins in order. */
export function renderChecked({ servers }: CheckedCorefile): string {
  return servers
    .map(({ zones, port, addresses, plugins, place }) => {
      const bind = addresses ? ` on ${addresses.join(', ')}` : '';
      return `${zones.map((zone) => `${zone}:${String(port)}`).join(' ')}${bind}  (${place})\n${plugins.map((name) => `    ${name}\n`).join('')}`;
    })
    .join('');
}
