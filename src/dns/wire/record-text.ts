/** Records and messages in the words of zone files: `web.default.svc.cluster.local. 5 IN A 10.96.0.7`. Pure. */
import { RCODE, TYPE, type Record } from './message.ts';

const typeNames = new Map<number, string>(Object.entries(TYPE).map(([name, code]) => [code, name]));
const rcodeNames = new Map<number, string>(Object.entries(RCODE).map(([name, code]) => [code, name]));

/** `AAAA`, or `TYPE65` for one without a name here (RFC 3597). */
export const typeName = (type: number): string => typeNames.get(type) ?? `TYPE${String(type)}`;

/** `NXDOMAIN`, or `RCODE9`. */
export const rcodeName = (rcode: number): string => rcodeNames.get(rcode) ?? `RCODE${String(rcode)}`;

/** The number of a type written as `SRV` or `TYPE65`, or undefined. */
export function parseType(text: string): number | undefined {
  const upper = text.toUpperCase();
  const known = Object.entries(TYPE).find(([name]) => name === upper)?.[1];
  const digits = /^TYPE(\d{1,5})$/.exec(upper)?.[1];
  return known ?? (digits === undefined ? undefined : Number(digits));
}

export function recordText(record: Record): string {
  const type = record.type === 'other' ? record.code : record.type;
  return `${record.name} ${String(record.ttl)} IN ${typeName(type)} ${dataText(record)}`;
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
      return `\\# ${String(record.bytes.length)} ${record.bytes.toString('hex')}`;
  }
}
