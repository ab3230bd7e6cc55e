/** iptables with real packets, in both variants of the tool. */
import { describe } from 'node:test';
import { createIptables } from '../../host/iptables.ts';
import { silentLog } from '../../lib/log.ts';
import { testWithRealPackets } from '../scenarios/kernel-suite.ts';
import { cleanup, iptablesBackendOf } from './backend.ts';
import { LoopbackRelays } from '../userspace/loopback.ts';
import { iptablesMode } from './mode.ts';

for (const variant of ['legacy', 'nft'] as const) {
  describe(`iptables-${variant}`, () => {
    testWithRealPackets({
      mode: iptablesMode,
      title: `iptables-${variant}`,
      create: ({ family, exec }) => Promise.resolve(iptablesBackendOf(createIptables(variant, { family, exec }))),
      relays: () => new LoopbackRelays({ log: silentLog }),
      cleanup: ({ family, exec }) => cleanup(createIptables(variant, { family, exec })),
    });
  });
}
