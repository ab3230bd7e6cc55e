/** iptables as a proxy mode: the effects. */
import { chooseIptables, createIptables, type Iptables } from '../../host/iptables.ts';
import type { Backend, BackendContext, BackendModule } from '../backend.ts';
import { IptablesApplier } from './apply.ts';
import { renderCleanup } from './cleanup.ts';
import { parse } from './parse.ts';

export const iptablesBackend: BackendModule = {
  async create({ family, exec, log }) {
    const { iptables, warnings } = await chooseIptables({ family, exec });
    for (const warning of warnings) log.warn({ family }, warning);
    log.info({ family, variant: iptables.variant }, 'using iptables');
    return iptablesBackendOf(iptables);
  },

  /** In both variants: which one an older run used is not known. */
  async cleanup({ family, exec }: BackendContext) {
    const removed: string[] = [];
    for (const variant of ['legacy', 'nft'] as const) {
      const lines = await cleanup(createIptables(variant, { family, exec })).catch(() => 0);
      if (lines > 0) removed.push(`${String(lines)} chains and rules of iptables-${variant} (${family})`);
    }
    return removed;
  },
};

export function iptablesBackendOf(iptables: Iptables): Backend {
  const applier = new IptablesApplier(iptables);
  return {
    sync: ({ plan }) => applier.sync(plan),
    distrust: () => {
      applier.distrust();
    },
    isIntact: () => applier.isIntact(),
    stop: () => Promise.resolve(),
  };
}

/** Takes away every rule and chain of ours, and nothing else (3-072). Returns how many. */
export async function cleanup(iptables: Iptables): Promise<number> {
  const text = renderCleanup(parse(await iptables.save()));
  if (text === '') return 0;
  await iptables.restore(text);
  return text.split('\n').filter((line) => /^-[DX] /.test(line)).length;
}
