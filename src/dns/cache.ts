/** Forwarded answers for as long as their TTL allows; bounded, the oldest goes first. Names of the cluster are never kept here. */
import { RCODE, TYPE, type Message, type Question } from './message.ts';

export interface CacheOptions {
  /** Entries; 5000 where absent. */
  readonly capacity?: number;
  /** Longest life of an answer in seconds; 30 where absent, as in the usual Corefile (feature 4-046). */
  readonly maxTtl?: number;
}

interface Entry {
  readonly message: Message;
  /** Milliseconds. */
  readonly storedAt: number;
  readonly expiresAt: number;
}

/** Short-lived answers are kept so long at least: a burst of the same question costs one. */
const MIN_TTL = 5;

export class AnswerCache {
  readonly #capacity: number;
  readonly #maxTtl: number;
  /** In the order they were stored. */
  readonly #entries = new Map<string, Entry>();

  constructor({ capacity = 5000, maxTtl = 30 }: CacheOptions = {}) {
    this.#capacity = capacity;
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
    this.#entries.delete(key);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= this.#capacity && oldest !== undefined) this.#entries.delete(oldest);
    const life = Math.min(this.#maxTtl, Math.max(MIN_TTL, ttl));
    this.#entries.set(key, { message, storedAt: now, expiresAt: now + life * 1000 });
  }

  get size(): number {
    return this.#entries.size;
  }
}

const keyOf = ({ name, type }: Question): string => `${String(type)} ${name.toLowerCase()}`;

/** Seconds an answer may live: its shortest TTL, for a denial what its SOA says (RFC 2308); undefined: not at all. */
function lifetime({ rcode, answers, authorities }: Message): number | undefined {
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return undefined;
  if (answers.length > 0 && rcode === RCODE.NOERROR) return Math.min(...answers.map(({ ttl }) => ttl));
  const denials = authorities.flatMap((record) =>
    record.type === TYPE.SOA ? [Math.min(record.ttl, record.minimum)] : [],
  );
  return denials.length === 0 ? undefined : Math.min(...denials);
}
