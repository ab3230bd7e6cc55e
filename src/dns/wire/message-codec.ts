/**
 * Messages to bytes and back. Reading never reads past the end, never loops, and fails only with a WireError, whatever the bytes are;
 * writing compresses names and leaves out records that do not fit.
 */
import { CLASS_IN, TYPE, type Edns, type EdnsOption, type Message, type Question, type Record } from './message.ts';
import { readData, writeData } from './record-data.ts';
import { WireError } from './wire-error.ts';
import { WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

const HEADER = 12;
/** What fits a DNS message over TCP. */
export const MAX_MESSAGE = 65_535;

interface Opt {
  readonly edns: Edns;
  readonly extendedRcode: number;
}

/** Records of other classes than IN are left out, and what follows the last record is not looked at. @throws WireError */
export function decodeMessage(bytes: Buffer): Message {
  if (bytes.length < HEADER) throw new WireError('shorter than a header');
  const reader = new WireReader(bytes);
  const [id, flags] = [reader.u16(), reader.u16()];
  const [questionCount, answerCount, authorityCount, additionalCount] = [
    reader.u16(),
    reader.u16(),
    reader.u16(),
    reader.u16(),
  ];
  const questions: Question[] = [];
  for (let left = questionCount; left > 0; left--) {
    questions.push({ name: reader.name(), type: reader.u16(), class: reader.u16() });
  }
  const answers = readRecords(reader, answerCount);
  const authorities = readRecords(reader, authorityCount);
  const additionals = readRecords(reader, additionalCount);
  // RFC 6891, 6.1.1
  if (answers.opt ?? authorities.opt) throw new WireError('OPT outside of the additional records');
  const opt = additionals.opt;
  return {
    id,
    isResponse: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    rcode: (flags & 15) | ((opt?.extendedRcode ?? 0) << 4),
    questions,
    answers: answers.records,
    authorities: authorities.records,
    additionals: additionals.records,
    ...(opt && { edns: opt.edns }),
  };
}

function readRecords(reader: WireReader, count: number): { records: Record[]; opt: Opt | undefined } {
  const records: Record[] = [];
  let opt: Opt | undefined;
  for (let left = count; left > 0; left--) {
    const name = reader.name();
    const [type, klass, ttl, length] = [reader.u16(), reader.u16(), reader.u32(), reader.u16()];
    const end = reader.at + length;
    if (end > reader.bytes.length) throw new WireError('record runs past the end');
    if (type === TYPE.OPT) {
      if (opt) throw new WireError('OPT twice');
      if (name !== '.') throw new WireError('OPT with a name');
      opt = readOpt(reader, klass, ttl, end);
    } else if (klass === CLASS_IN) {
      // RFC 2181, 8: the top bit is not meant
      records.push({ name, ttl: ttl > 0x7fff_ffff ? 0 : ttl, ...readData(reader, type, length) });
    }
    reader.at = end;
  }
  return { records, opt };
}

function readOpt(reader: WireReader, size: number, ttl: number, end: number): Opt {
  const options: EdnsOption[] = [];
  while (reader.at < end) {
    const [code, length] = [reader.u16(), reader.u16()];
    if (reader.at + length > end) throw new WireError('option runs past its record');
    options.push({ code, bytes: Buffer.from(reader.take(length)) });
  }
  if (reader.at !== end) throw new WireError('option runs past its record');
  const edns = { size, version: (ttl >>> 16) & 255, dnssecOk: (ttl & 0x8000) !== 0 };
  return { extendedRcode: ttl >>> 24, edns: options.length === 0 ? edns : { ...edns, options } };
}

/**
 * @param limit bytes the receiver takes; what does not fit is left out, and where that is more than additional records, TC is set. Of the additional
 *   records a set (one name and type) is there whole or not at all; of a set of answers what fits is there, since old resolvers that know no TCP
 *   live on it (RFC 2181, 9; feature 4-058)
 * @throws WireError for names that are too long, and other values that no record can hold
 */
export function encodeMessage(message: Message, limit: number): Buffer {
  const { edns, questions, answers, authorities, additionals } = message;
  const room = Math.min(limit, MAX_MESSAGE) - (edns ? optLength(edns) : 0);
  const writer = new WireWriter();
  writer.at = HEADER;
  for (const question of questions) {
    writer.name(question.name);
    writer.u16(question.type);
    writer.u16(question.class);
  }
  const answered = writeRecords(writer, answers, room);
  const authority = answered === answers.length ? writeRecords(writer, authorities, room) : 0;
  const isWhole = answered === answers.length && authority === authorities.length;
  const additional = isWhole ? writeSets(writer, additionals, room) : 0;
  if (edns) writeOpt(writer, edns, message.rcode >> 4);
  const end = writer.at;
  writer.at = 0;
  writer.u16(message.id);
  writer.u16(flagsOf(message, !isWhole));
  for (const count of [questions.length, answered, authority, additional + (edns ? 1 : 0)]) writer.u16(count);
  writer.at = end;
  return writer.finish();
}

function flagsOf(message: Message, truncated: boolean): number {
  return (
    (message.isResponse ? 0x8000 : 0) |
    (message.opcode << 11) |
    (message.authoritative ? 0x0400 : 0) |
    (message.truncated || truncated ? 0x0200 : 0) |
    (message.recursionDesired ? 0x0100 : 0) |
    (message.recursionAvailable ? 0x0080 : 0) |
    (message.authenticData ? 0x0020 : 0) |
    (message.checkingDisabled ? 0x0010 : 0) |
    (message.rcode & 15)
  );
}

/** How many of them fitted; the rest is left out, as are those after the first that did not fit. */
function writeRecords(writer: WireWriter, records: readonly Record[], room: number): number {
  for (const [written, record] of records.entries()) {
    const before = writer.at;
    writeRecord(writer, record);
    if (writer.at > room) {
      writer.takeBack(before);
      return written;
    }
  }
  return records.length;
}

/** The same, without a part of the set that did not fit. */
function writeSets(writer: WireWriter, records: readonly Record[], room: number): number {
  let start = writer.at;
  for (const [written, record] of records.entries()) {
    const before = records[written - 1];
    if (!before || !isSameSet(before, record)) start = writer.at;
    writeRecord(writer, record);
    if (writer.at <= room) continue;
    writer.takeBack(start);
    let first = written;
    for (let one = records[first - 1]; one && isSameSet(one, record); one = records[first - 1]) first--;
    return first;
  }
  return records.length;
}

const isSameSet = (a: Record, b: Record): boolean => codeOf(a) === codeOf(b) && a.name === b.name;

const codeOf = (record: Record): number => (record.type === 'other' ? record.code : record.type);

function writeRecord(writer: WireWriter, record: Record): void {
  writer.name(record.name);
  writer.u16(codeOf(record));
  writer.u16(record.class ?? CLASS_IN);
  writer.u32(record.ttl);
  writer.u16(0);
  const start = writer.at;
  writeData(writer, record);
  if (writer.at - start > 0xffff) throw new WireError('record too long');
  writer.patch16(start - 2, writer.at - start);
}

/** Root name, type, class, ttl and length, then the options. */
const optLength = ({ options = [] }: Edns): number => options.reduce((sum, { bytes }) => sum + 4 + bytes.length, 11);

function writeOpt(writer: WireWriter, edns: Edns, extendedRcode: number): void {
  writer.u8(0);
  writer.u16(TYPE.OPT);
  writer.u16(edns.size);
  writer.u8(extendedRcode);
  writer.u8(edns.version);
  writer.u16(edns.dnssecOk ? 0x8000 : 0);
  writer.u16(optLength(edns) - 11);
  for (const { code, bytes } of edns.options ?? []) {
    writer.u16(code);
    writer.u16(bytes.length);
    writer.raw(bytes);
  }
}
