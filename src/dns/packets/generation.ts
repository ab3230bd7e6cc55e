/**
 * Packets one behind the other in one piece of memory, found by the hash of their question. Nothing is taken out: a generation grows until it is full
 * and is then thrown away as a whole.
 *
 * A packet is these words, the places of what it was made from, the name of its question, and all bytes of the answer behind the question.
 */
import type { QuestionKey } from './question-key.ts';

export const WORD = {
  HASH: 0,
  /** See `Versions`. */
  MADE_AT: 1,
  TYPE_AND_VARIANT: 2,
  /** 16 bits the header's flags, 8 the places, 8 the bytes of the name. */
  FLAGS_AND_LENGTHS: 3,
  ANSWERS_AND_AUTHORITIES: 4,
  ADDITIONALS_AND_TAIL: 5,
  /** 16 bits where the first address is in the tail, 8 from one to the next, 8 its size. */
  ADDRESSES: 6,
  /** 16 bits how many addresses change places, 16 which counter. */
  COUNT_AND_COUNTER: 7,
  /** Here the places begin. */
  PLACES: 8,
} as const;

/** Slots looked at for one question. With at most half of them taken hardly ever more than two. */
const LONGEST_SEARCH = 16;

export class Generation {
  words: Uint32Array;
  bytes: Uint8Array;
  /** Slot -> word at which a packet begins; 0: free. */
  #slots: Uint32Array;
  /** Word 0 is nobody's. */
  #used = 1;
  #count = 0;
  readonly #mostBytes: number;

  /** @param mostBytes of packets; the slots take up to a quarter of it besides */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
    this.words = new Uint32Array(1 << 12);
    this.bytes = new Uint8Array(this.words.buffer);
    this.#slots = new Uint32Array(1 << 9);
  }

  get size(): number {
    return this.bytes.length + this.#slots.length * 4;
  }

  /** The word at which the packet begins; 0: it is not here. */
  find(key: QuestionKey): number {
    const { words } = this;
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let search = 0; search < LONGEST_SEARCH; search++) {
      const at = slots[(key.hash + search) & mask] ?? 0;
      if (at === 0) return 0;
      if (words[at] === key.hash && this.#isAbout(at, key)) return at;
    }
    return 0;
  }

  #isAbout(at: number, { type, variant, name, nameLength }: QuestionKey): boolean {
    const { words, bytes } = this;
    if (words[at + WORD.TYPE_AND_VARIANT] !== ((type << 16) | variant) >>> 0) return false;
    const lengths = words[at + WORD.FLAGS_AND_LENGTHS] ?? 0;
    if ((lengths & 0xff) !== nameLength) return false;
    const start = (at + WORD.PLACES + ((lengths >>> 8) & 0xff)) * 4;
    for (let offset = 0; offset < nameLength; offset++) if (bytes[start + offset] !== name[offset]) return false;
    return true;
  }

  /** Room for a packet of so many words, found from now on for that hash; 0: the generation is full. The first word is written. */
  reserve(hash: number, length: number): number {
    if (!this.#grow(length)) return 0;
    const at = this.#used;
    this.#used += length;
    this.#count++;
    this.words[at] = hash;
    this.#place(this.#slots, at);
    return at;
  }

  /** A packet of another generation. False: no room. */
  adopt(other: Generation, at: number): number {
    const length = lengthOf(other.words, at);
    const own = this.reserve(other.words[at] ?? 0, length);
    if (own !== 0) this.words.set(other.words.subarray(at, at + length), own);
    return own;
  }

  /** Takes the first free slot; where the search would be too long the packet in the first one is given up. A later packet stands before an earlier one. */
  #place(slots: Uint32Array, at: number): void {
    const hash = this.words[at] ?? 0;
    const mask = slots.length - 1;
    for (let search = 0; search < LONGEST_SEARCH; search++) {
      const slot = (hash + search) & mask;
      const taken = slots[slot] ?? 0;
      if (taken === 0 || this.words[taken] === hash) {
        slots[slot] = at;
        return;
      }
    }
    slots[hash & mask] = at;
  }

  #grow(length: number): boolean {
    const needed = this.#used + length;
    if (needed > this.words.length) {
      const words = Math.min(this.words.length * 2, this.#mostBytes / 4);
      if (needed > words) return false;
      const grown = new Uint32Array(words);
      grown.set(this.words.subarray(0, this.#used));
      this.words = grown;
      this.bytes = new Uint8Array(grown.buffer);
    }
    if ((this.#count + 1) * 2 > this.#slots.length) {
      if (this.#slots.length * 2 > this.#mostBytes / 16) return false;
      const slots = new Uint32Array(this.#slots.length * 2);
      for (let at = 1; at < this.#used; at += lengthOf(this.words, at)) this.#place(slots, at);
      this.#slots = slots;
    }
    return true;
  }
}

/** Words of the packet. */
function lengthOf(words: Uint32Array, at: number): number {
  const lengths = words[at + WORD.FLAGS_AND_LENGTHS] ?? 0;
  const tail = (words[at + WORD.ADDITIONALS_AND_TAIL] ?? 0) & 0xffff;
  return packetWords((lengths >>> 8) & 0xff, lengths & 0xff, tail);
}

export const packetWords = (places: number, name: number, tail: number): number =>
  WORD.PLACES + places + Math.ceil((name + tail) / 4);
