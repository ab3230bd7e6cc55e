/**
 * Ready-made answers in front of all plugins. A packet is what the chain answered, byte for byte; it is kept while nothing that it was made from has
 * changed (`Reply.holds`), and given to everyone who asks the same in any case of letters: the reply's question is the asker's own, and names point at
 * it. A packet never outlives what it was made from.
 *
 * Memory is bounded: two generations, of which the older is thrown away when the younger is full. What is asked for moves from the older to the younger,
 * so a flood of names asked for once drives out nothing that is in use.
 */
import type { PacketCounter } from '../metrics.ts';
import type { Dependency } from '../plugin.ts';
import { addressRun } from './answer-shape.ts';
import { Generation, packetWords, WORD } from './generation.ts';
import { QuestionKey } from './question-key.ts';
import { Versions } from './versions.ts';

/** Bytes of one generation: room for all addresses of 100,000 Services. */
const MOST_BYTES = 16 << 20;
/** Longer answers are not kept. */
const LONGEST_PACKET = 8192;
const MOST_PLACES = 16;
/** One per type of question and kind of answer; whoever asks for all types there are must not have us keep them. */
const MOST_COUNTERS = 1024;
const HEADER = 12;

/** What is known of an answer besides its bytes. */
export interface Making {
  /** `PacketTable.now` before the chain was asked. */
  readonly madeAt: number;
  readonly holds: readonly Dependency[];
  /** Address records change places with each answer. */
  readonly isBalanced: boolean;
  readonly counter?: PacketCounter;
}

export interface PacketTableOptions {
  /** 0 to 1, exclusive. */
  readonly random: () => number;
  /** Bytes of one generation. */
  readonly mostBytes?: number;
  /** See Versions; for tests. */
  readonly versions?: Versions;
}

export class PacketTable {
  /** Where `find` leaves the answer. Whoever must keep it puts another in its place. */
  out = Buffer.alloc(LONGEST_PACKET);
  readonly #mostBytes: number;
  readonly #key: QuestionKey;
  #young: Generation;
  #old: Generation;
  #versions: Versions;
  readonly #counters: (PacketCounter | undefined)[] = [];
  readonly #places = new Map<PacketCounter | undefined, number>();
  /** Of xorshift; never 0. */
  #dice: number;

  constructor({ random, mostBytes = MOST_BYTES, versions = new Versions() }: PacketTableOptions) {
    this.#versions = versions;
    this.#mostBytes = mostBytes;
    this.#key = new QuestionKey(Math.floor(random() * 2 ** 32));
    this.#dice = Math.floor(random() * 0xffff_fffe) + 1;
    this.#young = new Generation(mostBytes);
    this.#old = new Generation(0);
  }

  /** To be remembered before the chain is asked, for `keep`. */
  get now(): number {
    return this.#versions.now;
  }

  /** Bytes. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** What was made from it no longer holds; `undefined`: nothing does. */
  change(dependency: Dependency | undefined): void {
    this.#versions.change(dependency);
    if (!this.#versions.isUsable) this.#beginAnew();
  }

  #beginAnew(): void {
    this.#young = new Generation(this.#mostBytes);
    this.#old = new Generation(0);
    // an answer that is being made now has a count of the versions before, later than any for a long time: `keep` leaves it
    this.#versions = new Versions();
  }

  /**
   * The bytes of the answer that then stands in `out`, counted; 0: the chain must be asked.
   * @param source see QuestionKey
   * @param isStream no limit to the size
   */
  find(query: Uint8Array, source: number, isStream: boolean): number {
    const began = performance.now();
    const key = this.#key;
    if (!key.read(query, source)) return 0;
    let generation = this.#young;
    let at = generation.find(key);
    if (at === 0) {
      generation = this.#old;
      at = generation.find(key);
      if (at === 0) return 0;
    }
    const { words } = generation;
    const lengths = words[at + WORD.FLAGS_AND_LENGTHS] ?? 0;
    const places = (lengths >>> 8) & 0xff;
    if (!this.#versions.hold(words, at + WORD.PLACES, places, words[at + WORD.MADE_AT] ?? 0)) return 0;
    const tail = (words[at + WORD.ADDITIONALS_AND_TAIL] ?? 0) & 0xffff;
    const length = key.end + tail;
    if (!isStream && length > key.size) return 0;
    const tailAt = (at + WORD.PLACES + places) * 4 + (lengths & 0xff);
    const last = words[at + WORD.COUNT_AND_COUNTER] ?? 0;
    if (last >>> 16 > 1) this.#shuffle(generation.bytes, tailAt, words[at + WORD.ADDRESSES] ?? 0, last >>> 16);
    this.#write(query, generation, at, tailAt);
    if (generation !== this.#young && this.#young.adopt(generation, at) === 0) this.#turn();
    this.#counters[last & 0xffff]?.count(query.length, length, (performance.now() - began) / 1000);
    return length;
  }

  #write(query: Uint8Array, { words, bytes }: Generation, at: number, tailAt: number): void {
    const { out } = this;
    const { end } = this.#key;
    const flags = (words[at + WORD.FLAGS_AND_LENGTHS] ?? 0) >>> 16;
    const counts = words[at + WORD.ANSWERS_AND_AUTHORITIES] ?? 0;
    const additionals = words[at + WORD.ADDITIONALS_AND_TAIL] ?? 0;
    out[0] = query[0] ?? 0;
    out[1] = query[1] ?? 0;
    out[2] = flags >>> 8;
    out[3] = flags;
    out[4] = 0;
    out[5] = 1;
    out[6] = counts >>> 24;
    out[7] = counts >>> 16;
    out[8] = counts >>> 8;
    out[9] = counts;
    out[10] = additionals >>> 24;
    out[11] = additionals >>> 16;
    for (let offset = HEADER; offset < end; offset++) out[offset] = query[offset] ?? 0;
    const tail = additionals & 0xffff;
    if (tail > 200) out.set(bytes.subarray(tailAt, tailAt + tail), end);
    else for (let offset = 0; offset < tail; offset++) out[end + offset] = bytes[tailAt + offset] ?? 0;
  }

  /** One address, any of them, becomes the first. */
  #shuffle(bytes: Uint8Array, tailAt: number, addresses: number, count: number): void {
    let dice = this.#dice;
    dice ^= dice << 13;
    dice ^= dice >>> 17;
    dice ^= dice << 5;
    this.#dice = dice;
    const first = tailAt + (addresses >>> 16);
    const other = first + ((dice >>> 0) % count) * ((addresses >>> 8) & 0xff);
    for (let offset = 0, size = addresses & 0xff; offset < size; offset++) {
      const byte = bytes[first + offset] ?? 0;
      bytes[first + offset] = bytes[other + offset] ?? 0;
      bytes[other + offset] = byte;
    }
  }

  /**
   * Keeps `reply`, the chain's whole answer to `query` with nothing cut off, where that can be. Only questions in lower case make packets: an answer
   * may have taken letters of its question over.
   */
  keep(query: Uint8Array, source: number, reply: Uint8Array, making: Making): void {
    const { holds, madeAt, counter, isBalanced } = making;
    const key = this.#key;
    if (reply.length > LONGEST_PACKET || holds.length > MOST_PLACES || !key.read(query, source) || !key.isLower) return;
    if (!answers(query, reply, key.end)) return;
    const answerCount = ((reply[6] ?? 0) << 8) | (reply[7] ?? 0);
    const run = isBalanced ? addressRun(reply, key.end, answerCount) : { start: key.end, stride: 0, size: 0, count: 0 };
    // the distance is kept in one byte
    if (!run || run.stride > 0xff) return;
    const places = Uint32Array.from(holds, (dependency) => this.#versions.placeOf(dependency));
    if (madeAt > this.#versions.now || !this.#versions.hold(places, 0, places.length, madeAt)) return;
    const counterAt = this.#counterAt(counter);
    if (counterAt === undefined) return;
    const tail = reply.length - key.end;
    const length = packetWords(places.length, key.nameLength, tail);
    let at = this.#young.reserve(key.hash, length);
    if (at === 0) {
      this.#turn();
      at = this.#young.reserve(key.hash, length);
      if (at === 0) return;
    }
    const { words, bytes } = this.#young;
    words[at + WORD.MADE_AT] = madeAt;
    words[at + WORD.TYPE_AND_VARIANT] = (key.type << 16) | key.variant;
    words[at + WORD.FLAGS_AND_LENGTHS] =
      ((reply[2] ?? 0) << 24) | ((reply[3] ?? 0) << 16) | (places.length << 8) | key.nameLength;
    words[at + WORD.ANSWERS_AND_AUTHORITIES] = (answerCount << 16) | ((reply[8] ?? 0) << 8) | (reply[9] ?? 0);
    words[at + WORD.ADDITIONALS_AND_TAIL] = ((reply[10] ?? 0) << 24) | ((reply[11] ?? 0) << 16) | tail;
    words[at + WORD.ADDRESSES] = ((run.count > 1 ? run.start - key.end : 0) << 16) | (run.stride << 8) | run.size;
    words[at + WORD.COUNT_AND_COUNTER] = (run.count << 16) | counterAt;
    words.set(places, at + WORD.PLACES);
    const nameAt = (at + WORD.PLACES + places.length) * 4;
    bytes.set(key.name.subarray(0, key.nameLength), nameAt);
    bytes.set(reply.subarray(key.end), nameAt + key.nameLength);
  }

  /** Undefined: there are too many already. */
  #counterAt(counter: PacketCounter | undefined): number | undefined {
    const known = this.#places.get(counter);
    if (known !== undefined) return known;
    if (this.#counters.length >= MOST_COUNTERS) return undefined;
    const at = this.#counters.push(counter) - 1;
    this.#places.set(counter, at);
    return at;
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Generation(this.#mostBytes);
  }
}

/** Whether the reply is one to exactly this question, with nothing cut off. */
function answers(query: Uint8Array, reply: Uint8Array, end: number): boolean {
  if (reply.length < end || ((reply[2] ?? 0) & 0x82) !== 0x80 || reply[4] !== 0 || reply[5] !== 1) return false;
  for (let at = HEADER; at < end; at++) if (reply[at] !== query[at]) return false;
  return true;
}
