/** A DNS server of somebody's own, in a process of its own: every name has the address 192.0.2.77. `lab-upstream.ts ADDRESS`; says "ready". */
import { serveDns } from '../../src/dns/sockets/serve.ts';
import { RCODE, replyTo, TYPE } from '../../src/dns/wire/message.ts';
import { silentLog } from '../../src/lib/log.ts';

await serveDns({
  address: process.argv[2] ?? '127.0.0.1',
  port: 53,
  log: silentLog,
  respond(query) {
    const [{ name, type } = { name: '.', type: 0 }] = query.questions;
    const answers = type === TYPE.A ? [{ name, ttl: 60, type: TYPE.A, address: '192.0.2.77' } as const] : [];
    return Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers } });
  },
});
console.log('ready');
