/**
 * One chain of each counted kind is always there. The others are made after it, over netlink, in the transaction of the elements that lead to them:
 * nft itself cannot add such a rule to a table that is there (`nft-table.ts`), and so nothing needs to know how it encodes one.
 */
import { chainLike, type NfImage, type NfObject } from '../../host/netlink/nf-image.ts';
import { COUNTED_KINDS, countOf, type CountedKind } from './skeleton.ts';

/** The affinity time Services have that name none (3-090). */
const SECONDS = 10_800;

const templateOf = (kind: CountedKind): string => `${kind}-${String(kind === 'remember' ? SECONDS : 1)}`;

const TEMPLATES: ReadonlySet<string> = new Set(COUNTED_KINDS.map(templateOf));

export const isTemplate = (chain: string): boolean => TEMPLATES.has(chain);

export const withTemplates = (names: Iterable<string>): ReadonlySet<string> => new Set([...names, ...TEMPLATES]);

/** Numbers that the kernel and nft give to sets without a name begin at 0. */
const FIRST_SET = 1_000_000;

/** What makes a counted chain; undefined where its template is not as we would have made it. */
export function countedObjects(image: NfImage, name: string): readonly NfObject[] | undefined {
  const counted = countOf(name);
  const template = counted && image.chains.get(templateOf(counted.kind));
  if (!template || template.rules.length === 0) return undefined;
  const { kind, count } = counted;
  const number = kind === 'remember' ? { timeout: count * 1000 } : { modulus: count };
  return chainLike(template, name, { ...number, set: `__set${String(FIRST_SET + count)}` });
}

/** What makes a table of such chains: first all that packets do not enter by, then the rest. undefined where the image has not what it takes. */
export function tableObjects(
  { table, sets, chains, ...image }: NfImage,
  names: Iterable<string>,
): { readonly inner: readonly NfObject[]; readonly entries: readonly NfObject[] } | undefined {
  const [inner, entries]: [NfObject[], NfObject[]] = [[table, ...sets], []];
  const [innerRules, entryRules]: [NfObject[], NfObject[]] = [[], []];
  for (const name of names) {
    const found = chains.get(name);
    const [chain, ...rules] = found
      ? [found.chain, ...found.rules]
      : (countedObjects({ table, sets, chains, ...image }, name) ?? []);
    if (!chain) return undefined;
    (found?.isBase === true ? entries : inner).push(chain);
    (found?.isBase === true ? entryRules : innerRules).push(...rules);
  }
  return { inner: [...inner, ...innerRules], entries: [...entries, ...entryRules] };
}
