/** Records and messages in the words of zone files: `web.default.svc.cluster.local. 5 IN A 10.96.0.7`. Pure. */
import { CLASS_IN, TYPE, type Record } from './message.ts';
import { classCodes, rcodeCodes, typeCodes } from './type-names.ts';
import { WireReader } from './wire-reader.ts';

const reversed = (codes: ReadonlyMap<string, number>) => new Map([...codes].map(([name, code]) => [code, name]));
const typeNames = reversed(typeCodes);
const rcodeNames = reversed(rcodeCodes);
const classNames = reversed(classCodes);

/** `AAAA`, or `TYPE65280` for one without a name here (RFC 3597). */
export const typeName = (type: number): string => typeNames.get(type) ?? `TYPE${String(type)}`;

/** `NXDOMAIN`, or `RCODE12`. */
export const rcodeName = (rcode: number): string => rcodeNames.get(rcode) ?? `RCODE${String(rcode)}`;

/** `IN`, or `CLASS9`. */
export const className = (code: number): string => classNames.get(code) ?? `CLASS${String(code)}`;

/** The number of a type written as `SRV` or `TYPE65`, or undefined. */
export const parseType = (text: string): number | undefined => codeOf(text, typeCodes, /^TYPE(\d{1,5})$/);

/** The number of a class written as `IN` or `CLASS3`, or undefined. */
export const parseClass = (text: string): number | undefined => codeOf(text, classCodes, /^CLASS(\d{1,5})$/);

/** The number of a code written as `NXDOMAIN`, or undefined. */
export const parseRcode = (text: string): number | undefined => rcodeCodes.get(text.toUpperCase());

function codeOf(text: string, codes: ReadonlyMap<string, number>, numbered: RegExp): number | undefined {
  const upper = text.toUpperCase();
  const digits = numbered.exec(upper)?.[1];
  const code = digits === undefined ? codes.get(upper) : Number(digits);
  return code !== undefined && code <= 0xffff ? code : undefined;
}

export function recordText(record: Record): string {
  const type = record.type === 'other' ? record.code : record.type;
  return `${record.name} ${String(record.ttl)} ${className(record.class ?? CLASS_IN)} ${typeName(type)} ${dataText(record)}`;
}

function dataText(record: Record): string {
  switch (record.type) {
    case TYPE.A:
    case TYPE.AAAA:
      return record.address;
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
      return record.target;
    case TYPE.SRV:
      return `${String(record.priority)} ${String(record.weight)} ${String(record.port)} ${record.target}`;
    case TYPE.TXT:
      return record.texts.map((text) => JSON.stringify(text)).join(' ');
    case TYPE.SOA: {
      const { serial, refresh, retry, expire, minimum } = record;
      return [record.mname, record.rname, serial, refresh, retry, expire, minimum].join(' ');
    }
    case 'other':
      if (record.code === TYPE.MX)
        return `${String(record.bytes.readUInt16BE(0))} ${new WireReader(record.bytes, 2).name()}`;
      return `\\# ${String(record.bytes.length)} ${record.bytes.toString('hex')}`;
  }
}
