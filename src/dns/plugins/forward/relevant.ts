/**
 * What of an upstream's answer is an answer: the chain of aliases from the name that was asked and the records at its end, the proof that there is none,
 * and the addresses of servers and targets these name. Everything else is left out: nobody asked, so nobody may be told. Pure.
 */
import { labelsOf, nameOf, sameName } from '../../wire/domain-name.ts';
import { TYPE, type Message, type Question, type Record } from '../../wire/message.ts';
import { isInZone } from '../../routing/zone-list.ts';

const DNAME = 39;
const DS = 43;
const RRSIG = 46;
const NSEC = 47;
const NSEC3 = 50;
/** Longer chains are a loop or an attack; unbound and BIND draw the line near there. */
const MOST_ALIASES = 16;

export type Sections = Pick<Message, 'answers' | 'authorities' | 'additionals'>;

/** @param reply its owners may be written otherwise than asked, for the letters were mixed on the way */
export function relevant(question: Question, reply: Sections): Sections {
  const { answers, names } = chain(question, reply.answers);
  const authorities = proofs(reply.authorities, names);
  const targets = new Set([...answers, ...authorities].flatMap(targetOf).map((name) => name.toLowerCase()));
  const additionals = reply.additionals.filter(
    (record) =>
      (codeOf(record) === TYPE.A || codeOf(record) === TYPE.AAAA || codeOf(record) === RRSIG) &&
      targets.has(record.name.toLowerCase()),
  );
  return asAsked(question, { answers, authorities, additionals });
}

/** Owners that are the asked name written as it was asked (feature 4-002). */
export function asAsked({ name }: Question, { answers, authorities, additionals }: Sections): Sections {
  const renamed = (record: Record): Record =>
    record.name !== name && sameName(record.name, name) ? { ...record, name } : record;
  return {
    answers: answers.map(renamed),
    authorities: authorities.map(renamed),
    additionals: additionals.map(renamed),
  };
}

/** Records in the order of the chain, whatever order they came in; and the names on it. */
function chain({ name, type }: Question, records: readonly Record[]): { answers: Record[]; names: string[] } {
  const answers: Record[] = [];
  const names = [name];
  const at = byOwner(records);
  for (let current = name; names.length <= MOST_ALIASES;) {
    const owned = at.get(current.toLowerCase()) ?? [];
    const wanted = owned.filter((record) => type === TYPE.ANY || codeOf(record) === type || signs(record, type));
    if (wanted.some((record) => codeOf(record) === type) || type === TYPE.ANY || type === TYPE.CNAME) {
      return { answers: [...answers, ...wanted], names };
    }
    answers.push(...delegations(at, current));
    const alias = owned.find((record) => record.type === TYPE.CNAME);
    if (alias?.type !== TYPE.CNAME) return { answers, names };
    answers.push(alias, ...owned.filter((record) => signs(record, TYPE.CNAME)));
    if (names.some((known) => sameName(known, alias.target))) return { answers, names };
    current = alias.target;
    names.push(current);
  }
  return { answers, names };
}

function byOwner(records: readonly Record[]): Map<string, Record[]> {
  const owners = new Map<string, Record[]>();
  for (const record of records) {
    const owner = record.name.toLowerCase();
    const owned = owners.get(owner);
    if (owned) owned.push(record);
    else owners.set(owner, [record]);
  }
  return owners;
}

/** A DNAME above the name, which the CNAME at the name was made from (RFC 6672). */
function delegations(at: ReadonlyMap<string, Record[]>, name: string): Record[] {
  const labels = labelsOf(name.toLowerCase());
  return labels.flatMap((_, from) =>
    from === 0
      ? []
      : (at.get(nameOf(labels.slice(from))) ?? []).filter((record) => codeOf(record) === DNAME || signs(record, DNAME)),
  );
}

/** What says that a name is not there, or which servers know: of zones that enclose a name of the chain. */
function proofs(records: readonly Record[], names: readonly string[]): Record[] {
  const encloses = (zone: string) => names.some((name) => isInZone(name, zone.toLowerCase()));
  const zones = records.flatMap((record) =>
    record.type === TYPE.SOA || record.type === TYPE.NS ? [record.name] : signerOf(record),
  );
  const trusted = zones.filter(encloses);
  return records.filter((record) => {
    const code = codeOf(record);
    if (code === TYPE.SOA || code === TYPE.NS) return encloses(record.name);
    return PROOFS.has(code) && trusted.some((zone) => isInZone(record.name, zone.toLowerCase()));
  });
}

const PROOFS: ReadonlySet<number> = new Set([DS, RRSIG, NSEC, NSEC3]);

export const codeOf = (record: Record): number => (record.type === 'other' ? record.code : record.type);

/** Whether it is the signature of records of a type (RFC 4034, 3.1). */
const signs = (record: Record, type: number): boolean =>
  record.type === 'other' && record.code === RRSIG && record.bytes.length > 18 && record.bytes.readUInt16BE(0) === type;

/** Whose key signed: the zone (RFC 4034, 3.1.7). Never compressed. */
function signerOf(record: Record): string[] {
  if (record.type !== 'other' || record.code !== RRSIG || record.bytes.length <= 18) return [];
  return nameIn(record.bytes, 18);
}

/** An uncompressed name inside the bytes of a record; none where there is no whole one. */
function nameIn(bytes: Buffer, at: number): string[] {
  const labels: string[] = [];
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63 || at + 1 + length > bytes.length) return [];
    if (length === 0) return [nameOf(labels)];
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
}

const SVCB = 64;
const HTTPS = 65;

/** The name whose addresses may stand in the additional section because of this record. */
function targetOf(record: Record): string[] {
  switch (record.type) {
    case TYPE.NS:
    case TYPE.SRV:
      return [record.target];
    case 'other': {
      if (![TYPE.MX, SVCB, HTTPS].includes(record.code)) return [];
      const [target = ''] = nameIn(record.bytes, 2);
      // RFC 9460, 2.5: the root stands for the owner.
      return [target === '.' ? record.name : target];
    }
    default:
      return [];
  }
}
