/** DNS messages and records as values (RFC 1035, 2782, 3596, 6891). Names are text as in `domain-name.ts`. */

/** Record types by name. Others travel as `{ type, data }`. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Beyond four bits: travels partly in OPT. */
  BADVERS: 16,
} as const;

export const CLASS_IN = 1;

export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export type RecordData =
  | { readonly type: typeof TYPE.A | typeof TYPE.AAAA; readonly address: string }
  | { readonly type: typeof TYPE.NS | typeof TYPE.CNAME | typeof TYPE.PTR; readonly target: string }
  | {
      readonly type: typeof TYPE.SRV;
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: typeof TYPE.TXT; readonly texts: readonly string[] }
  | {
      readonly type: typeof TYPE.SOA;
      readonly mname: string;
      readonly rname: string;
      readonly serial: number;
      readonly refresh: number;
      readonly retry: number;
      readonly expire: number;
      readonly minimum: number;
    }
  /** Kept as bytes, with any compressed name inside written out where the type is known to hold one. */
  | { readonly type: 'other'; readonly code: number; readonly bytes: Buffer };

/** `ttl` in seconds. The class is IN where absent; of those that are read it always is. */
export type Record = { readonly name: string; readonly ttl: number; readonly class?: number } & RecordData;

/** What OPT says (RFC 6891). */
export interface Edns {
  /** Largest UDP answer the sender takes, bytes. */
  readonly size: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** In the order they came; absent for none. */
  readonly options?: readonly EdnsOption[];
}

/** As it came: what is inside is for those who know the code. */
export interface EdnsOption {
  /** See OPTION. */
  readonly code: number;
  readonly bytes: Buffer;
}

/** Codes of options by name (RFC 5001, 7871, 7873, 7828, 7830). */
export const OPTION = { NSID: 3, CLIENT_SUBNET: 8, COOKIE: 10, TCP_KEEPALIVE: 11, PADDING: 12 } as const;

export interface Message {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData?: boolean;
  readonly checkingDisabled?: boolean;
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly Record[];
  readonly authorities: readonly Record[];
  /** Without OPT, which is `edns`. */
  readonly additionals: readonly Record[];
  readonly edns?: Edns;
}

/** A query as a stub resolver sends it. */
export function queryFor(id: number, question: Question, edns?: Edns): Message {
  return {
    id,
    isResponse: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    rcode: RCODE.NOERROR,
    questions: [question],
    answers: [],
    authorities: [],
    additionals: [],
    ...(edns && { edns }),
  };
}

/** The frame of an answer to `query`: same id, question and wish for recursion. OPT without options: they are the asker's, and no answer. */
export function replyTo({ edns, ...query }: Message, rcode: number): Message {
  return {
    ...query,
    ...(edns && { edns: { size: edns.size, version: edns.version, dnssecOk: edns.dnssecOk } }),
    isResponse: true,
    authoritative: false,
    truncated: false,
    recursionAvailable: false,
    authenticData: false,
    rcode,
    questions: query.questions.slice(0, 1),
    answers: [],
    authorities: [],
    additionals: [],
  };
}
