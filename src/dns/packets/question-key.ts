/**
 * What of a query's bytes its answer depends on, read without making an object: the question, without regard to case, the sort of EDNS, and where it
 * came in. One key is used for all queries, one after the other.
 */
const HEADER = 12;
const MAX_NAME = 255;
const MAX_LABEL = 63;
const TYPE_OPT = 41;
const CLASS_IN = 1;
/** What a client without EDNS takes over UDP (RFC 1035), and the most that is sent to any. */
export const SMALLEST_UDP = 512;
export const LARGEST_UDP = 4096;
/** Root name, type, class, ttl and length: OPT without options. */
const OPT_LENGTH = 11;

export class QuestionKey {
  /** 32 bits, unsigned; of all that follows it but `end` and `size`. */
  hash = 0;
  /** On the wire, lower case: the first `nameLength` bytes. */
  readonly name = new Uint8Array(MAX_NAME + 1);
  nameLength = 0;
  type = 0;
  /** The source and the sort of EDNS. */
  variant = 0;
  /** Where the question ends. */
  end = 0;
  /** Of the answer over UDP, bytes. */
  size = SMALLEST_UDP;
  /** True where the name has no capitals. */
  isLower = true;
  readonly #seed: number;

  /** @param seed any number; secret, so that nobody knows which questions have the same hash */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /**
   * False: a query out of the ordinary, to be read as a whole (flags other than RD and AD, several questions, another class than IN, EDNS options, …).
   * @param source below 2¹⁴: tells apart where one question has several answers
   */
  read(query: Uint8Array, source: number): boolean {
    // QR, opcode, AA and TC are 0 and RD is 1; of the second byte AD alone may be set
    if (query.length < HEADER + 5 || query[2] !== 1 || ((query[3] ?? 0) & 0xdf) !== 0) return false;
    // one question, no answer, no authority, one additional record at most
    if (query[4] !== 0 || query[5] !== 1 || query[6] !== 0 || query[7] !== 0 || query[8] !== 0 || query[9] !== 0)
      return false;
    if (query[10] !== 0) return false;
    if (!this.#readQuestion(query)) return false;
    const edns = query[11] === 0 && query.length === this.end ? 0 : query[11] === 1 ? this.#readOpt(query) : -1;
    if (edns < 0) return false;
    this.variant = source * 4 + edns;
    this.hash = mixed(mixed(this.hash ^ this.type) ^ this.variant) >>> 0;
    return true;
  }

  #readQuestion(query: Uint8Array): boolean {
    const name = this.name;
    let hash = this.#seed;
    let capitals = 0;
    let at = HEADER;
    let length = 0;
    for (;;) {
      const label = query[at++];
      if (label === undefined || label > MAX_LABEL) return false;
      name[length++] = label;
      hash = Math.imul(hash ^ label, 0x01000193);
      if (label === 0) break;
      if (length + label >= MAX_NAME) return false;
      for (const end = at + label; at < end; at++) {
        const byte = query[at];
        if (byte === undefined) return false;
        const isCapital = byte > 0x40 && byte < 0x5b ? 0x20 : 0;
        capitals |= isCapital;
        name[length++] = byte | isCapital;
        hash = Math.imul(hash ^ byte ^ isCapital, 0x01000193);
      }
    }
    if (at + 4 > query.length || query[at + 2] !== 0 || query[at + 3] !== CLASS_IN) return false;
    this.type = ((query[at] ?? 0) << 8) | (query[at + 1] ?? 0);
    this.nameLength = length;
    this.end = at + 4;
    this.size = SMALLEST_UDP;
    this.isLower = capitals === 0;
    this.hash = hash;
    return true;
  }

  /** 1: EDNS of version 0 without options; 2: the same with DO; -1: anything else. */
  #readOpt(query: Uint8Array): number {
    const at = this.end;
    if (query.length !== at + OPT_LENGTH || query[at] !== 0 || query[at + 1] !== 0 || query[at + 2] !== TYPE_OPT)
      return -1;
    // extended code, version, the other flags, length of the options
    if (query[at + 5] !== 0 || query[at + 6] !== 0 || ((query[at + 7] ?? 0) & 0x7f) !== 0 || query[at + 8] !== 0)
      return -1;
    if (query[at + 9] !== 0 || query[at + 10] !== 0) return -1;
    const size = ((query[at + 3] ?? 0) << 8) | (query[at + 4] ?? 0);
    this.size = Math.min(LARGEST_UDP, Math.max(SMALLEST_UDP, size));
    return query[at + 7] === 0 ? 1 : 2;
  }
}

/** Spreads what low bits say over all of them (murmur3's last step). */
function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
