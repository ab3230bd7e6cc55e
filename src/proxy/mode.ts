/** What every proxy mode is to the pure part: a way to spell a Plan, and to follow packets through what it spelled. */
import type { Family } from '../lib/ip.ts';
import type { ProxyMode } from './backend.ts';
import type { Packet } from './plan/packet.ts';
import type { Plan, PlanOptions } from './plan/types.ts';
import type { TraceOutcome } from './trace-outcome.ts';

/** The options that differ between modes for reasons of the mode's own. */
export type ModeTraits = Pick<PlanOptions, 'localhostNodePorts' | 'guardClusterIPs' | 'hidesClients'> &
  Partial<Pick<PlanOptions, 'bindsAddresses'>>;

export interface Mode {
  readonly name: ProxyMode;
  /** What sets this mode apart in the Plan. */
  traits(family: Family): ModeTraits;
  /** What a dry run prints; golden files hold it. Stable: the same Plan gives the same text. */
  render(plan: Plan): string;
  /** Golden files are `testdata/SCENARIO.EXTENSION`. */
  readonly extension: string;
  /**
   * All ways of each packet through the rendered text, read back. Of the Plan only `node.ips`, what a kernel would know (which
   * endpoint a client was given before) and the relays on loopback are used. Throws UnknownRuleError.
   */
  trace(plan: Plan, packets: readonly Packet[]): readonly (readonly TraceOutcome[])[];
}
