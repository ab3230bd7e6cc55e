/** nftables as a proxy mode: the effects. */
import { HostError } from '../../host/exec.ts';
import { createNfTables, type NfTables } from '../../host/netlink/nf-tables.ts';
import { createNfRules, type NfRules } from '../../host/netlink/nf-rules.ts';
import { createNft, type Nft } from '../../host/nft.ts';
import type { Family } from '../../lib/ip.ts';
import type { Backend, BackendContext, BackendModule } from '../backend.ts';
import { NftablesApplier } from './apply.ts';
import type { KernelTable } from './kernel-table.ts';
import { NetlinkTable } from './netlink-table.ts';
import { NftTable } from './nft-table.ts';
import { render } from './render.ts';
import { assertSupported } from './requirements.ts';
import { nftFamily, TABLE } from './schema.ts';

/** How elements are written: over netlink, or by the nft command, which is slower and needs no native code. */
export type Writer = 'netlink' | 'nft';

export const nftablesBackend: BackendModule = {
  create: (context) => createNftablesBackend(context),

  async cleanup({ family, exec }) {
    const nft = createNft(exec);
    if (!(await hasNft(nft))) return [];
    const name = `${nftFamily(family)} ${TABLE}`;
    if ((await nft.list(nftFamily(family), TABLE, { terse: true })) === '') return [];
    await nft.load(`delete table ${name}\n`);
    return [`table ${name} of nftables`];
  },
};

/** Throws HostError where the mode cannot work here, with what to do. */
export async function createNftablesBackend(
  { family, exec, log }: Pick<BackendContext, 'family' | 'exec' | 'log'>,
  writer: Writer = 'netlink',
): Promise<Backend> {
  const nft = createNft(exec);
  await assertSupported(nft, exec);
  const tables = writer === 'netlink' ? openNetlink(log) : undefined;
  log.info({ family, writer: tables ? 'netlink' : 'nft' }, 'using nftables');
  return nftablesBackendOf(family, nft, tables, tables && createNfRules());
}

/** Without `tables` by the nft command alone; without `rules` their number is asked of nft. */
export function nftablesBackendOf(family: Family, nft: Nft, tables?: NfTables, rules?: NfRules): Backend {
  const table: KernelTable = tables ? new NetlinkTable(tables, nft, family, rules) : new NftTable(nft, family);
  const applier = new NftablesApplier(table, (chains, elements) => nft.check(render({ family, chains, elements })));
  return {
    sync: (update) => applier.sync(update),
    distrust: () => {
      applier.distrust();
    },
    isIntact: () => applier.isIntact(),
    watch: (onTampered) => applier.watch(onTampered) ?? (() => undefined),
    stop: () => {
      table.close();
      return Promise.resolve();
    },
  };
}

function openNetlink(log: BackendContext['log']): NfTables | undefined {
  try {
    return createNfTables();
  } catch (error) {
    log.warn({ err: error }, 'no netlink socket for nf_tables; using the nft command, which takes longer');
    return undefined;
  }
}

async function hasNft(nft: Nft): Promise<boolean> {
  try {
    await nft.version();
    return true;
  } catch (error) {
    if (error instanceof HostError) return false;
    throw error;
  }
}
