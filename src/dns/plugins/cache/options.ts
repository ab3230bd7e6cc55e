/** `cache [TTL] [ZONES...] { … }` as it is written (features 4-049, 4-050). Pure. */
import type { Directive } from '../../corefile/directive.ts';
import { expectArgs, expectDuration, expectNoBody, expectNumber, readOptions, refuse } from '../../corefile/option.ts';
import { zoneArgs } from '../../routing/zone-list.ts';

/** How long and how many, of answers or of denials. Seconds. */
export interface Limits {
  readonly capacity: number;
  readonly maxTtl: number;
  readonly minTtl: number;
}

export interface CacheOptions {
  /** Names in others are not kept. */
  readonly zones: readonly string[];
  readonly success: Limits;
  readonly denial: Limits;
  /** Seconds a SERVFAIL is kept; 0: not at all. */
  readonly servfailTtl: number;
  /** Absent: nothing is fetched before it is asked for. */
  readonly prefetch?: Prefetch;
  /** Absent: what is too old is not told. */
  readonly stale?: Stale;
  /** Zones whose answers, or denials, are not kept. */
  readonly disabled: { readonly success: readonly string[]; readonly denial: readonly string[] };
  /** TTLs are told as they came, however old the answer is. */
  readonly keepsTtl: boolean;
}

export interface Prefetch {
  /** Questions, with no gap of `gapMs` between them, that make an answer popular. */
  readonly amount: number;
  readonly gapMs: number;
  /** Of its TTL that is left when a popular answer is fetched anew. */
  readonly percentage: number;
}

export interface Stale {
  readonly upToMs: number;
  /** Told only after it was tried to fetch it anew. */
  readonly verifies: boolean;
}

type Draft = { -readonly [Key in keyof CacheOptions]: CacheOptions[Key] };

/** CoreDNS': 256 parts of 39 items. */
export const USUAL_CAPACITY = 9984;
/** More would be more than the bytes a cache may hold in any case. */
const MOST_ENTRIES = 10_000_000;
const LONGEST_TTL = 2 ** 31 - 1;
const MINUTE = 60_000;

/** @throws CorefileError */
export function parseCache(directive: Directive, blockZones: readonly string[]): CacheOptions {
  const [first, ...rest] = directive.args;
  const hasTtl = first !== undefined && /^-?\d+$/.test(first);
  const ttl = hasTtl ? expectNumber(directive, first, 1, LONGEST_TTL) : undefined;
  const draft: Draft = {
    zones: zoneArgs(directive, hasTtl ? rest : directive.args, blockZones),
    success: { capacity: USUAL_CAPACITY, maxTtl: ttl ?? 3600, minTtl: 5 },
    denial: { capacity: USUAL_CAPACITY, maxTtl: ttl ?? 1800, minTtl: 5 },
    servfailTtl: 5,
    disabled: { success: [], denial: [] },
    keepsTtl: false,
  };
  readOptions(directive, {
    success: (option) => void (draft.success = parseLimits(option, draft.success)),
    denial: (option) => void (draft.denial = parseLimits(option, draft.denial)),
    prefetch: (option) => void (draft.prefetch = parsePrefetch(option)),
    serve_stale: (option) => void (draft.stale = parseStale(option)),
    servfail: (option) => void (draft.servfailTtl = parseServfail(option)),
    disable(option) {
      const [kind, ...zones] = expectArgs(option, 1, Infinity, 'success or denial, and zones');
      if (kind !== 'success' && kind !== 'denial') refuse(option, `expected success or denial, found "${kind ?? ''}"`);
      draft.disabled = { ...draft.disabled, [kind]: [...draft.disabled[kind], ...zoneArgs(option, zones, ['.'])] };
    },
    keepttl(option) {
      expectArgs(option, 0, 0, 'nothing behind it');
      draft.keepsTtl = true;
    },
  });
  return draft;
}

function parseLimits(option: Directive, { maxTtl, minTtl }: Limits): Limits {
  const [capacity, most, least] = expectArgs(option, 1, 3, 'a capacity, the longest and the shortest TTL');
  expectNoBody(option);
  return {
    capacity: expectNumber(option, capacity, 1, MOST_ENTRIES),
    maxTtl: most === undefined ? maxTtl : expectNumber(option, most, 1, LONGEST_TTL),
    minTtl: least === undefined ? minTtl : expectNumber(option, least, 0, LONGEST_TTL),
  };
}

/** Undefined for an amount of 0: nothing is popular then, as in CoreDNS. */
function parsePrefetch(option: Directive): Prefetch | undefined {
  const [amount, gap, share] = expectArgs(option, 1, 3, 'an amount, a time and a percentage');
  const percentage =
    share === undefined
      ? '10'
      : (/^(\d+)%$/.exec(share)?.[1] ?? refuse(option, `expected a percentage such as 10%, found "${share}"`));
  const count = expectNumber(option, amount, 0, LONGEST_TTL);
  const prefetch = {
    amount: count,
    gapMs: gap === undefined ? MINUTE : expectDuration(option, gap),
    percentage: expectNumber(option, percentage, 10, 90),
  };
  return count === 0 ? undefined : prefetch;
}

function parseStale(option: Directive): Stale {
  const [duration, mode = 'immediate'] = expectArgs(option, 0, 2, 'a time, and verify or immediate');
  const upToMs = duration === undefined ? 60 * MINUTE : expectDuration(option, duration);
  if (upToMs < 0) refuse(option, 'the time cannot be negative');
  const how = mode.toLowerCase();
  if (how !== 'verify' && how !== 'immediate') refuse(option, `expected verify or immediate, found "${mode}"`);
  return { upToMs, verifies: how === 'verify' };
}

function parseServfail(option: Directive): number {
  const [text] = expectArgs(option, 1, 1, 'a time');
  const ms = expectDuration(option, text);
  if (ms < 0 || ms > 5 * MINUTE) refuse(option, `expected a time from 0s to 5m, found "${text ?? ''}"`);
  return ms / 1000;
}
