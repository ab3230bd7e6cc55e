/** What following a packet through rules says, in every mode alike. */
import { joinHostPort } from '../lib/ip.ts';
import type { Decision } from './plan/decide.ts';

/** A rule or an element that matched, in the words of the tool that shows it. */
export interface TraceStep {
  readonly table: string;
  readonly chain: string;
  /** As after `iptables -A CHAIN`, or as nft and ipvsadm list it. */
  readonly rule: string;
}

export interface TraceOutcome {
  /** `forward`: goes on to `destination`; `pass` is the same for a packet no rule translated. */
  readonly verdict: 'forward' | 'pass' | 'REJECT' | 'DROP';
  /** `ip:port` it goes to in the end. */
  readonly destination: string;
  /** Arrives with the node's address as source. */
  readonly masquerade: boolean;
  /** The share of packets that end here, 0-1. */
  readonly share: number;
  readonly steps: readonly TraceStep[];
}

/** A rule that cannot be followed: a wrong explanation is worse than none. */
export class UnknownRuleError extends Error {
  override name = 'UnknownRuleError';
}

/** One line per kind of outcome, sorted: `ip:port`, `ip:port masqueraded`, `REJECT`, `DROP` or `pass`. */
export function describeOutcomes(outcomes: readonly TraceOutcome[]): string {
  const words = outcomes.map((one) => {
    if (one.verdict !== 'forward') return one.verdict;
    return `${one.destination}${one.masquerade ? ' masqueraded' : ''}`;
  });
  return [...new Set(words)].sort().join(', ');
}

/** The same words for a Decision of the oracle. */
export function describeDecision(decision: Decision): string {
  if (decision.verdict !== 'endpoints') return decision.verdict;
  const words = decision.endpoints.map((one) => `${one.address}${one.masquerade ? ' masqueraded' : ''}`);
  return [...new Set(words)].sort().join(', ');
}

/** `ip:port` of where a state of a walk stands. */
export const destinationOf = ({ ip, port }: { ip: string; port: number }): string => joinHostPort(ip, port);
