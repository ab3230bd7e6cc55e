/** Elements as strings of bytes <-> elements as the netlink door takes them. */
import type { Family } from '../../lib/ip.ts';
import type { SetChange, SetElement, Verdict, VerdictCode } from '../../host/netlink/nf-tables.ts';
import { splitVerdict, verdictValue, type Emit, type Transaction } from './elements.ts';
import { schemaOf, setNames, type SetName } from './schema.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

export const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** They are few and repeat. */
const verdicts = new Map<string, Verdict>();

function verdictOf(text: string): Verdict {
  const found = verdicts.get(text);
  if (found) return found;
  const [code, chain] = text.split(' ');
  const verdict = { code: code as VerdictCode, ...(chain !== undefined && { chain }) };
  if (verdicts.size > 10_000) verdicts.clear();
  verdicts.set(text, verdict);
  return verdict;
}

export function elementOf(set: SetName, key: string, value: string, family: Family): SetElement {
  const schema = schemaOf(set, family);
  if (schema.interval) {
    const half = key.length / 2;
    return { key: bytesOf(key.slice(0, half)), keyEnd: bytesOf(key.slice(half)) };
  }
  if (value === '') return { key: bytesOf(key) };
  if (schema.value !== 'verdict') return { key: bytesOf(key), data: bytesOf(value) };
  const { verdict, comment } = splitVerdict(value);
  return { key: bytesOf(key), verdict: verdictOf(verdict), ...(comment !== '' && { comment }) };
}

export function keyAndValueOf({ key, keyEnd, data, verdict, comment = '' }: SetElement): readonly [string, string] {
  const text = textOf(key) + (keyEnd ? textOf(keyEnd) : '');
  if (data) return [text, textOf(data)];
  if (!verdict) return [text, ''];
  const { code, chain } = verdict;
  return [text, verdictValue(chain === undefined ? code : `${code} ${chain}`, comment)];
}

/** What goes first, then what comes: a key may do both. */
export function changesOf(transaction: Transaction, family: Family): readonly SetChange[] {
  const removals: SetChange[] = [];
  const additions: SetChange[] = [];
  for (const set of setNames(family)) {
    const { remove, add } = transaction.get(set) ?? {};
    if (remove?.size) {
      removals.push({ op: 'delete', set, elements: [...remove].map((key) => elementOf(set, key, '', family)) });
    }
    if (add?.size) {
      additions.push({ op: 'add', set, elements: [...add].map(([key, value]) => elementOf(set, key, value, family)) });
    }
  }
  return [...removals, ...additions];
}

/** Elements in one commit of a first load: few enough that what they take is garbage soon, and others have their turn in between. */
const BATCH = 16_384;

/** All elements of a table that has none yet and that no packet reaches yet, in several commits. */
export async function commitAll(
  emitAll: (emit: Emit) => void,
  family: Family,
  commit: (changes: readonly SetChange[]) => Promise<void>,
): Promise<void> {
  // keys are gathered as strings, which are small; elements are made when their turn comes
  const sets = new Map<SetName, string[]>();
  emitAll((set, key, value) => {
    const list = sets.get(set);
    if (list) list.push(key, value);
    else sets.set(set, [key, value]);
  });
  for (const [set, flat] of sets) {
    for (let from = 0; from < flat.length; from += 2 * BATCH) {
      const elements: SetElement[] = [];
      for (let at = from; at < Math.min(flat.length, from + 2 * BATCH); at += 2) {
        elements.push(elementOf(set, flat[at] ?? '', flat[at + 1] ?? '', family));
      }
      await commit([{ op: 'add', set, elements }]);
    }
  }
}
