/**
 * Forwarded answers for as long as their TTL allows; bounded in number and in memory, for a Pod may ask for what it likes. The oldest
 * goes first. Names of the cluster are never kept here.
 */
import { RCODE, TYPE, type Message, type Question, type Record } from '../../wire/message.ts';

export interface CacheOptions {
  /** Entries; 5000 where absent. */
  readonly capacity?: number;
  /** Bytes of memory, roughly; 8 MiB where absent. */
  readonly maxBytes?: number;
  /** Longest life of an answer in seconds; 30 where absent, as in the usual Corefile (feature 4-046). */
  readonly maxTtl?: number;
}

interface Entry {
  readonly message: Message;
  /** Milliseconds. */
  readonly storedAt: number;
  readonly expiresAt: number;
  /** Bytes. */
  readonly weight: number;
}

/** Short-lived answers are kept so long at least: a burst of the same question costs one. */
const MIN_TTL = 5;

export class AnswerCache {
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #maxTtl: number;
  #weight = 0;
  /** In the order they were stored. */
  readonly #entries = new Map<string, Entry>();

  constructor({ capacity = 5000, maxBytes = 8 << 20, maxTtl = 30 }: CacheOptions = {}) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
    this.#maxTtl = maxTtl;
  }

  /** With TTLs as they are by now. `now` in milliseconds. */
  get(question: Question, now: number): Message | undefined {
    const entry = this.#entries.get(keyOf(question));
    if (!entry || now >= entry.expiresAt) return undefined;
    const age = Math.floor((now - entry.storedAt) / 1000);
    const aged = (records: Message['answers']) =>
      records.map((record) => ({ ...record, ttl: Math.max(1, record.ttl - age) }));
    const { message } = entry;
    return {
      ...message,
      answers: aged(message.answers),
      authorities: aged(message.authorities),
      additionals: aged(message.additionals),
    };
  }

  put(question: Question, message: Message, now: number): void {
    const ttl = lifetime(message);
    if (ttl === undefined || message.truncated) return;
    const key = keyOf(question);
    const life = Math.min(this.#maxTtl, Math.max(MIN_TTL, ttl));
    const weight = weightOf(message);
    this.#drop(key);
    this.#entries.set(key, { message, storedAt: now, expiresAt: now + life * 1000, weight });
    this.#weight += weight;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#capacity && this.#weight <= this.#maxBytes) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#weight -= this.#entries.get(key)?.weight ?? 0;
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}

const keyOf = ({ name, type }: Question): string => `${String(type)} ${name.toLowerCase()}`;

/** Bytes, roughly: what an object costs beside its text, and the text. */
function weightOf({ answers, authorities, additionals }: Message): number {
  return [...answers, ...authorities, ...additionals].reduce((sum, record) => sum + 250 + textLength(record), 500);
}

function textLength(record: Record): number {
  if (record.type === 'other') return record.name.length + record.bytes.length;
  return record.name.length + (record.type === TYPE.TXT ? record.texts.join('').length : 0);
}

/** Seconds an answer may live: its shortest TTL, for a denial what its SOA says (RFC 2308); undefined: not at all. */
function lifetime({ rcode, answers, authorities }: Message): number | undefined {
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return undefined;
  if (answers.length > 0 && rcode === RCODE.NOERROR) return Math.min(...answers.map(({ ttl }) => ttl));
  const denials = authorities.flatMap((record) =>
    record.type === TYPE.SOA ? [Math.min(record.ttl, record.minimum)] : [],
  );
  return denials.length === 0 ? undefined : Math.min(...denials);
}
