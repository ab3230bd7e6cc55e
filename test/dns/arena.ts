/** An API server on SQLite with thousands of names in it, a DNS server that watches it, and who asks: each a process of its own but the last. */
import { join } from 'node:path';
import { strictness } from '../../src/apiserver/entry.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { startTestApi } from '../support/api.ts';
import { untilReady } from '../support/consistency.ts';
import { ServerProcess } from '../support/server.ts';
import { Asker } from './asker.ts';
import { seed, type Name } from './churn.ts';
import { DnsProcess } from './dns-server.ts';

export class Arena {
  readonly api: ServerProcess;
  readonly dns: DnsProcess;
  readonly asker: Asker;
  readonly names: readonly Name[];
  readonly client: ReturnType<ServerProcess['client']>;

  private constructor(api: ServerProcess, dns: DnsProcess, asker: Asker, names: readonly Name[]) {
    this.api = api;
    this.dns = dns;
    this.asker = asker;
    this.names = names;
    this.client = api.client();
  }

  /** The DNS server runs and has nobody to list from yet: `open` starts the API server. */
  static async prepare(port: number, services: number): Promise<Arena> {
    const api = new ServerProcess(port);
    try {
      await api.prepare();
      const names = await seeded(api, services);
      const dns = new DnsProcess(api.connection);
      return new Arena(api, dns, new Asker(await dns.listening), names);
    } catch (error) {
      await api.remove();
      throw error;
    }
  }

  async open(): Promise<void> {
    this.api.start();
    await untilReady(this.client);
    await this.dns.ready;
  }

  async close(): Promise<void> {
    this.asker.close();
    await this.dns.stop();
    this.client.close();
    await this.api.remove();
  }
}

/** Straight into the file the server will have: over TLS it would take ten times as long. */
async function seeded({ folder, port }: ServerProcess, services: number): Promise<Name[]> {
  const store = openSqliteStore({ path: join(folder, 'state.db') });
  const api = await startTestApi({ store, securePort: port, advertiseAddress: '192.0.2.10' });
  strictness.freeze = false;
  try {
    return await seed(api.client, services);
  } finally {
    await api.stop();
  }
}
