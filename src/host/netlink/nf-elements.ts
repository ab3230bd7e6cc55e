/** Elements of sets and maps in the kernel's bytes, both ways. */
import { attributes, eachAttribute, text } from './message-reader.ts';
import {
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  type MessageWriter,
} from './message-writer.ts';
import { messageOf } from './nf-image.ts';
import type { RulesetChange, SetChange, SetElement, Verdict, VerdictCode } from './nf-types.ts';

export const NFT_MSG_NEWSETELEM = 0xa0c;
export const NFT_MSG_DELSETELEM = 0xa0e;
const NFT_MSG_DELCHAIN = 0xa05;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_SUBSYS_NFTABLES = 10;

const LIST_TABLE = 1;
const LIST_SET = 2;
const LIST_ELEMENTS = 3;

const ELEM_KEY = 1;
const ELEM_DATA = 2;
const ELEM_FLAGS = 3;
const ELEM_TIMEOUT = 4;
const ELEM_EXPIRATION = 5;
const ELEM_USERDATA = 6;
const ELEM_KEY_END = 10;

const FLAG_INTERVAL_END = 1;
const FLAG_CATCHALL = 2;
const DATA_VALUE = 1;
const DATA_VERDICT = 2;

const verdictNumbers: Readonly<Record<VerdictCode, number>> = {
  accept: 1,
  drop: 0,
  continue: -1,
  jump: -3,
  goto: -4,
  return: -5,
};
const verdictCodes = new Map(
  Object.entries(verdictNumbers).map(([code, number]) => [number, code as VerdictCode] as const),
);

/** Room that is left for one more element in a list, whose length the kernel reads as 16 bits. Longest: two keys of 64 bytes, a value, a comment of 255. */
const LIST_LIMIT = 0xffff - 768;

/** What a batch writes; `changes[seq - firstSeq - 1]` is what the message with that number is of. */
export interface Batch {
  readonly firstSeq: number;
  /** The last message, the only one that is acknowledged. */
  readonly lastSeq: number;
  readonly changes: readonly (SetChange | RulesetPart)[];
}

/** A message of a batch that is about no elements of a named set. */
export interface RulesetPart {
  readonly op: 'make' | 'unmake';
  /** Kind and name. */
  readonly what: string;
}

/**
 * Writes one transaction. `nextSeq` gives a number at a time, each one more (in 32 bits) than that before. Only the last message asks to be acknowledged: errors come anyway,
 * and a single answer fits any receive buffer.
 */
export function writeBatch(
  to: MessageWriter,
  family: number,
  table: string,
  changes: readonly SetChange[],
  nextSeq: () => number,
  { made = [], unmade = [] }: RulesetChange = {},
): Batch {
  const firstSeq = nextSeq();
  to.begin(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, firstSeq).nfgen(0, NFNL_SUBSYS_NFTABLES).end();
  const writtenFor: (SetChange | RulesetPart)[] = [];
  let [lastSeq, header, lastFlags] = [firstSeq, 0, 0];
  const begin = (type: number, flags: number, what: SetChange | RulesetPart) => {
    [lastSeq, header, lastFlags] = [nextSeq(), to.length + 6, NLM_F_REQUEST | flags];
    writtenFor.push(what);
    return to.begin(type, lastFlags, lastSeq).nfgen(family);
  };
  for (const { kind, name, bytes } of made) {
    const flags = NLM_F_CREATE | (kind === 'rule' ? NLM_F_APPEND : kind === 'elements' ? 0 : NLM_F_EXCL);
    begin(messageOf(kind), flags, { op: 'make', what: `${kind} ${name}` })
      .raw(bytes)
      .end();
  }
  for (const change of changes) {
    const { op, set, elements } = change;
    for (let next = 0; next < elements.length;) {
      const [type, flags] = op === 'add' ? [NFT_MSG_NEWSETELEM, NLM_F_CREATE] : [NFT_MSG_DELSETELEM, 0];
      begin(type, flags, change).string(LIST_TABLE, table).string(LIST_SET, set);
      next = writeElements(to, op, elements, next);
      to.end();
    }
  }
  for (const chain of unmade) {
    begin(NFT_MSG_DELCHAIN, 0, { op: 'unmake', what: `chain ${chain}` })
      .string(1, table)
      .string(3, chain)
      .end();
  }
  if (header > 0) to.buffer.writeUInt16LE(lastFlags | NLM_F_ACK, header);
  to.begin(NFNL_MSG_BATCH_END, NLM_F_REQUEST, nextSeq()).nfgen(0, NFNL_SUBSYS_NFTABLES).end();
  return { firstSeq, lastSeq, changes: writtenFor };
}

/** As many elements as one list takes; returns the index of the first that is left. */
function writeElements(to: MessageWriter, op: 'add' | 'delete', elements: readonly SetElement[], from: number): number {
  const list = to.open(LIST_ELEMENTS);
  let next = from;
  for (; next < elements.length && to.length - list < LIST_LIMIT; next++) {
    const element = elements[next];
    if (element) writeElement(to, element, op === 'add');
  }
  to.close(list);
  return next;
}

function writeElement(to: MessageWriter, element: SetElement, whole: boolean): void {
  const { key, keyEnd, data, verdict, timeout, expires, comment } = element;
  const at = to.open(1);
  const flags = (element.intervalEnd === true ? FLAG_INTERVAL_END : 0) | (key.length === 0 ? FLAG_CATCHALL : 0);
  if (flags !== 0) to.be32(ELEM_FLAGS, flags);
  if (key.length > 0) writeValue(to, ELEM_KEY, key);
  if (keyEnd) writeValue(to, ELEM_KEY_END, keyEnd);
  if (whole) {
    if (data) writeValue(to, ELEM_DATA, data);
    if (verdict) writeVerdict(to, verdict);
    if (timeout !== undefined) to.be64(ELEM_TIMEOUT, timeout);
    if (expires !== undefined) to.be64(ELEM_EXPIRATION, expires);
    if (comment !== undefined) to.bytes(ELEM_USERDATA, commentBytes(comment));
  }
  to.close(at);
}

function writeValue(to: MessageWriter, type: number, value: Uint8Array): void {
  const at = to.open(type);
  to.bytes(DATA_VALUE, value).close(at);
}

function writeVerdict(to: MessageWriter, { code, chain }: Verdict): void {
  const data = to.open(ELEM_DATA);
  const verdict = to.open(DATA_VERDICT);
  to.be32(1, verdictNumbers[code]);
  if (chain !== undefined) to.string(2, chain);
  to.close(verdict).close(data);
}

/** nft's own layout of user data: type 0 is the comment, its length, the text with NUL. */
function commentBytes(comment: string): Uint8Array {
  const words = Buffer.from(`${comment}\0`);
  if (words.length > 128) throw new RangeError(`a comment of more than 127 bytes: ${comment}`);
  return Buffer.from([0, words.length, ...words]);
}

/** Appends the elements of a NFT_MSG_NEWSETELEM to `into`. Their bytes are views of one copy of the message. */
export function readElements(payload: Buffer, into: SetElement[]): void {
  const list = attributes(payload, 4).get(LIST_ELEMENTS);
  if (!list) return;
  const bytes = new Uint8Array(list);
  const view = new DataView(bytes.buffer);
  eachAttribute(bytes, 0, bytes.length, (_type, from, to) => into.push(readElement(view, bytes, from, to)));
}

/** Names of the table and set a message of elements is about. */
export function readListNames(payload: Buffer): { table: string; set: string } {
  const found = attributes(payload, 4);
  return { table: text(found.get(LIST_TABLE)), set: text(found.get(LIST_SET)) };
}

export function writeListNames(to: MessageWriter, table: string, set: string): MessageWriter {
  return to.string(LIST_TABLE, table).string(LIST_SET, set);
}

function readElement(view: DataView, bytes: Uint8Array, from: number, to: number): SetElement {
  const found: { -readonly [Key in keyof SetElement]: SetElement[Key] } = { key: nothing };
  eachAttribute(bytes, from, to, (type, start, end) => {
    if (type === ELEM_KEY) found.key = readValue(view, bytes, start, end);
    else if (type === ELEM_KEY_END) found.keyEnd = readValue(view, bytes, start, end);
    else if (type === ELEM_DATA) {
      if ((view.getUint16(start + 2, true) & 0x3fff) === DATA_VERDICT)
        found.verdict = readVerdict(view, bytes, start + 4, end);
      else found.data = readValue(view, bytes, start, end);
    } else if (type === ELEM_FLAGS) {
      if ((view.getUint32(start) & FLAG_INTERVAL_END) !== 0) found.intervalEnd = true;
    } else if (type === ELEM_TIMEOUT) found.timeout = Number(view.getBigUint64(start));
    else if (type === ELEM_EXPIRATION) found.expires = Number(view.getBigUint64(start));
    else if (type === ELEM_USERDATA && bytes[start] === 0)
      found.comment = text(Buffer.from(bytes.subarray(start + 2, start + 2 + (bytes[start + 1] ?? 0))));
  });
  return found;
}

const nothing = new Uint8Array(0);

/** The value within a nested `nft_data` at `start`: its inner header says how long it is without padding. */
function readValue(view: DataView, bytes: Uint8Array, start: number, end: number): Uint8Array {
  return bytes.subarray(start + 4, Math.min(end, start + view.getUint16(start, true)));
}

function readVerdict(view: DataView, bytes: Uint8Array, from: number, to: number): Verdict {
  let code: VerdictCode = 'continue';
  let chain: string | undefined;
  eachAttribute(bytes, from, to, (type, start, end) => {
    if (type === 1) code = verdictCodes.get(view.getInt32(start)) ?? 'continue';
    else if (type === 2) chain = text(Buffer.from(bytes.subarray(start, end)));
  });
  return chain === undefined ? { code } : { code, chain };
}
