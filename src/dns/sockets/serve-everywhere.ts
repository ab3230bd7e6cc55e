/**
 * UDP on every address of the machine. A socket for all of them would answer from the address that the kernel prefers on the way to the asker, which may
 * be another than was asked, and askers ignore such answers. So each address gets a socket of its own, which the kernel prefers to the one for all; that one
 * takes what came to an address we do not know yet.
 */
import { networkInterfaces } from 'node:os';
import { openUdp, type OpenSocket, type UdpOptions } from './serve-udp.ts';

/** ms between looks at which addresses the machine has. */
const LOOK_MS = 2000;
/** With more of them the rest is answered by the one socket for all. */
const MOST_ADDRESSES = 256;

export const isEverywhere = (address: string): boolean => address === '0.0.0.0' || address === '::';

export async function listenEverywhere(options: UdpOptions): Promise<OpenSocket> {
  const { log } = options;
  const all = await openUdp({ ...options, isOneOfSeveral: true });
  const own = new Map<string, OpenSocket>();
  let isClosed = false;
  const look = async (): Promise<void> => {
    const present = localAddresses(options.address === '::' ? 'IPv6' : 'IPv4');
    for (const address of present) {
      if (own.has(address) || isClosed) continue;
      try {
        own.set(address, await openUdp({ ...options, address, port: all.port, isOneOfSeveral: true }));
      } catch (error) {
        // Gone already, or not usable yet (a new address of IPv6 is tried out first): the next look tries again.
        log.debug({ err: error, address }, 'no UDP socket of its own for an address');
      }
    }
    const gone = [...own].filter(([address]) => isClosed || !present.includes(address));
    for (const [address] of gone) own.delete(address);
    await Promise.all(gone.map(([, socket]) => socket.close()));
  };
  let looking = look();
  await looking;
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, LOOK_MS).unref();
  return {
    port: all.port,
    async close() {
      clearInterval(timer);
      isClosed = true;
      await looking.then(look);
      await all.close();
    },
  };
}

/** Without those of a link alone: there are as many as Pods, and what is asked there is answered from there. */
function localAddresses(family: 'IPv4' | 'IPv6'): string[] {
  return Object.values(networkInterfaces())
    .flatMap((each = []) => each)
    .filter((each) => each.family === family && !each.address.toLowerCase().startsWith('fe80:'))
    .map(({ address }) => address)
    .slice(0, MOST_ADDRESSES);
}
