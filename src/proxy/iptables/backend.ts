/** iptables as a proxy mode: the effects. */
import { readlinkSync } from 'node:fs';
import { chooseIptables, createIptables, type Iptables } from '../../host/iptables.ts';
import { keepOldHeapSmall, returnFreeMemory } from '../../host/process-memory.ts';
import { ruleCounters } from '../../host/iptables-counters.ts';
import { openTableStamps, type TableStamps } from '../../host/xtables-info.ts';
import type { Backend, BackendContext, BackendModule } from '../backend.ts';
import { IptablesApplier, type ApplierOptions } from './apply.ts';
import { renderCleanup } from './cleanup.ts';
import { FORWARD } from './names.ts';
import { parse } from './parse.ts';
import { probeFeatures } from './probe.ts';

export const iptablesBackend: BackendModule = {
  async create(context) {
    const { family, exec, log } = context;
    const { iptables, warnings } = await chooseIptables({ family, exec });
    for (const warning of warnings) log.warn({ family }, warning);
    const features = await probeFeatures(iptables);
    const missing = Object.entries(features).filter(([, isThere]) => !isThere);
    for (const [feature] of missing)
      log.warn({ family, feature }, 'this kernel or iptables lacks a feature; going on without it');
    const stamps = await stampsFor(iptables, context);
    keepOldHeapSmall();
    log.info({ family, variant: iptables.variant }, 'using iptables');
    const { variant } = iptables;
    return {
      ...iptablesBackendOf(iptables, { features, stamps }),
      counters: async () => {
        const rules = await ruleCounters(exec, { variant, family, table: 'filter', chain: FORWARD });
        const drop = rules.find(({ text }) => /^DROP .*ctstate INVALID$/.test(text));
        return drop ? { invalidDropped: drop.packets } : {};
      },
    };
  },

  /** In both variants: which one an older run used is not known. */
  async cleanup({ family, exec }: BackendContext) {
    const removed: string[] = [];
    const failures: unknown[] = [];
    for (const variant of ['legacy', 'nft'] as const) {
      try {
        const lines = await cleanup(createIptables(variant, { family, exec }));
        if (lines > 0) removed.push(`${String(lines)} chains and rules of iptables-${variant} (${family})`);
      } catch (error) {
        failures.push(error);
      }
    }
    // one of the two tools may be missing, and then its tables are empty
    if (failures.length > 1) throw failures[0];
    return removed;
  },
};

export function iptablesBackendOf(iptables: Iptables, options: ApplierOptions = {}): Backend {
  const applier = new IptablesApplier(iptables, options);
  return {
    async sync(update) {
      const result = await applier.apply(update);
      // everything went through pipes, which in a large cluster is much
      if (result.kind === 'full') returnFreeMemory();
      return result;
    },
    distrust: () => {
      applier.distrust();
    },
    isIntact: () => applier.isIntact(),
    watch: (onTampered) => applier.guard.watch(onTampered),
    stop: () => {
      applier.guard.close();
      return Promise.resolve();
    },
  };
}

/** undefined, and said in the log, where this process cannot ask the kernel: foreign flushes are then found by looking for rules. */
export async function stampsFor(
  { variant }: Pick<Iptables, 'variant'>,
  { family, exec, log }: Pick<BackendContext, 'family' | 'exec' | 'log'>,
): Promise<TableStamps | undefined> {
  const open: TableStamps[] = [];
  try {
    const namespace = (await exec('readlink', ['/proc/self/ns/net'])).stdout.trim();
    // the socket would show the tables of another network
    if (namespace !== readlinkSync('/proc/self/ns/net')) return undefined;
    const stamps = await openTableStamps(variant, family);
    open.push(stamps);
    stamps.read();
    return stamps;
  } catch (error) {
    for (const one of open) one.close();
    log.info(
      { err: error, family },
      'the kernel cannot be asked who writes to its tables; a foreign flush is noticed later',
    );
    return undefined;
  }
}

/** Takes away every rule and chain of ours, and nothing else (3-072). Returns how many. */
export async function cleanup(iptables: Iptables): Promise<number> {
  const text = renderCleanup(parse(await iptables.save()));
  if (text === '') return 0;
  await iptables.restore(text);
  return text.split('\n').filter((line) => /^-[DX] /.test(line)).length;
}
