/** The pure half of every mode, by name. The other half is in `backends.ts`. */
import type { ProxyMode } from './backend.ts';
import { iptablesMode } from './iptables/mode.ts';
import { ipvsMode } from './ipvs/mode.ts';
import type { Mode } from './mode.ts';
import { nftablesMode } from './nftables/mode.ts';
import { userspaceMode } from './userspace/mode.ts';

export const MODES: Readonly<Record<ProxyMode, Mode>> = {
  nftables: nftablesMode,
  iptables: iptablesMode,
  ipvs: ipvsMode,
  userspace: userspaceMode,
};
