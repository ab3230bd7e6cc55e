/** Answers from the cache, and fills it: what is known is told, what is stale is told and fetched anew, what is popular is fetched before it is stale. */
import type { Clock } from '../../../lib/clock.ts';
import type { ChangeFeed, Dependency, Handler, Query, Reply } from '../../plugin.ts';
import { EXTENDED_ERROR, withExtendedError } from '../../wire/extended-error.ts';
import { CLASS_IN, RCODE, replyTo, type Message } from '../../wire/message.ts';
import { isInZone } from '../../routing/zone-list.ts';
import { asAsked } from '../forward/relevant.ts';
import { keyOf, type AnswerCache, type Entry } from './answer-cache.ts';
import type { CacheMetrics } from './cache-metrics.ts';
import { withTtl } from './lifetime.ts';
import type { CacheOptions } from './options.ts';

export interface CacheParts {
  readonly options: CacheOptions;
  readonly cache: AnswerCache;
  readonly clock: Clock;
  readonly metrics: CacheMetrics;
  readonly changes: ChangeFeed;
}

/** So long an asker waits for something better than a stale answer (RFC 8767, 5: the client response timer). */
const PATIENCE_MS = 1800;
/** What could not be fetched anew is not tried again for so long. */
const RETRY_MS = 5000;

export class CacheHandler {
  readonly #parts: CacheParts;
  readonly #next: Handler;
  /** What changed in the cluster since each question that is under way was asked: an answer made before is not kept after. */
  readonly #underWay = new Set<{ readonly changed: Set<Dependency>; everything: boolean }>();

  /** No longer told what changes. */
  readonly stop: () => void;

  constructor(parts: CacheParts, next: Handler) {
    this.#parts = parts;
    this.#next = next;
    this.stop = parts.changes.onChange((dependency) => {
      parts.cache.forget(dependency);
      for (const each of this.#underWay) {
        if (dependency === undefined) each.everything = true;
        else each.changed.add(dependency);
      }
    });
  }

  readonly handle: Handler = (query) => {
    const { options, cache, clock, metrics } = this.#parts;
    const { question, message } = query;
    if (question.class !== CLASS_IN || !this.#isKept(question.name)) return this.#next(query);
    metrics.request();
    const key = keyOf(question, {
      dnssecOk: message.edns?.dnssecOk === true,
      checkingDisabled: message.checkingDisabled === true,
    });
    const now = clock.now();
    const entry = cache.get(key, now);
    if (!entry) {
      metrics.miss();
      return this.#fetch(query, key);
    }
    metrics.hit(entry.kind === 'success' ? 'success' : 'denial');
    const left = leftOf(entry, now);
    if (left > 0) {
      if (isDue(entry, now, options)) this.#prefetch(query, entry);
      return told(query, entry, now, options);
    }
    return this.#stale(query, entry);
  };

  /** Names that nothing would be kept of need not be looked for. */
  #isKept(name: string): boolean {
    const { zones, disabled } = this.#parts.options;
    const isIn = (zone: string) => isInZone(name, zone);
    return zones.some(isIn) && !(disabled.success.some(isIn) && disabled.denial.some(isIn));
  }

  /** Asks and keeps. Synchronous where the next plugin is. */
  #fetch(query: Query, key: string): ReturnType<Handler> {
    const reply = this.#next(query);
    if (!(reply instanceof Promise)) return this.#keep(query, key, reply);
    const watch = { changed: new Set<Dependency>(), everything: false };
    this.#underWay.add(watch);
    return reply
      .finally(() => this.#underWay.delete(watch))
      .then((late) => {
        const isOver = late?.until?.some((each) => watch.everything || watch.changed.has(each)) ?? false;
        return isOver ? late : this.#keep(query, key, late);
      });
  }

  /** The reply with the TTL that it will be kept for: what is told now and what is told later agree. */
  #keep(query: Query, key: string, reply: Reply | undefined): Reply | undefined {
    if (!reply || reply.holds || reply.transient === true) return reply;
    const { options, cache, clock, metrics } = this.#parts;
    const entry = cache.put(key, query.question, reply, clock.now());
    metrics.entries(cache.sizes);
    if (!entry || options.keepsTtl || entry.kind === 'servfail') return reply;
    return { ...reply, message: aged(reply.message, entry.ttl) };
  }

  #stale(query: Query, entry: Entry): ReturnType<Handler> {
    const { options, clock, metrics } = this.#parts;
    const tell = (): Reply => {
      metrics.stale();
      return toldStale(query, entry, clock.now());
    };
    const isFirst = entry.refresh === undefined;
    const refresh = this.#refresh(query, entry);
    if (options.stale?.verifies !== true || !refresh) return tell();
    let cancel: (() => void) | undefined;
    const patience = new Promise<undefined>((resolve) => {
      cancel = clock.after(PATIENCE_MS, () => {
        resolve(undefined);
      });
    });
    return Promise.race([refresh, patience]).then((reply) => {
      cancel?.();
      if (!reply) return tell();
      return isFirst ? reply : this.#again(query, entry);
    });
  }

  /** What somebody else has just fetched, for another asker. */
  #again(query: Query, { key }: Entry): ReturnType<Handler> {
    const { cache, clock, options } = this.#parts;
    const entry = cache.get(key, clock.now());
    return entry && leftOf(entry, clock.now()) > 0 ? told(query, entry, clock.now(), options) : this.#fetch(query, key);
  }

  /**
   * Fetches anew, once for all who ask meanwhile. Undefined at once: it was tried a moment ago. Resolves to undefined where that brought no answer
   * (RFC 8767, 4: only NOERROR and NXDOMAIN are any); never rejects.
   */
  #refresh(query: Query, entry: Entry): Promise<Reply | undefined> | undefined {
    const { clock } = this.#parts;
    if (entry.refresh || clock.now() - entry.triedAt < RETRY_MS) return entry.refresh;
    const run = async () => {
      try {
        const reply = await this.#fetch(query, entry.key);
        const isAnswer = reply?.message.rcode === RCODE.NOERROR || reply?.message.rcode === RCODE.NXDOMAIN;
        return isAnswer && !reply.message.truncated ? reply : undefined;
      } catch {
        return undefined;
      } finally {
        entry.refresh = undefined;
        entry.triedAt = clock.now();
      }
    };
    return (entry.refresh = run());
  }

  /** Nobody waits for this one: it has no part in how an answer came about. */
  #prefetch({ trail: _, ...query }: Query, entry: Entry): void {
    if (entry.refresh) return;
    this.#parts.metrics.prefetch();
    void this.#refresh(query, entry);
  }
}

/** Seconds, rounded up: an answer is told with a TTL as long as it lives. */
const leftOf = ({ storedAt, ttl }: Entry, now: number): number => Math.ceil((storedAt + ttl * 1000 - now) / 1000);

/** Counts a question, and says whether the answer is popular and soon over. */
function isDue(entry: Entry, now: number, { prefetch }: CacheOptions): boolean {
  if (!prefetch) return false;
  entry.hits = now - entry.hitAt > prefetch.gapMs ? 1 : entry.hits + 1;
  entry.hitAt = now;
  return entry.hits >= prefetch.amount && leftOf(entry, now) <= Math.ceil((prefetch.percentage / 100) * entry.ttl);
}

function aged(message: Message, ttl: number): Message {
  return {
    ...message,
    answers: withTtl(message.answers, ttl),
    authorities: withTtl(message.authorities, ttl),
    additionals: withTtl(message.additionals, ttl),
  };
}

function told(query: Query, entry: Entry, now: number, { keepsTtl }: CacheOptions): Reply {
  const age = Math.floor((now - entry.storedAt) / 1000);
  const left = leftOf(entry, now);
  query.trail?.push({ plugin: 'cache', text: `known for ${String(age)} s${from(entry)}, for ${String(left)} s more` });
  const ttl = keepsTtl ? undefined : left;
  return { message: answerWith(query, entry, ttl), from: 'cache', source: `cached ${String(age)} s ago${from(entry)}` };
}

function toldStale(query: Query, entry: Entry, now: number): Reply {
  const over = Math.max(1, Math.floor((now - entry.storedAt) / 1000 - entry.ttl));
  const source = `stale, ${String(over)} s too old${from(entry)}`;
  query.trail?.push({ plugin: 'cache', text: source });
  const isDenied = entry.message.rcode === RCODE.NXDOMAIN;
  const code = isDenied ? EXTENDED_ERROR.STALE_NXDOMAIN : EXTENDED_ERROR.STALE_ANSWER;
  const message = withExtendedError(answerWith(query, entry, 0), query.message, code, source);
  return { message, from: 'cache', source };
}

const from = ({ source }: Entry): string => (source === undefined ? '' : ` (from ${source})`);

/** A copy for this asker: his letters, his bits. @param ttl undefined: as it came */
function answerWith({ message: query, question }: Query, { message }: Entry, ttl: number | undefined): Message {
  const knowsAd = query.edns?.dnssecOk === true || query.authenticData === true;
  const sections = asAsked(question, ttl === undefined ? message : aged(message, ttl));
  return {
    ...replyTo(query, message.rcode),
    ...sections,
    questions: [question],
    authenticData: knowsAd && message.authenticData === true,
  };
}
