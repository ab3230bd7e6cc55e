/** What the kernel multicasts after a transaction, gathered into what changed. */
import { readListNames } from './nf-elements.ts';
import { attributes, text, type Message } from './message-reader.ts';
import type { NfChange, NfChangeKind } from './nf-types.ts';

const NFT_MSG_NEWGEN = 0xa0f;

const families = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
]);

/** Message type -> kind. */
const kinds = new Map<number, NfChangeKind>([
  [0xa00, 'table-added'],
  [0xa02, 'table-deleted'],
  [0xa03, 'chain-added'],
  [0xa05, 'chain-deleted'],
  [0xa06, 'rule-added'],
  [0xa08, 'rule-deleted'],
  [0xa09, 'set-added'],
  [0xa0b, 'set-deleted'],
  [0xa0c, 'set-element-added'],
  [0xa0e, 'set-element-deleted'],
]);

/** Takes messages in order; tells the changes of a transaction when its last message (NEWGEN) is there. */
export class ChangeGatherer {
  readonly #onChange: (change: NfChange) => void;
  #pending = new Map<string, NfChange>();

  constructor(onChange: (change: NfChange) => void) {
    this.#onChange = onChange;
  }

  take({ type, payload }: Message): void {
    if (type === NFT_MSG_NEWGEN) {
      const found = attributes(payload, 4);
      this.#tell({ pid: found.get(2)?.readUInt32BE(), program: text(found.get(3)) });
      return;
    }
    const kind = kinds.get(type);
    if (kind === undefined) return;
    const change = readChange(kind, payload);
    this.#pending.set(
      `${kind} ${change.family ?? ''} ${change.table ?? ''} ${change.set ?? change.chain ?? ''}`,
      change,
    );
  }

  /** Some messages never came. What is gathered is told, too. */
  lost(): void {
    this.#tell({});
    this.#onChange({ kind: 'lost' });
  }

  #tell({ pid, program }: { pid?: number | undefined; program?: string }): void {
    const changes = this.#pending;
    this.#pending = new Map();
    for (const change of changes.values())
      this.#onChange({ ...change, ...(pid !== undefined && { pid }), ...(program && { program }) });
  }
}

function readChange(kind: NfChangeKind, payload: Buffer): NfChange {
  const number = payload[0] ?? 0;
  const family = families.get(number) ?? String(number);
  if (kind.startsWith('set-element')) return { kind, family, ...readListNames(payload) };
  const found = attributes(payload, 4);
  const [first, second] = [text(found.get(1)), text(found.get(2))];
  if (kind.startsWith('table')) return { kind, family, table: first };
  // a chain's name comes behind its handle
  if (kind.startsWith('chain')) return { kind, family, table: first, chain: text(found.get(3)) };
  return kind.startsWith('rule')
    ? { kind, family, table: first, chain: second }
    : { kind, family, table: first, set: second };
}
