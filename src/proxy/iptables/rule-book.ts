/**
 * Our rules as they stand in the kernel, kept Service by Service: what a change of some Services takes is worked out without looking at
 * the others. Of a Service it keeps the Plan's words and what it has in chains all share; its own chains are compiled again when they are
 * asked for, because the text of all of them is most of the memory there is. Holds values and touches nothing; who keeps one throws it away
 * when the kernel may hold something else.
 */
import type { Work } from '../../lib/in-turns.ts';
import { compareText } from '../plan/order.ts';
import type { PlanUpdate, ServicePort } from '../plan/types.ts';
import {
  assembleShared,
  compilePort,
  countEndpoints,
  isLarge,
  isSameFrame,
  SHARED,
  spell,
  type Frame,
  type Part,
  type SharedRules,
} from './compile.ts';
import {
  deltaOf,
  noChainWork,
  noEdits,
  shadowOfRules,
  workOf,
  type ChainWork,
  type Delta,
  type Shadow,
} from './delta.ts';
import type { Edit } from './render.ts';
import type { Chain, RuleSet, TableName } from './rule-set.ts';

/** Beyond this many changed Services it is cheaper to write shared chains whole. */
const MANY = 100;

/** Services compared in one turn: some ms. */
const PIECE = 200;

interface BookAndDelta {
  readonly book: RuleBook;
  readonly delta: Delta;
}

interface Entry {
  readonly ports: readonly ServicePort[];
  /** Of each port. */
  readonly shared: readonly SharedRules[];
  readonly endpoints: number;
}
const NOTHING: Entry = { ports: [], shared: [], endpoints: 0 };

/** An Entry, and the chains that exist only for it, as rules. */
interface Compiled {
  readonly entry: Entry;
  readonly chains: readonly Chain[];
}

type Changed = NonNullable<PlanUpdate['changed']>;

export class RuleBook {
  readonly #frame: Frame;
  /** By `namespace/service`. */
  readonly #entries = new Map<string, Entry>();
  /** Keys of `#entries`, as the Plan sorts them. */
  readonly #order: string[] = [];
  #endpoints = 0;

  private constructor(frame: Frame) {
    this.#frame = frame;
  }

  /** `ports` as in the Plan: all of a Service together. `held`: what the kernel has. Returns what must be written as well. */
  static *ofKernel(frame: Frame, ports: readonly ServicePort[], held: Shadow): Work<BookAndDelta> {
    const book = new RuleBook(frame);
    const rest = new Map(held.chains.nat);
    const nat = noChainWork().nat;
    for (const [at, [key, group]] of byService(ports).entries()) {
      if (at % PIECE === PIECE - 1) yield;
      const { entry, chains } = compileEntry(group, frame);
      book.#append(key, entry);
      for (const chain of chains) {
        nat.compare(rest.get(chain.name), chain, spell);
        rest.delete(chain.name);
      }
    }
    const kernel = { ...held, chains: { ...held.chains, nat: rest } };
    return { book, delta: together(workOf(kernel, book.#sharedRules()), nat) };
  }

  /** A book of other ports, and what must be written where this one is true. */
  *changedTo(frame: Frame, ports: readonly ServicePort[]): Work<BookAndDelta> {
    const book = new RuleBook(frame);
    const rest = new Map(this.#entries);
    const nat = noChainWork().nat;
    const isSame = isSameFrame(this.#frame, frame);
    for (const [at, [key, group]] of byService(ports).entries()) {
      if (at % PIECE === PIECE - 1) yield;
      const known = rest.get(key);
      rest.delete(key);
      if (isSame && known && isSameList(known.ports, group)) {
        book.#append(key, known);
        continue;
      }
      const { entry, chains } = compileEntry(group, frame);
      book.#append(key, entry);
      compareChains(this.#chainsOf(known ?? NOTHING), chains, nat);
    }
    for (const entry of rest.values()) compareChains(this.#chainsOf(entry), [], nat);
    return { book, delta: together(workOf(shadowOfRules(this.#sharedRules()), book.#sharedRules()), nat) };
  }

  /** Everything that is in the kernel. Compiles it all. */
  ruleSet(): RuleSet {
    const shared = this.#sharedRules();
    const own = this.#order.flatMap((key) => this.#chainsOf(this.#entries.get(key) ?? NOTHING).map(spell));
    return { ...shared, tables: { ...shared.tables, nat: [...shared.tables.nat, ...own] } };
  }

  /**
   * Takes over the change and returns what must be written for it. undefined, with nothing taken over: the change is one of everything, and
   * is not to be told Service by Service.
   */
  change(changed: Changed): Delta | undefined {
    if (changed.size > MANY) return undefined;
    let endpoints = this.#endpoints;
    for (const [key, { after }] of changed) {
      endpoints += countEndpoints(after) - (this.#entries.get(key)?.endpoints ?? 0);
    }
    if (isLarge(endpoints) === this.#frame.context.endpointComments) return undefined;
    const edits = noEdits();
    const chains = noChainWork();
    // in order: the rules of Services that come earlier in a chain are in place then, so that positions can be counted
    for (const key of [...changed.keys()].sort(inOrder)) {
      const before = this.#entries.get(key) ?? NOTHING;
      const after = compileEntry(changed.get(key)?.after ?? [], this.#frame);
      compareChains(this.#chainsOf(before), after.chains, chains.nat);
      const place = this.#take(key, before, after.entry);
      for (const shared of SHARED) this.#editShared(shared, before, after.entry, place, edits);
    }
    return deltaOf({ chains, jumps: [], edits });
  }

  #editShared(
    { table, chain, part }: (typeof SHARED)[number],
    before: Entry,
    after: Entry,
    place: number,
    edits: Record<TableName, Edit[]>,
  ): void {
    const [old, now] = [partOf(before, part), partOf(after, part)];
    const from = commonStart(old, now);
    if (from === old.length && from === now.length) return;
    const base = this.#rulesBefore(place, part) + from + 1;
    const to = commonEnd(old, now, from);
    for (const rule of old.slice(from, old.length - to)) edits[table].push({ chain, rule, at: 'gone' });
    for (const [at, rule] of now.slice(from, now.length - to).entries()) {
      edits[table].push({ chain, rule, at: base + at });
    }
  }

  #sharedRules(): RuleSet {
    return assembleShared(
      this.#frame,
      this.#order.flatMap((key) => this.#entries.get(key)?.shared ?? []),
    );
  }

  #chainsOf({ ports }: Entry): readonly Chain[] {
    return compileEntry(ports, this.#frame).chains;
  }

  #append(key: string, entry: Entry): void {
    this.#order.push(key);
    this.#set(key, entry);
  }

  #set(key: string, entry: Entry): void {
    this.#endpoints += entry.endpoints - (this.#entries.get(key)?.endpoints ?? 0);
    if (entry.ports.length > 0) this.#entries.set(key, entry);
    else this.#entries.delete(key);
  }

  /** Returns where in the order the Service is, or would be. */
  #take(key: string, before: Entry, after: Entry): number {
    const place = this.#placeOf(key);
    if (before === NOTHING && after !== NOTHING) this.#order.splice(place, 0, key);
    if (before !== NOTHING && after === NOTHING) this.#order.splice(place, 1);
    this.#set(key, after);
    return place;
  }

  #placeOf(key: string): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (inOrder(this.#order[middle] ?? '', key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #rulesBefore(place: number, part: Part): number {
    let sum = 0;
    for (let at = 0; at < place; at++) {
      for (const one of this.#entries.get(this.#order[at] ?? '')?.shared ?? []) sum += one[part].length;
    }
    return sum;
  }
}

/** As the names of their ports sort, which are `namespace/service:port`. */
const inOrder = (a: string, b: string): number => compareText(`${a}:`, `${b}:`);

function byService(ports: readonly ServicePort[]): readonly (readonly [string, readonly ServicePort[]])[] {
  const groups = new Map<string, ServicePort[]>();
  for (const port of ports) {
    const key = `${port.namespace}/${port.service}`;
    const group = groups.get(key);
    if (group) group.push(port);
    else groups.set(key, [port]);
  }
  return [...groups];
}

function compileEntry(ports: readonly ServicePort[], frame: Frame): Compiled {
  if (ports.length === 0) return { entry: NOTHING, chains: [] };
  const spelled = ports.map((port) => compilePort(port, frame));
  return {
    entry: { ports, shared: spelled.map((one) => one.shared), endpoints: countEndpoints(ports) },
    chains: spelled.flatMap((one) => one.chains),
  };
}

const isSameList = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((one, at) => one === b[at]);

/** With the chains of Services, which are all in nat. */
function together(work: ReturnType<typeof workOf>, own: ChainWork): Delta {
  const { mangle, filter, nat } = work.chains;
  return deltaOf({ ...work, chains: { mangle, filter, nat: nat.with(own) } });
}

const partOf = (entry: Entry, part: Part): readonly string[] => entry.shared.flatMap((one) => one[part]);

function commonStart(old: readonly string[], now: readonly string[]): number {
  let count = 0;
  while (count < old.length && count < now.length && old[count] === now[count]) count++;
  return count;
}

/** Not counting the first `from` of both. */
function commonEnd(old: readonly string[], now: readonly string[], from: number): number {
  const room = Math.min(old.length, now.length) - from;
  let count = 0;
  while (count < room && old[old.length - 1 - count] === now[now.length - 1 - count]) count++;
  return count;
}

function compareChains(before: readonly Chain[], after: readonly Chain[], work: ChainWork): void {
  const old = new Map(before.map((chain) => [chain.name, spell(chain)]));
  for (const chain of after.map(spell)) {
    work.compare(old.get(chain.name), chain);
    old.delete(chain.name);
  }
  for (const [name, chain] of old) work.drop(name, chain);
}
