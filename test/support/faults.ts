/** What goes wrong in the consistency tests: short with few rounds, long with many. */
import type { HttpClient } from '../../src/client/http-client.ts';
import { assertLinearizable, untilReady, type ConsistencyReport } from './consistency.ts';
import { EtcdCluster } from './etcd.ts';
import { ServerProcess } from './server.ts';

/** Writes acknowledged between two faults. */
const WORK = 40;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** One server on SQLite, killed without warning `rounds` times. */
export async function killServerOnSqlite(rounds: number, port: number): Promise<ConsistencyReport> {
  const server = new ServerProcess(port);
  await server.prepare();
  server.start();
  try {
    return await assertLinearizable([server], async ({ clients: [client], more }) => {
      for (let at = 0; at < rounds; at += 1) {
        await more(WORK);
        await pause(Math.random() * 50);
        await server.kill('SIGKILL');
        server.start();
        if (client) await untilReady(client);
      }
      await more(WORK);
    });
  } finally {
    await server.remove();
  }
}

/** Two servers on three etcd members. Each round kills or freezes a member, and sometimes kills a server. */
export async function killAroundEtcd(rounds: number, port: number): Promise<ConsistencyReport> {
  const etcd = await EtcdCluster.start({ size: 3 });
  const flags = ['--datastore', etcd.endpoints];
  const servers = [new ServerProcess(port, flags), new ServerProcess(port + 1, flags)];
  try {
    const [first] = servers;
    await first?.prepare();
    await servers[1]?.prepare(first);
    for (const server of servers) server.start();
    return await assertLinearizable(servers, async ({ clients, more }) => {
      for (let round = 0; round < rounds; round += 1) {
        await more(WORK);
        await oneFault(etcd, servers, clients, round);
      }
      await more(WORK);
    });
  } finally {
    await Promise.all(servers.map((server) => server.remove()));
    await etcd.remove();
  }
}

async function oneFault(
  etcd: EtcdCluster,
  servers: readonly ServerProcess[],
  clients: readonly HttpClient[],
  round: number,
): Promise<void> {
  // In turn, so that within three rounds the leader is among them.
  const member = etcd.members[round % etcd.members.length];
  if (round % 4 === 2) {
    const at = (round >> 2) % servers.length;
    await servers[at]?.kill('SIGKILL');
    await pause(Math.random() * 300);
    servers[at]?.start();
    const client = clients[at];
    if (client) await untilReady(client);
  } else if (round % 4 === 3) {
    await member?.freeze();
    await pause(500 + Math.random() * 1000);
    member?.thaw();
  } else {
    await member?.kill('SIGKILL');
    await pause(Math.random() * 700);
    member?.start();
    await etcd.ready();
  }
}
