/**
 * A look-up as an application's resolver does it: one candidate after the other, all types of each at once, the next server where one fails.
 * Asked as glibc asks; what musl would have asked beyond that is asked too, so that both ends can be told. What touches the network is `ask`.
 */
import { MAX_SETTINGS_SERVERS, type Libc, type ResolverSettings } from './resolver-settings.ts';
import { candidatesOf, nextCandidate, verdictOf, type Candidate, type Outcome, type Tried } from './search-list.ts';
import type { Verdict } from './search-list.ts';

/** One question to one server, and what was heard. */
export interface Heard {
  readonly id: number;
  readonly name: string;
  /** A number of `TYPE`. */
  readonly type: number;
  readonly server: string;
  readonly transport: 'udp' | 'tcp';
  readonly outcome: Outcome;
  /** Absent: no answer. */
  readonly rcode?: number;
  readonly authoritative?: boolean;
  /** In the words of a zone file. */
  readonly answers: readonly string[];
  readonly ms: number;
  /** Why there is no answer. */
  readonly error?: string;
}

/** All types of one name, at once, to one server. */
export type Ask = (name: string, types: readonly number[], server: string) => Promise<readonly Heard[]>;

export interface LookupRequest {
  readonly name: string;
  readonly types: readonly number[];
  readonly settings: Readonly<Record<Libc, ResolverSettings>>;
}

export interface Step {
  readonly candidate: Candidate;
  /** For glibc. */
  readonly outcome: Outcome;
  readonly heard: readonly Heard[];
  /** Only musl asks this. */
  readonly onlyMusl?: true;
}

export interface Ending {
  readonly verdict: Verdict;
  /** How many candidates were tried. */
  readonly tried: number;
}

export interface Lookup {
  readonly steps: readonly Step[];
  readonly endings: Readonly<Record<Libc, Ending>>;
}

/** Of failures the one that counts for more comes first. */
const GRAVITY: readonly Outcome[] = ['unreachable', 'silence', 'refused', 'servfail', 'nxdomain', 'nodata'];

/** What the answers to all types of a candidate come to. musl wants all of them to be answered; glibc takes what it gets. */
export function outcomeOf(heard: readonly Heard[], libc: Libc): Outcome {
  // The last word on each type: servers before it have failed.
  const last = [...new Map(heard.map((one) => [one.type, one.outcome])).values()];
  const failure = GRAVITY.find((each) => last.includes(each));
  const isFound = last.includes('found');
  if (libc === 'glibc') return isFound ? 'found' : (failure ?? 'silence');
  return isFound && (failure === undefined || failure === 'nodata') ? 'found' : (failure ?? 'silence');
}

export async function lookUp({ name, types, settings }: LookupRequest, ask: Ask): Promise<Lookup> {
  const steps: Step[] = [];
  const search = async (libc: Libc): Promise<Ending> => {
    const candidates = candidatesOf(name, settings[libc], libc);
    const tried: Tried[] = [];
    for (;;) {
      const candidate = nextCandidate(candidates, tried, libc);
      if (!candidate) return { verdict: verdictOf(tried, libc), tried: tried.length };
      const known = steps.find((step) => step.candidate.name === candidate.name);
      const heard = known?.heard ?? (await askServers(candidate.name, types, settings[libc].servers, ask));
      if (!known) {
        const only = libc === 'musl' ? ({ onlyMusl: true } as const) : {};
        steps.push({ candidate, outcome: outcomeOf(heard, 'glibc'), heard, ...only });
      }
      tried.push({ candidate, outcome: outcomeOf(heard, libc) });
    }
  };
  const glibc = await search('glibc');
  const musl = await search('musl');
  return { steps, endings: { glibc, musl } };
}

/** A server that fails hands on to the next; what it said stays in the list. */
async function askServers(
  name: string,
  types: readonly number[],
  servers: readonly string[],
  ask: Ask,
): Promise<readonly Heard[]> {
  const all: Heard[] = [];
  let left = types;
  for (const server of servers.slice(0, MAX_SETTINGS_SERVERS)) {
    const heard = await ask(name, left, server);
    all.push(...heard);
    left = heard.filter(({ outcome }) => isFailure(outcome)).map(({ type }) => type);
    if (left.length === 0) break;
  }
  return all;
}

const isFailure = (outcome: Outcome): boolean => outcome !== 'found' && outcome !== 'nodata' && outcome !== 'nxdomain';
