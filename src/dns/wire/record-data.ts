/** What a record says of its name, between bytes and values, type by type. All throw WireError. */
import { addressBytes, ipv4Text, ipv6Text } from './address-bytes.ts';
import { nameBytes } from './domain-name.ts';
import { TYPE, type RecordData } from './message.ts';
import { WireError } from './wire-error.ts';
import type { WireReader } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

/** The reader stands at the data and has that many bytes of it; where it stands afterwards is nobody's business. */
export function readData(reader: WireReader, type: number, length: number): RecordData {
  const start = reader.at;
  const end = start + length;
  const data = readKnown(reader, type, length, end);
  // a name at the end may have led past it, and what is left over would be lost
  if (data && reader.at !== end) throw new WireError('record of a wrong length');
  reader.at = start;
  return data ?? { type: 'other', code: type, bytes: Buffer.from(reader.take(length)) };
}

function readKnown(reader: WireReader, type: number, length: number, end: number): RecordData | undefined {
  switch (type) {
    case TYPE.A:
      if (length !== 4) throw new WireError('record of a wrong length');
      return { type, address: ipv4Text(reader.take(4), 0) };
    case TYPE.AAAA:
      if (length !== 16) throw new WireError('record of a wrong length');
      return { type, address: ipv6Text(reader.take(16), 0) };
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
      return { type, target: reader.name() };
    case TYPE.SRV:
      return { type, priority: reader.u16(), weight: reader.u16(), port: reader.u16(), target: reader.name() };
    case TYPE.TXT:
      return { type, texts: readTexts(reader, end) };
    case TYPE.SOA: {
      const names = { mname: reader.name(), rname: reader.name() };
      const times = { serial: reader.u32(), refresh: reader.u32(), retry: reader.u32(), expire: reader.u32() };
      return { type, ...names, ...times, minimum: reader.u32() };
    }
    case TYPE.MX: {
      // The one other common type whose name may be compressed: written out, so that it can be passed on.
      const preference = reader.take(2);
      return { type: 'other', code: type, bytes: Buffer.concat([preference, nameBytes(reader.name())]) };
    }
    default:
      return undefined;
  }
}

function readTexts(reader: WireReader, end: number): string[] {
  const texts: string[] = [];
  while (reader.at < end) {
    const text = reader.take(reader.u8());
    if (reader.at > end) throw new WireError('text runs past its record');
    texts.push(text.toString('latin1'));
  }
  return texts;
}

export function writeData(writer: WireWriter, record: RecordData): void {
  switch (record.type) {
    case TYPE.A:
      writer.raw(addressBytes(record.address, 4));
      return;
    case TYPE.AAAA:
      writer.raw(addressBytes(record.address, 16));
      return;
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
      writer.name(record.target);
      return;
    case TYPE.SRV:
      writer.u16(record.priority);
      writer.u16(record.weight);
      writer.u16(record.port);
      // RFC 2782: not compressed.
      writer.name(record.target, false);
      return;
    case TYPE.TXT:
      writeTexts(writer, record.texts);
      return;
    case TYPE.SOA:
      writer.name(record.mname);
      writer.name(record.rname);
      for (const field of ['serial', 'refresh', 'retry', 'expire', 'minimum'] as const) writer.u32(record[field]);
      return;
    case 'other':
      writer.raw(record.bytes);
  }
}

function writeTexts(writer: WireWriter, texts: readonly string[]): void {
  const start = writer.at;
  for (const text of texts) {
    if (writer.at - start > 0xffff) throw new WireError('record too long');
    writer.u8(Math.min(text.length, 255));
    writer.latin1(text.slice(0, 255));
  }
}
