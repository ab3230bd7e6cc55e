/**
 * Follows one packet through rules as the kernel would, every random branch taken, and says which rules decided. Refuses rules it
 * does not understand instead of guessing: a wrong explanation is worse than none.
 */
import type { Packet } from '../plan/packet.ts';
import { Addresses } from '../trace-addresses.ts';
import { destinationOf, UnknownRuleError, type TraceOutcome, type TraceStep } from '../trace-outcome.ts';
import { ruleText } from './render.ts';
import type { Chain, Match, Rule } from './rule-set.ts';
import type { Tables } from './parse.ts';

export interface TraceMachine {
  /** Every address bound on the node; 127.0.0.0/8 and ::1 are always local. */
  readonly localIPs: readonly string[];
  /** Which list of `recent` names the client is still in: chain name -> true. */
  readonly isRemembered?: (list: string) => boolean;
  /** Whether an ipset holds this element; undefined: no such set. */
  readonly inSet?: (name: string, element: readonly SetPart[]) => boolean | undefined;
}

/** One part of a lookup in an ipset: an address, and the port beside it where it is the packet's own. */
export interface SetPart {
  readonly ip: string;
  readonly port: number | undefined;
  readonly protocol: string;
}

interface Step extends TraceStep {
  readonly before: Step | undefined;
}

export interface State {
  readonly ip: string;
  readonly port: number;
  readonly mark: number;
  readonly translated: boolean;
  readonly masquerade: boolean;
  readonly share: number;
  readonly last: Step | undefined;
}

export type End = 'continue' | 'return' | 'ACCEPT' | 'DROP' | 'REJECT';
export type Walked = readonly { readonly end: End; readonly state: State }[];

/** All ways a first packet can go. Throws UnknownRuleError. */
export function trace(tables: Tables, machine: TraceMachine, packet: Packet): readonly TraceOutcome[] {
  const walker = new Walker(tables, machine, packet);
  const start: State = {
    ip: packet.destination,
    port: packet.port,
    mark: 0,
    translated: false,
    masquerade: false,
    share: 1,
    last: undefined,
  };
  let live: State[] = [start];
  const outcomes: TraceOutcome[] = [];
  const through = (table: string, hook: string, when: (state: State) => boolean = () => true) => {
    const next: State[] = [];
    for (const state of live) {
      if (!when(state)) {
        next.push(state);
        continue;
      }
      for (const walked of walker.hook(table, hook, state)) {
        if (walked.end === 'DROP' || walked.end === 'REJECT') outcomes.push(outcomeOf(walked.end, walked.state));
        else next.push(walked.state);
      }
    }
    live = next;
  };
  const staysHere = (state: State) => walker.isLocal(state.ip);
  through('nat', packet.fromNode ? 'OUTPUT' : 'PREROUTING');
  if (packet.fromNode) through('filter', 'OUTPUT');
  else through('filter', 'FORWARD', (state) => !staysHere(state));
  // what the node sends to itself is masqueraded before it comes in again; what came from elsewhere never leaves
  through('nat', 'POSTROUTING', (state) => packet.fromNode || !staysHere(state));
  through('filter', 'INPUT', staysHere);
  return [...outcomes, ...live.map((state) => outcomeOf(state.translated ? 'forward' : 'pass', state))];
}

export function outcomeOf(verdict: TraceOutcome['verdict'], state: State): TraceOutcome {
  const steps: TraceStep[] = [];
  for (let step = state.last; step; step = step.before) {
    steps.unshift({ table: step.table, chain: step.chain, rule: step.rule });
  }
  return { verdict, destination: destinationOf(state), masquerade: state.masquerade, share: state.share, steps };
}

/** What every packet through the same tables needs. */
interface Index {
  /** By table and name. */
  readonly chains: ReadonlyMap<string, ReadonlyMap<string, Chain>>;
  /** Rules as the tool shows them. */
  readonly texts: Map<Rule, string>;
  readonly addresses: Addresses;
}

const indexes = new WeakMap<Tables, Index>();

function indexOf(tables: Tables): Index {
  const known = indexes.get(tables);
  if (known) return known;
  const chains = new Map(
    Object.entries(tables).map(([table, all]) => [table, new Map(all.map((chain) => [chain.name, chain]))]),
  );
  const index = { chains, texts: new Map<Rule, string>(), addresses: new Addresses() };
  indexes.set(tables, index);
  return index;
}

/** Walks one packet through the rules of one hook after the other. */
export class Walker {
  readonly #index: Index;
  readonly #machine: TraceMachine;
  readonly #packet: Packet;
  readonly #protocol: string;

  constructor(tables: Tables, machine: TraceMachine, packet: Packet) {
    this.#index = indexOf(tables);
    this.#machine = machine;
    this.#packet = packet;
    this.#protocol = packet.protocol.toLowerCase();
  }

  isLocal(ip: string): boolean {
    return this.#machine.localIPs.includes(ip) || this.#index.addresses.isLoopback(ip);
  }

  hook(table: string, name: string, state: State): Walked {
    const policy = this.#index.chains.get(table)?.get(name)?.policy;
    return this.#chain(table, name, state, 0).map(({ end, state: after }) => ({
      end: end === 'return' || end === 'continue' ? (policy === 'DROP' ? 'DROP' : 'ACCEPT') : end,
      state: after,
    }));
  }

  #chain(table: string, name: string, state: State, depth: number): Walked {
    const rules = this.#index.chains.get(table)?.get(name)?.rules;
    if (!rules) {
      if (depth === 0) return [{ end: 'continue', state }];
      throw new UnknownRuleError(`${table}: a rule jumps to ${name}, which does not exist`);
    }
    if (depth > 32) throw new UnknownRuleError(`${table} ${name}: chains call each other in a circle`);
    let live: readonly State[] = [state];
    const done: { end: End; state: State }[] = [];
    for (const rule of rules) {
      const next: State[] = [];
      for (const one of live) {
        for (const walked of this.#rule(table, name, rule, one, depth)) {
          if (walked.end === 'continue') next.push(walked.state);
          else done.push(walked);
        }
      }
      live = next;
      if (live.length === 0) break;
    }
    return [...done, ...live.map((one) => ({ end: 'return' as const, state: one }))];
  }

  #rule(table: string, chain: string, rule: Rule, state: State, depth: number): Walked {
    let chance = 1;
    for (const match of rule.matches) {
      const matched = this.#matches(match, state);
      if (matched === undefined) {
        throw new UnknownRuleError(`do not understand this rule: ${table} ${chain} ${this.#text(rule)}`);
      }
      if (matched === false) return [{ end: 'continue', state }];
      if (matched !== true) chance *= matched;
    }
    const step = { table, chain, rule: this.#text(rule), before: state.last };
    const taken = this.#target(table, rule, { ...state, share: state.share * chance, last: step }, depth);
    return chance < 1 ? [...taken, { end: 'continue', state: { ...state, share: state.share * (1 - chance) } }] : taken;
  }

  #text(rule: Rule): string {
    const known = this.#index.texts.get(rule);
    if (known !== undefined) return known;
    const text = ruleText(rule).trim();
    this.#index.texts.set(rule, text);
    return text;
  }

  #target(table: string, { target }: Rule, state: State, depth: number): Walked {
    switch (target.kind) {
      case 'none':
        return [{ end: 'continue', state }];
      case 'MARK': {
        const mark = target.op === 'or' ? state.mark | target.bits : state.mark ^ target.bits;
        return [{ end: 'continue', state: { ...state, mark: mark >>> 0 } }];
      }
      case 'DNAT': {
        const at = target.to.lastIndexOf(':');
        const ip = target.to.slice(0, at).replaceAll(/[[\]]/g, '');
        return [{ end: 'ACCEPT', state: { ...state, ip, port: Number(target.to.slice(at + 1)), translated: true } }];
      }
      case 'REDIRECT': {
        const ip = this.#ownAddress();
        return [{ end: 'ACCEPT', state: { ...state, ip, port: target.port, translated: true } }];
      }
      case 'MASQUERADE':
        return [{ end: 'ACCEPT', state: { ...state, masquerade: true } }];
      case 'RETURN':
        return [{ end: 'return', state }];
      case 'ACCEPT':
      case 'DROP':
      case 'REJECT':
        return [{ end: target.kind, state }];
      case 'jump':
        return this.#chain(table, target.chain, state, depth + 1).map((walked) =>
          walked.end === 'return' ? { end: 'continue', state: walked.state } : walked,
        );
      case 'unknown':
        throw new UnknownRuleError(`${table}: do not know what "${target.text}" does`);
    }
  }

  #partsOf(directions: string, state: State): readonly SetPart[] {
    const { source } = this.#packet;
    return directions.split(',').map((direction) => ({
      ip: direction === 'src' ? source : state.ip,
      port: direction === 'src' ? undefined : state.port,
      protocol: this.#protocol,
    }));
  }

  /** Where REDIRECT leads: the kernel takes an address of the interface the packet came in on, which is one of ours in any case. */
  #ownAddress(): string {
    const loopback = this.#packet.destination.includes(':') ? '::1' : '127.0.0.1';
    return this.#packet.fromNode ? loopback : (this.#machine.localIPs[0] ?? loopback);
  }

  /** A number is the chance of a match; undefined: it is not understood. */
  #matches(match: Match, state: State): boolean | number | undefined {
    const { addresses } = this.#index;
    const packet = this.#packet;
    const is = (yes: boolean) => yes !== ('not' in match && match.not === true);
    switch (match.kind) {
      case 'comment':
      case 'recent-set':
        return true;
      case 'protocol':
        return this.#protocol === match.protocol;
      case 'dport':
        return state.port === match.port;
      case 'source':
        return is(addresses.contains(match.cidr, packet.source));
      case 'destination':
        return is(addresses.contains(match.cidr, state.ip));
      case 'interface': {
        const name = packet.fromNode ? '' : (packet.interface ?? '');
        return is(match.name.endsWith('+') ? name.startsWith(match.name.slice(0, -1)) : name === match.name);
      }
      case 'address-type':
        if (match.type !== 'LOCAL') return undefined;
        return is(match.of === 'dst' ? this.isLocal(state.ip) : packet.fromNode || this.isLocal(packet.source));
      case 'state':
        return is(match.states.includes('NEW') || (state.translated && match.states.includes('DNAT')));
      case 'mark':
        return is((state.mark & match.mask) >>> 0 === match.value);
      case 'set': {
        const found = this.#machine.inSet?.(match.name, this.#partsOf(match.directions, state));
        return found === undefined ? undefined : is(found);
      }
      case 'random':
        return match.probability;
      case 'recent-check':
        return this.#machine.isRemembered?.(match.name) ?? false;
      case 'unknown':
        return undefined;
    }
  }
}
