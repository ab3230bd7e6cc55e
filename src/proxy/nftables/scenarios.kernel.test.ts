/** nftables with real packets, the table written by both writers. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { exec } from '../../host/exec.ts';
import { silentLog } from '../../lib/log.ts';
import type { Backend, BackendContext } from '../backend.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import { testWithRealPackets, wholePlan } from '../scenarios/kernel-suite.ts';
import { ask, KernelWorld } from '../scenarios/kernel-world.ts';
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

/** The SYN is sent again after 1000 ms: whoever is refused sooner lost no refusal. */
const AT_ONCE_MS = 400;
/** An ICMP error is lost only where it overtakes connect(). */
const TRIES = 30;

for (const family of ['IPv4', 'IPv6'] as const) {
  describe(`refused over TCP, ${family}`, () => {
    let world: KernelWorld;
    let backend: Backend;
    before(async () => {
      world = await KernelWorld.create();
      backend = await createNftablesBackend({ family, exec, log: silentLog });
    });
    after(async () => {
      await backend.stop();
      await nftablesBackend.cleanup({ family, exec } as BackendContext);
      await world.close();
    });
    for (const [what, name, to, port] of [
      ['a Service without endpoints', 'no-endpoints', '10.96.0.23', 80],
      ['a node port without endpoints', 'no-endpoints', '172.30.0.11', 30_380],
      ['a port no Service has', 'cluster-ip', '10.96.0.20', 81],
    ] as const) {
      it(`${what} refuses Pods, the node and machines outside at once`, async (test) => {
        const scenario = scenarios.find((one) => one.name === name);
        assert.ok(scenario);
        await backend.sync(wholePlan(loadScenario(scenario, { family, traits: nftablesMode.traits(family) }).plan));
        for (const from of ['client', 'own-a', 'node', 'outside'] as const) {
          let slowest = 0;
          for (let at = 0; at < TRIES; at++) {
            const start = performance.now();
            assert.deepEqual(
              await world.ask(from, { ...ask(family, to, port), timeout: AT_ONCE_MS }),
              ['REJECT'],
              from,
            );
            slowest = Math.max(slowest, performance.now() - start);
          }
          test.diagnostic(`${from}: within ${slowest.toFixed(1)} ms, ${String(TRIES)} times`);
        }
      });
    }
  });
}
