/** One TCP relay as a process of its own: `test-relay.ts PORT IP:PORT…`, ends with its standard input. For the bench, and for limits of a process. */
import { silentLog } from '../../lib/log.ts';
import { Balancer } from './balancer.ts';
import { RelayCounters } from './relay.ts';
import { TcpRelay } from './tcp-relay.ts';

const [port = '0', ...endpoints] = process.argv.slice(2);
const balancer = new Balancer(Math.random);
balancer.set(
  endpoints.map((address) => {
    const [ip = '', number = ''] = address.split(':');
    return { address, ip, port: Number(number) };
  }),
);
const parts = { family: 'IPv4', counters: new RelayCounters(), log: silentLog, udpIdleTimeout: 250 } as const;
const relay = new TcpRelay(parts, 'bench', balancer);
await relay.listen('0.0.0.0', Number(port));
process.stdout.write('ready\n');
process.stdin.on('end', () => process.exit(0)).resume();
