/** Makes the kernel hold the rules before the relays, writing only what differs from what it is known to hold. */
import type { Iptables, IptablesCheck } from '../../host/iptables.ts';
import type { TableStamps } from '../../host/xtables-info.ts';
import { diff, holdingsOf, shadowOfKernel, shadowOfRules, type Shadow } from '../iptables/delta.ts';
import { Guard } from '../iptables/guard.ts';
import { parse, type Tables } from '../iptables/parse.ts';
import type { RuleSet } from '../iptables/rule-set.ts';
import * as names from './names.ts';

/** Proves by a few rules that nobody flushed: a flush takes a whole table, and with it one of these. */
const SENTINELS: readonly IptablesCheck[] = [
  jump('filter', 'INPUT', names.ABOUT_NON_LOCAL, names.NODEPORT_NON_LOCAL),
  jump('nat', 'PREROUTING', names.ABOUT_PORTALS, names.PORTALS_CONTAINER),
  jump('nat', 'OUTPUT', names.ABOUT_PORTALS, names.PORTALS_HOST),
];

function jump(table: string, chain: string, about: string, to: string): IptablesCheck {
  return { table, rule: [chain, '-m', 'comment', '--comment', about, '-j', to] };
}

export class PortalRules {
  readonly guard: Guard;
  readonly #iptables: Iptables;
  /** undefined: not known, so the kernel is read before the next write. */
  #shadow: Shadow | undefined;
  /** Grows with every `distrust`. */
  #doubts = 0;

  /** Without `stamps` a foreign flush is found by looking for rules. */
  constructor(iptables: Iptables, stamps: TableStamps | undefined = undefined) {
    this.#iptables = iptables;
    this.guard = new Guard({ stamps, lookForRules: () => iptables.check(SENTINELS) });
  }

  /** Whether what the kernel holds is known. */
  get isKnown(): boolean {
    return this.#shadow !== undefined;
  }

  distrust(): void {
    this.#doubts++;
    this.#shadow = undefined;
  }

  isIntact(): Promise<boolean> {
    return this.guard.isIntact();
  }

  /** Relay key -> the port the rules that are there lead to. Throws HostError. */
  async readPorts(): Promise<ReadonlyMap<string, number>> {
    return portsIn(parse(await this.#iptables.save()));
  }

  /** Returns how many chains and jumps were written. Throws HostError; then what the kernel holds is not known. */
  async write(wanted: RuleSet): Promise<number> {
    try {
      return await this.#write(wanted);
    } catch (error) {
      this.guard.fail();
      throw error;
    }
  }

  async #write(wanted: RuleSet): Promise<number> {
    const known = this.#shadow;
    const doubts = this.#doubts;
    const stamp = this.guard.begin();
    this.#shadow = undefined;
    const kernel = known ?? shadowOfKernel(parse(await this.#iptables.save()), names.isUserspaceChain);
    const { text, written, removed, inserted, tables } = diff(kernel, wanted);
    if (text !== '') await this.#iptables.restore(text);
    const shadow = shadowOfRules(wanted);
    this.guard.end(stamp, tables, holdingsOf(shadow));
    // what went wrong meanwhile may have gone wrong after our write
    if (doubts === this.#doubts) this.#shadow = shadow;
    return written + removed + inserted;
  }
}

/** What the rules of an older proxy say: its relays' ports are taken again, so that its rules stay as they are. */
export function portsIn(tables: Tables): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  const chains: readonly string[] = [names.PORTALS_CONTAINER, names.NODEPORT_CONTAINER];
  for (const chain of tables['nat'] ?? []) {
    if (!chains.includes(chain.name)) continue;
    for (const { matches, target } of chain.rules) {
      const about = matches.find((match) => match.kind === 'comment');
      const protocol = matches.find((match) => match.kind === 'protocol');
      if (target.kind !== 'REDIRECT' || !about || !protocol) continue;
      ports.set(`${about.text} ${protocol.protocol.toUpperCase()}`, target.port);
    }
  }
  return ports;
}
