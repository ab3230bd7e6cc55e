/** nftables with real packets, the table written by both writers. */
import { describe } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { testWithRealPackets } from '../scenarios/kernel-suite.ts';
import { LoopbackRelays } from '../userspace/loopback.ts';
import { createNftablesBackend, nftablesBackend } from './backend.ts';
import { nftablesMode } from './mode.ts';

for (const writer of ['netlink', 'nft'] as const) {
  describe(`nftables through ${writer}`, () => {
    testWithRealPackets({
      mode: nftablesMode,
      title: `nftables through ${writer}`,
      create: (context) => createNftablesBackend(context, writer),
      cleanup: (context) => nftablesBackend.cleanup(context),
      relays: () => new LoopbackRelays({ log: silentLog }),
    });
  });
}
