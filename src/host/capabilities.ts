/** What this process may do to the network. */
import { readFileSync } from 'node:fs';

const CAP_NET_ADMIN = 12n;

/** Whether kernel rules may be written: root may, and whoever was given just this. */
export function hasNetAdmin(status = readFileSync('/proc/self/status', 'utf8')): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> CAP_NET_ADMIN) & 1n) === 1n;
}
