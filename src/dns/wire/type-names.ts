/** Names of record types and response codes that have no meaning of their own here, for reading and showing them (IANA's tables). */
import { RCODE, TYPE } from './message.ts';

const OTHER_TYPES = {
  HINFO: 13,
  RP: 17,
  AFSDB: 18,
  SIG: 24,
  KEY: 25,
  LOC: 29,
  NAPTR: 35,
  CERT: 37,
  DNAME: 39,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  TSIG: 250,
  URI: 256,
  CAA: 257,
} as const;

const OTHER_RCODES = { YXDOMAIN: 6, YXRRSET: 7, NXRRSET: 8, NOTAUTH: 9, NOTZONE: 10 } as const;

const CLASSES = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

/** Code by name, upper case. */
export const typeCodes: ReadonlyMap<string, number> = new Map(Object.entries({ ...TYPE, ...OTHER_TYPES }));
export const rcodeCodes: ReadonlyMap<string, number> = new Map(Object.entries({ ...RCODE, ...OTHER_RCODES }));
export const classCodes: ReadonlyMap<string, number> = new Map(Object.entries(CLASSES));
