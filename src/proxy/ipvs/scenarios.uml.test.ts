/** ipvs mode with real packets: under scripts/in-uml, whose kernel has IPVS, dummy devices, ipsets and SCTP. */
import { silentLog } from '../../lib/log.ts';
import type { PlanUpdate } from '../plan/types.ts';
import { testWithRealPackets } from '../scenarios/kernel-suite.ts';
import { LoopbackRelays } from '../userspace/loopback.ts';
import { ipvsBackend } from './backend.ts';
import { ipvsMode } from './mode.ts';

/** Both families: only the one whose Plan comes does anything. */
function relays() {
  const byFamily = {
    IPv4: new LoopbackRelays({ log: silentLog }),
    IPv6: new LoopbackRelays({ log: silentLog }),
  };
  return {
    follow: (update: PlanUpdate) => {
      byFamily[update.plan.options.family].follow(update);
    },
    stop: async () => {
      await byFamily.IPv4.stop();
      await byFamily.IPv6.stop();
    },
  };
}

testWithRealPackets({ mode: ipvsMode, create: ipvsBackend.create, cleanup: ipvsBackend.cleanup, relays });
