/** ipvs mode with real packets: under scripts/in-uml, whose kernel has IPVS, dummy devices, ipsets and SCTP. */
import { silentLog } from '../../lib/log.ts';
import { testWithRealPackets } from '../scenarios/kernel-suite.ts';
import { LoopbackRelays } from '../userspace/loopback.ts';
import { ipvsBackend } from './backend.ts';
import { ipvsMode } from './mode.ts';

testWithRealPackets({
  mode: ipvsMode,
  create: ipvsBackend.create,
  cleanup: ipvsBackend.cleanup,
  relays: () => new LoopbackRelays({ log: silentLog }),
  excused: {
    'affinity-time': 'the kernel remembers clients of closed connections for longer: measured in behaviour.uml.test.ts',
    'fragments-from-node':
      'IPVS does not cut what the node sends itself: it answers with the size that fits (EMSGSIZE)',
  },
});
