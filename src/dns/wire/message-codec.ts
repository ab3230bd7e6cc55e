/**
 * Messages to bytes and back. Reading never reads past the end, never loops, and fails only with a WireError, whatever the bytes are;
 * writing compresses names and leaves out records that do not fit.
 */
import { formatIp, parseIp } from '../../lib/ip.ts';
import { labelsOf, nameBytes, nameOf, readName } from './domain-name.ts';
import { CLASS_IN, TYPE, type Edns, type Message, type Question, type Record, type RecordData } from './message.ts';
import { WireError } from './wire-error.ts';

const HEADER = 12;
/** What fits a DNS message over TCP. */
export const MAX_MESSAGE = 65_535;

/** @throws WireError */
export function decodeMessage(bytes: Buffer): Message {
  if (bytes.length < HEADER) throw new WireError('shorter than a header');
  const flags = bytes.readUInt16BE(2);
  const [questionCount, ...counts] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  let at = HEADER;
  const questions: Question[] = [];
  for (let left = questionCount ?? 0; left > 0; left--) {
    const { name, next } = readName(bytes, at);
    need(bytes, next, 4);
    questions.push({ name, type: bytes.readUInt16BE(next), class: bytes.readUInt16BE(next + 2) });
    at = next + 4;
  }
  let edns: (Edns & { extendedRcode: number }) | undefined;
  const sections = counts.map((count) => {
    const records: Record[] = [];
    for (let left = count; left > 0; left--) {
      const read = readRecord(bytes, at);
      at = read.next;
      if ('edns' in read) edns = read.edns;
      else if (read.record) records.push(read.record);
    }
    return records;
  });
  const [answers = [], authorities = [], additionals = []] = sections;
  return {
    id: bytes.readUInt16BE(0),
    isResponse: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    rcode: (flags & 15) | ((edns?.extendedRcode ?? 0) << 4),
    questions,
    answers,
    authorities,
    additionals,
    ...(edns && { edns: { size: edns.size, version: edns.version, dnssecOk: edns.dnssecOk } }),
  };
}

function need(bytes: Buffer, at: number, length: number): void {
  if (at + length > bytes.length) throw new WireError('record runs past the end');
}

type Read = { next: number; record: Record | undefined } | { next: number; edns: Edns & { extendedRcode: number } };

function readRecord(bytes: Buffer, at: number): Read {
  const { name, next: head } = readName(bytes, at);
  need(bytes, head, 10);
  const type = bytes.readUInt16BE(head);
  const klass = bytes.readUInt16BE(head + 2);
  const ttl = bytes.readUInt32BE(head + 4);
  const start = head + 10;
  const length = bytes.readUInt16BE(head + 8);
  need(bytes, start, length);
  const next = start + length;
  if (type === TYPE.OPT) {
    const flags = { extendedRcode: ttl >>> 24, version: (ttl >>> 16) & 255, dnssecOk: (ttl & 0x8000) !== 0 };
    return { next, edns: { size: klass, ...flags } };
  }
  if (klass !== CLASS_IN) return { next, record: undefined };
  return { next, record: { name, ttl: ttl > 0x7fff_ffff ? 0 : ttl, ...readData(bytes, type, start, next) } };
}

function readData(bytes: Buffer, type: number, start: number, end: number): RecordData {
  const length = end - start;
  const exactly = (wanted: number) => {
    if (length !== wanted) throw new WireError('record of a wrong length');
  };
  const nameAt = (at: number) => {
    const { name, next } = readName(bytes, at);
    if (next > end) throw new WireError('name runs past its record');
    return { name, next };
  };
  switch (type) {
    case TYPE.A:
      exactly(4);
      return { type, address: bytes.subarray(start, end).join('.') };
    case TYPE.AAAA:
      exactly(16);
      return { type, address: formatIp({ family: 'IPv6', value: BigInt(`0x${bytes.toString('hex', start, end)}`) }) };
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
      return { type, target: nameAt(start).name };
    case TYPE.SRV: {
      if (length < 7) throw new WireError('record of a wrong length');
      const [priority, weight, port] = [0, 2, 4].map((at) => bytes.readUInt16BE(start + at)) as [
        number,
        number,
        number,
      ];
      return { type, priority, weight, port, target: nameAt(start + 6).name };
    }
    case TYPE.TXT:
      return { type, texts: readTexts(bytes, start, end) };
    case TYPE.SOA: {
      const mname = nameAt(start);
      const rname = nameAt(mname.next);
      if (end - rname.next !== 20) throw new WireError('record of a wrong length');
      const [serial, refresh, retry, expire, minimum] = [0, 4, 8, 12, 16].map((at) =>
        bytes.readUInt32BE(rname.next + at),
      ) as [number, number, number, number, number];
      return { type, mname: mname.name, rname: rname.name, serial, refresh, retry, expire, minimum };
    }
    case TYPE.MX: {
      // The one other common type whose name may be compressed: written out, so that it can be passed on.
      if (length < 3) throw new WireError('record of a wrong length');
      const exchange = nameBytes(nameAt(start + 2).name);
      return { type: 'other', code: type, bytes: Buffer.concat([bytes.subarray(start, start + 2), exchange]) };
    }
    default:
      return { type: 'other', code: type, bytes: Buffer.from(bytes.subarray(start, end)) };
  }
}

function readTexts(bytes: Buffer, start: number, end: number): string[] {
  const texts: string[] = [];
  for (let at = start; at < end;) {
    const length = bytes.readUInt8(at);
    if (at + 1 + length > end) throw new WireError('text runs past its record');
    texts.push(bytes.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return texts;
}

/**
 * @param limit bytes the receiver takes; what does not fit is left out, and where that is more than additional records, TC is set
 * @throws WireError for names that are too long
 */
export function encodeMessage(message: Message, limit: number): Buffer {
  const writer = new Writer(Math.min(limit, MAX_MESSAGE) - (message.edns ? OPT_LENGTH : 0));
  for (const question of message.questions) {
    writer.name(question.name);
    writer.numbers([question.type, 2], [question.class, 2]);
  }
  const answers = writer.records(message.answers);
  const authorities = answers === message.answers.length ? writer.records(message.authorities) : 0;
  const isWhole = answers === message.answers.length && authorities === message.authorities.length;
  const additionals = isWhole ? writer.records(message.additionals) : 0;
  writer.lift(OPT_LENGTH);
  if (message.edns) writer.opt(message.edns, message.rcode >> 4);
  const { flags, ...rest } = { flags: flagsOf(message, !isWhole), ...message };
  const header = Buffer.alloc(HEADER);
  [rest.id, flags, message.questions.length, answers, authorities, additionals + (message.edns ? 1 : 0)].forEach(
    (value, index) => header.writeUInt16BE(value, index * 2),
  );
  return writer.finish(header);
}

/** Root name, type, class, ttl and an empty body. */
const OPT_LENGTH = 11;

function flagsOf(message: Message, truncated: boolean): number {
  const bits: [boolean | undefined, number][] = [
    [message.isResponse, 0x8000],
    [message.authoritative, 0x0400],
    [message.truncated || truncated, 0x0200],
    [message.recursionDesired, 0x0100],
    [message.recursionAvailable, 0x0080],
    [message.authenticData, 0x0020],
    [message.checkingDisabled, 0x0010],
  ];
  return bits.reduce((sum, [on, bit]) => sum | (on ? bit : 0), (message.opcode << 11) | (message.rcode & 15));
}

class Writer {
  #limit: number;
  #bytes = Buffer.alloc(512);
  #length = HEADER;
  /** Name (as text) -> where it stands. Pointers reach only so far. */
  readonly #places = new Map<string, number>();
  /** Names placed by the record at hand: forgotten again where it does not fit. */
  #fresh: string[] = [];
  constructor(limit: number) {
    this.#limit = limit;
  }
  lift(bytes: number): void {
    this.#limit += bytes;
  }
  finish(header: Buffer): Buffer {
    header.copy(this.#bytes, 0);
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }
  /** How many of them fitted; the rest is left out, as are those after the first that did not fit. */
  records(records: readonly Record[]): number {
    let written = 0;
    for (const record of records) {
      const length = this.#length;
      this.#fresh = [];
      this.#record(record);
      if (this.#length > this.#limit) {
        this.#length = length;
        for (const name of this.#fresh) this.#places.delete(name);
        return written;
      }
      written++;
    }
    return written;
  }
  name(name: string): void {
    const labels = labelsOf(name);
    nameBytes(name);
    for (let first = 0; first < labels.length; first++) {
      const rest = nameOf(labels.slice(first));
      const place = this.#places.get(rest);
      if (place !== undefined) {
        this.numbers([0xc000 | place, 2]);
        return;
      }
      if (this.#length < 0x4000) {
        this.#places.set(rest, this.#length);
        this.#fresh.push(rest);
      }
      const label = labels[first] ?? '';
      this.#append(Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
    }
    this.#append(Buffer.of(0));
  }
  /** Unsigned numbers with their width in bytes. */
  numbers(...values: [value: number, width: 1 | 2 | 4][]): void {
    for (const [value, width] of values) {
      const bytes = Buffer.alloc(width);
      bytes.writeUIntBE(value, 0, width);
      this.#append(bytes);
    }
  }
  opt(edns: Edns, extendedRcode: number): void {
    this.#append(Buffer.of(0));
    this.numbers(
      [TYPE.OPT, 2],
      [edns.size, 2],
      [extendedRcode, 1],
      [edns.version, 1],
      [edns.dnssecOk ? 0x8000 : 0, 2],
      [0, 2],
    );
  }
  #record(record: Record): void {
    this.name(record.name);
    this.numbers([record.type === 'other' ? record.code : record.type, 2], [CLASS_IN, 2], [record.ttl, 4], [0, 2]);
    const start = this.#length;
    this.#data(record);
    this.#bytes.writeUInt16BE(this.#length - start, start - 2);
  }
  #data(record: RecordData): void {
    switch (record.type) {
      case TYPE.A:
      case TYPE.AAAA:
        this.#append(addressBytes(record.address, record.type === TYPE.A ? 4 : 16));
        return;
      case TYPE.NS:
      case TYPE.CNAME:
      case TYPE.PTR:
        this.name(record.target);
        return;
      case TYPE.SRV:
        this.numbers([record.priority, 2], [record.weight, 2], [record.port, 2]);
        // RFC 2782: not compressed.
        this.#append(nameBytes(record.target));
        return;
      case TYPE.TXT:
        for (const text of record.texts) {
          this.numbers([Math.min(text.length, 255), 1]);
          this.#append(Buffer.from(text.slice(0, 255), 'latin1'));
        }
        return;
      case TYPE.SOA:
        this.name(record.mname);
        this.name(record.rname);
        this.numbers(
          [record.serial, 4],
          [record.refresh, 4],
          [record.retry, 4],
          [record.expire, 4],
          [record.minimum, 4],
        );
        return;
      case 'other':
        this.#append(record.bytes);
    }
  }
  #append(bytes: Buffer): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#length + bytes.length));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    bytes.copy(this.#bytes, this.#length);
    this.#length += bytes.length;
  }
}

function addressBytes(text: string, length: 4 | 16): Buffer {
  const ip = parseIp(text);
  if (!ip || (ip.family === 'IPv4') !== (length === 4)) throw new WireError(`not an address for this record: ${text}`);
  return Buffer.from(ip.value.toString(16).padStart(length * 2, '0'), 'hex');
}
