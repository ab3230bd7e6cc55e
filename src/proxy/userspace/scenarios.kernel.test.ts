/** Userspace with real packets, in both variants of iptables: the relays are sockets of this process. */
import { describe } from 'node:test';
import { createIptables } from '../../host/iptables.ts';
import { silentLog } from '../../lib/log.ts';
import { testWithRealPackets } from '../scenarios/kernel-suite.ts';
import { cleanup, userspaceBackendOf } from './backend.ts';
import { LoopbackRelays } from './loopback.ts';
import { userspaceMode } from './mode.ts';

for (const variant of ['legacy', 'nft'] as const) {
  describe(`userspace on iptables-${variant}`, () => {
    testWithRealPackets({
      mode: userspaceMode,
      title: `userspace on iptables-${variant}`,
      create: (context) => Promise.resolve(userspaceBackendOf(createIptables(variant, context), context)),
      cleanup: ({ family, exec }) => cleanup(createIptables(variant, { family, exec })),
      relays: () => new LoopbackRelays({ log: silentLog }),
    });
  });
}
