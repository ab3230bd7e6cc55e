/**
 * Follows the first packet of a connection through our table as the kernel would, every number drawn, and says which rules and
 * elements decided. Refuses rules it does not understand instead of guessing.
 */
import type { Packet } from '../plan/packet.ts';
import { Addresses } from '../trace-addresses.ts';
import { destinationOf, UnknownRuleError, type TraceOutcome, type TraceStep } from '../trace-outcome.ts';
import type { ParsedElement, ParsedTable } from './parse.ts';
import { partsOf, refuseToGuess, type RulePart, type Selector } from './rule-parts.ts';

export interface TraceMachine {
  /** Every address bound on the node; 127.0.0.0/8 and ::1 are always local. */
  readonly localIPs: readonly string[];
  /** Which endpoint (`ip . port`) the client of the packet was given before, when it is asked for in `chain`. */
  readonly recall?: (chain: string) => string | undefined;
}

interface Step extends TraceStep {
  readonly before: Step | undefined;
}

interface State {
  readonly ip: string;
  readonly port: number;
  readonly mark: number;
  readonly translated: boolean;
  readonly masquerade: boolean;
  readonly share: number;
  readonly last: Step | undefined;
}

type End = 'continue' | 'return' | 'accept' | 'drop' | 'reject';
interface Walked {
  readonly end: End;
  readonly state: State;
}

interface Hook {
  readonly hook: string;
  readonly when?: (state: State) => boolean;
}

/** All ways a first packet can go. Throws UnknownRuleError. */
export function trace(table: ParsedTable, machine: TraceMachine, packet: Packet): readonly TraceOutcome[] {
  const walker = new Walker(table, machine, packet);
  const start = { ip: packet.destination, port: packet.port, mark: 0, translated: false, masquerade: false };
  let live: State[] = [{ ...start, share: 1, last: undefined }];
  const outcomes: TraceOutcome[] = [];
  const staysHere = (state: State) => walker.isLocal(state.ip);
  const hooks: Hook[] = packet.fromNode
    ? // what the node sends to itself is masqueraded before it comes in again
      [{ hook: 'output' }, { hook: 'postrouting' }, { hook: 'input', when: staysHere }]
    : [
        { hook: 'prerouting' },
        { hook: 'input', when: staysHere },
        { hook: 'forward', when: (state) => !staysHere(state) },
        // what came from elsewhere for this node never leaves
        { hook: 'postrouting', when: (state) => !staysHere(state) },
      ];
  for (const { hook, when = () => true } of hooks) {
    for (const chain of walker.baseChains(hook)) {
      live = live.flatMap((state) => {
        if (!when(state)) return [state];
        return walker.chain(chain, state, 0).flatMap((walked) => {
          if (walked.end !== 'drop' && walked.end !== 'reject') return [walked.state];
          outcomes.push(outcomeOf(walked.end === 'drop' ? 'DROP' : 'REJECT', walked.state));
          return [];
        });
      });
    }
  }
  return [...outcomes, ...live.map((state) => outcomeOf(state.translated ? 'forward' : 'pass', state))];
}

function outcomeOf(verdict: TraceOutcome['verdict'], state: State): TraceOutcome {
  const steps: TraceStep[] = [];
  for (let step = state.last; step; step = step.before) {
    steps.unshift({ table: step.table, chain: step.chain, rule: step.rule });
  }
  return { verdict, destination: destinationOf(state), masquerade: state.masquerade, share: state.share, steps };
}

/** What every packet through the same table needs. */
interface Index {
  /** Of each hook, in the order in which the kernel runs them. */
  readonly baseChains: ReadonlyMap<string, readonly string[]>;
  readonly addresses: Addresses;
}

const indexes = new WeakMap<ParsedTable, Index>();

function indexOf(table: ParsedTable): Index {
  const known = indexes.get(table);
  if (known) return known;
  const index = { baseChains: baseChainsOf(table), addresses: new Addresses() };
  indexes.set(table, index);
  return index;
}

const PRIORITIES: Readonly<Record<string, number>> = { dstnat: -100, filter: 0, srcnat: 100 };

function baseChainsOf(table: ParsedTable): ReadonlyMap<string, readonly string[]> {
  const found: { name: string; hook: string; priority: number }[] = [];
  for (const { name, base } of table.chains.values()) {
    const [, hook, words = ''] = /hook (\w+) priority ([^;]+);/.exec(base ?? '') ?? [];
    if (hook === undefined) continue;
    const [, word, sign, offset] = /^(-?\w+)(?: ([+-]) (\d+))?$/.exec(words) ?? [];
    const first = PRIORITIES[word ?? ''] ?? Number(word);
    found.push({ name, hook, priority: first + Number(`${sign ?? ''}${offset ?? '0'}`) });
  }
  found.sort((a, b) => a.priority - b.priority);
  return new Map([...Map.groupBy(found, (one) => one.hook)].map(([hook, all]) => [hook, all.map((one) => one.name)]));
}

class Walker {
  readonly #index: Index;
  readonly #table: ParsedTable;
  readonly #machine: TraceMachine;
  readonly #packet: Packet;

  constructor(table: ParsedTable, machine: TraceMachine, packet: Packet) {
    this.#index = indexOf(table);
    this.#table = table;
    this.#machine = machine;
    this.#packet = packet;
  }

  /** Names, in the order in which the kernel runs them. */
  baseChains(hook: string): readonly string[] {
    return this.#index.baseChains.get(hook) ?? [];
  }

  isLocal(ip: string): boolean {
    return this.#machine.localIPs.includes(ip) || this.#index.addresses.isLoopback(ip);
  }

  chain(name: string, state: State, depth: number): readonly Walked[] {
    const chain = this.#table.chains.get(name);
    if (!chain) throw new UnknownRuleError(`a rule leads to chain ${name}, which does not exist`);
    if (depth > 16) throw new UnknownRuleError(`chain ${name}: chains call each other in a circle`);
    let live: readonly State[] = [state];
    const done: Walked[] = [];
    for (const rule of chain.rules) {
      const next: State[] = [];
      for (const one of live) {
        for (const walked of this.#rule(name, rule, one, depth)) {
          if (walked.end === 'continue') next.push(walked.state);
          else done.push(walked);
        }
      }
      live = next;
      if (live.length === 0) break;
    }
    return [...done, ...live.map((one) => ({ end: 'return' as const, state: one }))];
  }

  /** A rule ends where one of its parts does not match. */
  #rule(chain: string, rule: string, state: State, depth: number): readonly Walked[] {
    let now = state;
    for (const part of partsOf(rule)) {
      switch (part.kind) {
        case 'vmap': {
          const element = this.#find(part.map, this.#key(part.key, now));
          if (!element) return [{ end: 'continue', state: now }];
          return this.#verdict(element.value, this.#step(now, chain, rule, elementWords(element)), depth);
        }
        case 'dnat':
          return this.#translate(chain, rule, part, now);
        case 'verdict':
          return this.#verdict(part.text, this.#step(now, chain, rule), depth);
        case 'masquerade':
          return [{ end: 'accept', state: { ...this.#step(now, chain, rule), masquerade: true } }];
        case 'set-mark': {
          const mark = (part.op === '|' ? now.mark | part.bits : now.mark ^ part.bits) >>> 0;
          now = { ...this.#step(now, chain, rule), mark };
          break;
        }
        case 'update':
          break;
        default:
          if (!this.#matches(part, now, rule)) return [{ end: 'continue', state: now }];
      }
    }
    return [{ end: 'continue', state: now }];
  }

  #step(state: State, chain: string, rule: string, element = ''): State {
    const { family, name } = this.#table;
    const table = `${family === 'IPv6' ? 'ip6' : 'ip'} ${name}`;
    return { ...state, last: { table, chain, rule: `${rule}${element}`, before: state.last } };
  }

  #verdict(text: string, state: State, depth: number): readonly Walked[] {
    const [word, chain = ''] = text.split(' ');
    switch (word) {
      case 'accept':
      case 'drop':
      case 'reject':
      case 'return':
      case 'continue':
        return [{ end: word, state }];
      case 'goto':
        return this.chain(chain, state, depth + 1);
      case 'jump':
        return this.chain(chain, state, depth + 1).map((walked) =>
          walked.end === 'return' ? { end: 'continue', state: walked.state } : walked,
        );
      default:
        throw refuseToGuess(text);
    }
  }

  #translate(
    chain: string,
    rule: string,
    { key, map }: { readonly key: readonly Selector[]; readonly map: string },
    state: State,
  ): readonly Walked[] {
    const to = (value: string, share: number, element: string): Walked => {
      const at = value.lastIndexOf(' . ');
      const after = { ip: value.slice(0, at), port: Number(value.slice(at + 3)), translated: true, share };
      return { end: 'accept', state: { ...this.#step(state, chain, rule, element), ...after } };
    };
    if (map === 'affinity') {
      const value = this.#machine.recall?.(chain);
      return value === undefined ? [{ end: 'continue', state }] : [to(value, state.share, ` { … : ${value} }`)];
    }
    const draw = key.find((one) => one.kind === 'numgen');
    const count = draw?.count ?? 1;
    const share = state.share / count;
    return Array.from({ length: count }, (_, at) => {
      const element = this.#find(map, this.#key(key, state, (draw?.offset ?? 0) + at));
      return element
        ? to(element.value, share, elementWords(element))
        : { end: 'continue' as const, state: { ...state, share } };
    });
  }

  #matches(part: RulePart, state: State, rule: string): boolean {
    const packet = this.#packet;
    switch (part.kind) {
      case 'is':
        if (part.what === 'dnat') return state.translated;
        if (part.what === 'local-daddr') return this.isLocal(state.ip);
        if (part.what === 'local-saddr') return packet.fromNode || this.isLocal(packet.source);
        return part.what === 'new';
      case 'l4proto':
        return part.protocols.includes(packet.protocol.toLowerCase());
      case 'address': {
        const ip = part.of === 'saddr' ? packet.source : state.ip;
        return part.ranges.some((range) => this.#index.addresses.contains(range, ip)) !== part.not;
      }
      case 'interface': {
        const name = packet.fromNode ? '' : (packet.interface ?? '');
        const is = part.name.endsWith('*') ? name.startsWith(part.name.slice(0, -1)) : name === part.name;
        return is !== part.not;
      }
      case 'mark':
        return (state.mark & part.mask) >>> 0 === part.value;
      case 'lookup':
        return (this.#find(part.set, this.#key(part.key, state)) !== undefined) !== part.not;
      default:
        throw refuseToGuess(rule);
    }
  }

  #find(name: string, key: string): ParsedElement | undefined {
    const set = this.#table.sets.get(name);
    if (!set) throw new UnknownRuleError(`a rule asks @${name}, which does not exist`);
    if (!set.interval) return set.elements.get(key);
    const [first = '', ...rest] = key.split(' . ');
    return [...set.elements.values()].find((element) => {
      const [range = '', ...others] = element.key.split(' . ');
      return others.join(' . ') === rest.join(' . ') && this.#index.addresses.contains(range, first);
    });
  }

  #key(selectors: readonly Selector[], state: State, number = 0): string {
    return selectors.map((one) => this.#select(one, state, number)).join(' . ');
  }

  #select(selector: Selector, state: State, number: number): string {
    const packet = this.#packet;
    switch (selector.kind) {
      case 'saddr':
        return packet.source;
      case 'daddr':
        return state.ip;
      case 'l4proto':
        return packet.protocol.toLowerCase();
      case 'dport':
        return String(state.port);
      case 'original-daddr':
        return packet.destination;
      case 'original-dport':
        return String(packet.port);
      case 'numgen':
        return String(number);
      case 'hash':
        throw refuseToGuess(selector.text);
    }
  }
}

const elementWords = ({ key, value, comment }: ParsedElement): string =>
  ` { ${key}${comment === '' ? '' : ` comment "${comment}"`} : ${value} }`;
