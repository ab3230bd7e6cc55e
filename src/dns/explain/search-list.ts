/**
 * What a resolver library makes of a name before it asks anybody: which names, in which order, and after which answers it goes on to the
 * next one. glibc (`res_search`) and musl (`name_from_dns_search`) differ, and that is why a name is found in one image and not in
 * another (failure F27). Pure.
 */
import type { Libc, ResolverSettings } from './resolver-settings.ts';

export interface Candidate {
  /** Complete, with the final dot. */
  readonly name: string;
  /** The entry of the search list it was made with; absent: the name as it was given. */
  readonly search?: string;
}

/** What came of one candidate, all its questions taken together. `unreachable`: the network says that nobody is there (ECONNREFUSED). */
export type Outcome = 'found' | 'nodata' | 'nxdomain' | 'servfail' | 'refused' | 'silence' | 'unreachable';

export interface Tried {
  readonly candidate: Candidate;
  readonly outcome: Outcome;
}

/** How getaddrinfo ends. */
export type Verdict = 'found' | 'EAI_NONAME' | 'EAI_NODATA' | 'EAI_AGAIN';

/** Without the final dot: 253 characters. */
const MAX_NAME = 254;

/** All there may be, in the order they are tried. */
export function candidatesOf(
  name: string,
  { searches, ndots, options }: Pick<ResolverSettings, 'searches' | 'ndots' | 'options'>,
  libc: Libc,
): Candidate[] {
  if (name.endsWith('.')) return [{ name }];
  const asItIs: Candidate = { name: `${name}.` };
  const dots = name.split('.').length - 1;
  const expanded = searches.flatMap((search): Candidate[] => {
    const suffix = search.replace(/^\.|\.$/g, '');
    const full = suffix === '' ? asItIs.name : `${name}.${suffix}.`;
    return full.length <= MAX_NAME ? [{ name: full, search }] : [];
  });
  if (libc === 'musl') return dots >= ndots ? [asItIs] : [...expanded, asItIs];
  if (dots >= ndots) return [asItIs, ...expanded];
  const hasRoot = expanded.some((candidate) => candidate.name === asItIs.name);
  const keepsBare = dots === 0 && expanded.length > 0 && options.includes('no-tld-query');
  return hasRoot || keepsBare ? expanded : [...expanded, asItIs];
}

/** Which of `candidates` is tried after `tried`; undefined: the search is over. */
export function nextCandidate(
  candidates: readonly Candidate[],
  tried: readonly Tried[],
  libc: Libc,
): Candidate | undefined {
  const last = tried.at(-1);
  const left = candidates.slice(last ? candidates.indexOf(last.candidate) + 1 : 0);
  if (!last) return left[0];
  if (last.outcome === 'found') return undefined;
  if (libc === 'musl') return last.outcome === 'nxdomain' ? left[0] : undefined;
  // A name with dots enough is only a first try: whatever comes of it, the search list is gone through.
  if (last.candidate.search === undefined) return left[0];
  switch (last.outcome) {
    case 'nxdomain':
    case 'nodata':
    case 'servfail':
      return left[0];
    case 'refused':
    case 'silence':
      // No more of the list; but the name may be complete already.
      return left.find(({ search }) => search === undefined);
    case 'unreachable':
      return undefined;
  }
}

/** The whole search, where it is known what would come of each candidate. */
export function searchWith(
  candidates: readonly Candidate[],
  outcomeOf: (candidate: Candidate) => Outcome,
  libc: Libc,
): Tried[] {
  const tried: Tried[] = [];
  for (;;) {
    const candidate = nextCandidate(candidates, tried, libc);
    if (!candidate) return tried;
    tried.push({ candidate, outcome: outcomeOf(candidate) });
  }
}

const VERDICTS: Readonly<Record<Outcome, Verdict>> = {
  found: 'found',
  nodata: 'EAI_NODATA',
  nxdomain: 'EAI_NONAME',
  servfail: 'EAI_AGAIN',
  refused: 'EAI_AGAIN',
  silence: 'EAI_AGAIN',
  unreachable: 'EAI_AGAIN',
};

/**
 * What the application is told. musl: what the last one gave. glibc: what the name as it is gave where that was tried first; else that
 * there was a name without such records; else that a server failed; else what the last one gave.
 */
export function verdictOf(tried: readonly Tried[], libc: Libc): Verdict {
  const outcomes = tried.map(({ outcome }) => outcome);
  const last = outcomes.at(-1) ?? 'nxdomain';
  if (last === 'found' || libc === 'musl') return VERDICTS[last];
  const [first] = tried;
  if (first && last !== 'unreachable' && first.candidate.search === undefined) return VERDICTS[first.outcome];
  if (last === 'unreachable') return VERDICTS.unreachable;
  if (outcomes.includes('nodata')) return VERDICTS.nodata;
  return outcomes.includes('servfail') ? VERDICTS.servfail : VERDICTS[last];
}
