/** A DNS server in a process of its own, for tests: `dns-process.ts CONNECTION.json`; prints its port, then `ready`. SIGHUP: another Corefile. */
import { readFileSync } from 'node:fs';
import { createHttpClient } from '../../src/client/http-client.ts';
import type { ConnectionConfig } from '../../src/client/raw-request.ts';
import { runDns } from '../../src/dns/run.ts';
import { createLog } from '../../src/lib/log.ts';

/** Each time another, so that nothing is taken for the same: plugins, chains and watches change hands. */
let loads = 0;
const corefile = () => `.:53 {
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    startup_timeout 100ms
    ttl ${String(5 + (loads % 10))}
  }
  loadbalance
}
`;

const connection = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ConnectionConfig;
const dns = runDns({
  client: createHttpClient(connection),
  corefile: { file: 'Corefile', text: corefile() },
  listen: { addresses: ['127.0.0.1'], port: 0 },
  log: createLog('dns', 'error'),
});
console.log(String((await dns.listening).get(53)));
await dns.ready;
console.log('ready');
process.on('SIGHUP', () => {
  loads++;
  void dns.load(corefile());
});
