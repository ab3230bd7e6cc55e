/** SCTP through iptables with real packets: under scripts/in-uml, because few other kernels that tests run on have its sockets. */
import { createIptables } from '../../host/iptables.ts';
import { silentLog } from '../../lib/log.ts';
import { scenarios } from '../scenarios/index.ts';
import { testWithRealPackets } from '../scenarios/kernel-suite.ts';
import { LoopbackRelays } from '../userspace/loopback.ts';
import { cleanup, iptablesBackendOf } from './backend.ts';
import { iptablesMode } from './mode.ts';

const others = scenarios.map(({ name }) => name).filter((name) => name !== 'sctp');

testWithRealPackets({
  mode: iptablesMode,
  create: ({ family, exec }) => Promise.resolve(iptablesBackendOf(createIptables('legacy', { family, exec }))),
  relays: () => new LoopbackRelays({ log: silentLog }),
  cleanup: ({ family, exec }) => cleanup(createIptables('legacy', { family, exec })),
  excused: Object.fromEntries(
    others.map((name) => [name, 'needs no kernel but the one at hand: scenarios.kernel.test.ts']),
  ),
});
