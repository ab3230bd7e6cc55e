/** The effects of every mode, loaded only when it is the one that runs: a mode's libraries cost nothing in another. */
import type { BackendModule, ProxyMode } from './backend.ts';

export const BACKENDS: Readonly<Record<ProxyMode, () => Promise<BackendModule>>> = {
  nftables: async () => (await import('./nftables/backend.ts')).nftablesBackend,
  iptables: async () => (await import('./iptables/backend.ts')).iptablesBackend,
  ipvs: async () => (await import('./ipvs/backend.ts')).ipvsBackend,
  userspace: async () => (await import('./userspace/backend.ts')).userspaceBackend,
};
