/** How many rules the chains of a table have: enough to see that somebody emptied or added to one, and far less than `nft list` reads. */
import { attributes, text } from './message-reader.ts';
import { MessageWriter, NLM_F_DUMP, NLM_F_REQUEST } from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';
import type { NfFamily } from './nf-tables.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './socket.ts';

const NFT_MSG_NEWRULE = 0xa06;
const NFT_MSG_GETRULE = 0xa07;
const RULE_TABLE = 1;
const RULE_CHAIN = 2;
const familyNumbers: Readonly<Record<NfFamily, number>> = { ip: 2, ip6: 10 };

/** How often a dump is begun again because someone committed meanwhile. */
const DUMP_TRIES = 20;

export interface NfRules {
  /** By chain; those without rules are left out. Throws NetlinkError. */
  count(family: NfFamily, table: string): Promise<ReadonlyMap<string, number>>;
  close(): void;
}

/** Opens its socket with the first question, in the network namespace of the calling thread. */
export function createNfRules(): NfRules {
  let socket: NetlinkSocket | undefined;
  const writer = new MessageWriter(64);
  return {
    count: (family, table) => {
      const tried = ['nf_tables', 'count rules', family, table];
      const reader = (socket ??= new NetlinkSocket(NETLINK_NETFILTER));
      return reader.exclusive(async () => {
        for (let tries = 0; tries < DUMP_TRIES; tries++) {
          const counts = new Map<string, number>();
          const request = writer
            .reset()
            .begin(NFT_MSG_GETRULE, NLM_F_REQUEST | NLM_F_DUMP, reader.nextSeq())
            .nfgen(familyNumbers[family])
            .string(RULE_TABLE, table)
            .end();
          const { interrupted } = await reader.dump(request, tried, ({ type, payload }) => {
            if (type !== NFT_MSG_NEWRULE) return;
            const found = attributes(payload, 4);
            // older kernels take no notice of the table asked for
            if (text(found.get(RULE_TABLE)) !== table) return;
            const chain = text(found.get(RULE_CHAIN));
            counts.set(chain, (counts.get(chain) ?? 0) + 1);
          });
          if (!interrupted) return counts;
        }
        throw new NetlinkError(tried, 'EINTR', `others changed the rules during each of ${String(DUMP_TRIES)} dumps`);
      });
    },
    close: () => socket?.close(),
  };
}
