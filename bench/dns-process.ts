/** The DNS server alone, as a process of its own for bench/dns.ts. Arguments: ADDRESS PORT URL-OF-THE-API. Prints `ready`; ends on SIGTERM. */
import { createHttpClient } from '../src/client/http-client.ts';
import { defaultCorefile } from '../src/dns/corefile/default-corefile.ts';
import { runDns } from '../src/dns/run.ts';
import { silentLog } from '../src/lib/log.ts';

const [address = '127.0.0.1', port = '53', server = ''] = process.argv.slice(2);
const client = createHttpClient({ server });
const dns = runDns({
  client,
  corefile: { file: 'Corefile', text: defaultCorefile() },
  listen: { addresses: [address], port: Number(port) },
  resolvConf: '/dev/null',
  log: silentLog,
});
await dns.ready;
process.stdout.write('ready\n');
process.on('SIGTERM', () => {
  void dns.stop({ atOnce: true }).then(() => {
    process.exit(0);
  });
});
