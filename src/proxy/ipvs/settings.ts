/** Schedulers (3-112), and the marks that lead to virtual servers without an address. */
import type { PlanOptions } from '../plan/types.ts';

/** What kernels have; a scheduler not among them may still be one, and the kernel is asked. */
export const SCHEDULERS: readonly string[] = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'lblc',
  'lblcr',
  'sh',
  'dh',
  'sed',
  'nq',
  'mh',
  'fo',
  'ovf',
];

/** As ipvsadm wants it. With mh, clients are told apart by their ports too, or all connections of one go to one endpoint. */
export function schedulerOptions(name: string): string {
  return name === 'mh' ? 'mh -b mh-port' : name;
}

/** Bits of the packet mark that name a virtual server: fifteen that keep clear of the masquerade bit. */
export function markField({ masqueradeBit }: Pick<PlanOptions, 'masqueradeBit'>): { mask: number; shift: number } {
  const shift = masqueradeBit >= 16 && masqueradeBit <= 30 ? 0 : 16;
  return { shift, mask: 0x7fff << shift };
}
