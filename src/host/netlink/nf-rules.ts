/** The chains and rules of a table: how many there are, which is enough to see that somebody emptied one, and all of them, to be sent again. */
import { attributes, text, type Attributes } from './message-reader.ts';
import { MessageWriter, NLM_F_DUMP, NLM_F_REQUEST } from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';
import {
  messageOf,
  nameAttributeOf,
  objectOf,
  setsAskedBy,
  type NfChainImage,
  type NfImage,
  type NfKind,
  type NfObject,
} from './nf-image.ts';
import type { NfFamily } from './nf-types.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './socket.ts';

/** The message that asks is one behind that which makes. */
const getOf = (kind: NfKind): number => messageOf(kind) + 1;
const TABLE_NAME = 1;
const LIST_SET = 2;
const RULE_CHAIN = 2;
const CHAIN_HOOK = 4;
const SET_FLAGS = 3;
const NFT_SET_ANONYMOUS = 1;
const handleAttribute: Readonly<Partial<Record<NfKind, number>>> = { chain: 2, rule: 3, set: 16 };
const familyNumbers: Readonly<Record<NfFamily, number>> = { ip: 2, ip6: 10 };

/** How often a dump is begun again because someone committed meanwhile. */
const DUMP_TRIES = 20;

export interface NfRules {
  /** Rules by chain; chains without rules are left out. Throws NetlinkError. */
  count(family: NfFamily, table: string): Promise<ReadonlyMap<string, number>>;
  /** undefined where there is no such table, or others changed it while it was read. Throws NetlinkError. */
  read(family: NfFamily, table: string): Promise<NfImage | undefined>;
  close(): void;
}

/** One object as it was dumped. */
interface Dumped {
  readonly object: NfObject;
  readonly found: Attributes;
}

/** Opens its socket with the first question, in the network namespace of the calling thread. */
export function createNfRules(): NfRules {
  return new NfRulesSocket();
}

class NfRulesSocket implements NfRules {
  #socket: NetlinkSocket | undefined;
  readonly #writer = new MessageWriter(256);

  count(family: NfFamily, table: string): Promise<ReadonlyMap<string, number>> {
    return this.#exclusive(async (socket) => {
      const tried = ['nf_tables', 'count rules', family, table];
      for (let tries = 0; tries < DUMP_TRIES; tries++) {
        const counts = new Map<string, number>();
        const isWhole = await this.#dump(socket, 'rule', family, tried, { table }, (found) => {
          const chain = text(found.get(RULE_CHAIN));
          counts.set(chain, (counts.get(chain) ?? 0) + 1);
        });
        if (isWhole) return counts;
      }
      throw new NetlinkError(tried, 'EINTR', `others changed the rules during each of ${String(DUMP_TRIES)} dumps`);
    });
  }

  read(family: NfFamily, table: string): Promise<NfImage | undefined> {
    const tried = ['nf_tables', 'read', family, table];
    return this.#exclusive(async (socket) => {
      const gather = async (kind: NfKind, set?: string): Promise<readonly Dumped[] | undefined> => {
        const dumped: Dumped[] = [];
        const isWhole = await this.#dump(socket, kind, family, tried, { table, set }, (found, payload) => {
          // what is kept must not be a view of the receive buffer
          const copy = Buffer.from(payload);
          const own = attributes(copy, 4);
          dumped.push({ object: objectOf(kind, text(found.get(nameAttributeOf(kind))), copy), found: own });
        });
        return isWhole ? dumped : undefined;
      };
      try {
        const [own] = (await gather('table')) ?? [];
        const [sets, chains, rules] = [await gather('set'), await gather('chain'), await gather('rule')];
        if (!own || !sets || !chains || !rules) return undefined;
        const anonymous = new Map<string, readonly NfObject[]>();
        for (const { object } of sets.filter(isAnonymous)) {
          const elements = await gather('elements', object.name);
          if (!elements) return undefined;
          anonymous.set(object.name, [object, ...elements.map((one) => one.object)]);
        }
        return imageOf(own.object, sets, chains, rules, anonymous);
      } catch (error) {
        if (error instanceof NetlinkError && error.code === 'ENOENT') return undefined;
        throw error;
      }
    });
  }

  close(): void {
    this.#socket?.close();
  }

  #exclusive<T>(work: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
    const socket = (this.#socket ??= new NetlinkSocket(NETLINK_NETFILTER));
    return socket.exclusive(() => work(socket));
  }

  /** False when others changed something meanwhile. */
  async #dump(
    socket: NetlinkSocket,
    kind: NfKind,
    family: NfFamily,
    tried: readonly string[],
    { table, set }: { readonly table: string; readonly set?: string | undefined },
    visit: (found: Attributes, payload: Buffer) => void,
  ): Promise<boolean> {
    const request = this.#writer
      .reset()
      .begin(getOf(kind), NLM_F_REQUEST | NLM_F_DUMP, socket.nextSeq())
      .nfgen(familyNumbers[family])
      .string(TABLE_NAME, table);
    if (set !== undefined) request.string(LIST_SET, set);
    const { interrupted } = await socket.dump(request.end(), tried, ({ type, payload }) => {
      if (type !== messageOf(kind)) return;
      const found = attributes(payload, 4);
      // not every kernel takes notice of the table asked for
      if (text(found.get(TABLE_NAME)) === table) visit(found, payload);
    });
    return !interrupted;
  }
}

const isAnonymous = ({ found }: Dumped): boolean =>
  ((found.get(SET_FLAGS)?.readUInt32BE() ?? 0) & NFT_SET_ANONYMOUS) !== 0;

function imageOf(
  table: NfObject,
  sets: readonly Dumped[],
  chains: readonly Dumped[],
  rules: readonly Dumped[],
  anonymous: ReadonlyMap<string, readonly NfObject[]>,
): NfImage {
  const rulesOf = new Map<string, NfObject[]>();
  for (const { object } of rules) {
    const own = rulesOf.get(object.name) ?? [];
    rulesOf.set(object.name, own);
    for (const set of setsAskedBy(object)) own.push(...(anonymous.get(set) ?? []));
    own.push(object);
  }
  const images = chains.map(({ object, found }): [string, NfChainImage] => [
    object.name,
    { chain: object, isBase: found.has(CHAIN_HOOK), rules: rulesOf.get(object.name) ?? [] },
  ]);
  return {
    table,
    sets: sets.filter((one) => !isAnonymous(one)).map((one) => one.object),
    chains: new Map(images),
    isUntouched: haveAllHandles([...sets, ...chains, ...rules]),
  };
}

/** A table numbers what is put into it. Of one that is as it was made no number is missing; whoever changes it by more than elements leaves a gap. */
function haveAllHandles(dumped: readonly Dumped[]): boolean {
  const handles = new Set(
    dumped.map(({ object, found }) => found.get(handleAttribute[object.kind] ?? 0)?.readBigUInt64BE()),
  );
  return dumped.every((_one, at) => handles.has(BigInt(at + 1)));
}
