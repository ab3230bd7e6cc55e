/**
 * Makes the kernel hold the rules before the relays, writing only what differs from what it is known to hold. What iptables-save prints is
 * taken in as it comes, and none of it is kept: with many Services it is MBs, every few seconds.
 */
import type { Iptables, IptablesCheck } from '../../host/iptables.ts';
import type { TableStamps } from '../../host/xtables-info.ts';
import { diff, holdingsOf, shadowOfRules, type Shadow } from '../iptables/delta.ts';
import { Guard } from '../iptables/guard.ts';
import { Fingerprint, ShadowReader } from '../iptables/kernel-reader.ts';
import { parseRule, tokenize } from '../iptables/parse.ts';
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
  /** What was believed before somebody doubted: true if the kernel says the very words it said when nothing was to be written. */
  #doubted: Shadow | undefined;
  /** Of these words, until something is written. */
  #fingerprint: string | undefined;
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
    this.#doubted ??= this.#shadow;
    this.#shadow = undefined;
  }

  isIntact(): Promise<boolean> {
    return this.guard.isIntact();
  }

  /** Relay key -> the port the rules that are there lead to. Throws HostError. */
  async readPorts(): Promise<ReadonlyMap<string, number>> {
    const ports = new Map<string, number>();
    await this.#iptables.saveTo((lines) => {
      for (const line of lines.toString().split('\n')) addPort(line, ports);
    });
    return ports;
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
    const kernel = known ?? (await this.#read());
    const { text, written, removed, inserted, tables } = diff(kernel, wanted);
    if (text !== '') {
      this.#fingerprint = undefined;
      await this.#iptables.restore(text);
    }
    const shadow = shadowOfRules(wanted);
    this.guard.end(stamp, tables, holdingsOf(shadow));
    // what went wrong meanwhile may have gone wrong after our write
    if (doubts === this.#doubts) this.#shadow = shadow;
    return written + removed + inserted;
  }

  async #read(): Promise<Shadow> {
    const [doubted, before] = [this.#doubted, this.#fingerprint];
    this.#doubted = undefined;
    const fingerprint = new Fingerprint();
    const reader = new ShadowReader(names.isUserspaceChain);
    // most doubts are about nothing, and to see that takes no look at single rules
    const isCompared = doubted !== undefined && before !== undefined;
    await this.#iptables.saveTo((lines) => {
      fingerprint.add(lines);
      if (!isCompared) reader.add(lines);
    });
    const now = fingerprint.toString();
    this.#fingerprint = now;
    if (!isCompared) return reader.shadow();
    if (now === before) return doubted;
    this.#fingerprint = undefined;
    return this.#read();
  }
}

/** Relay key -> port, where the line is a rule of an older proxy: its relays' ports are taken again, so that its rules stay as they are. */
function addPort(line: string, ports: Map<string, number>): void {
  const [, chain = ''] = /^-A (\S+) .*-j REDIRECT /.exec(line) ?? [];
  if (chain !== names.PORTALS_CONTAINER && chain !== names.NODEPORT_CONTAINER) return;
  const { matches, target } = parseRule(tokenize(line.slice('-A '.length + chain.length)));
  const about = matches.find((match) => match.kind === 'comment');
  const protocol = matches.find((match) => match.kind === 'protocol');
  if (target.kind !== 'REDIRECT' || !about || !protocol) return;
  ports.set(`${about.text} ${protocol.protocol.toUpperCase()}`, target.port);
}
