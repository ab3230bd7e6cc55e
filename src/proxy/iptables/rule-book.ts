/**
 * Our rules as they stand in the kernel, kept Service by Service: what a change of some Services takes is worked out without looking at
 * the others. Holds values and touches nothing; who keeps one throws it away when the kernel may hold something else.
 */
import { compareText } from '../plan/order.ts';
import type { PlanUpdate, ServicePort } from '../plan/types.ts';
import {
  assemble,
  compilePort,
  countEndpoints,
  isLarge,
  SHARED,
  type Frame,
  type Part,
  type SpelledService,
} from './compile.ts';
import { countRules, type Delta, type TableDelta } from './delta.ts';
import { renderTable, TABLES, type Edit } from './render.ts';
import type { Chain, RuleSet, TableName } from './rule-set.ts';

/** Beyond this many changed Services it is cheaper to compare everything. */
const MANY = 100;

interface Entry {
  readonly compiled: readonly SpelledService[];
  readonly endpoints: number;
}
const NOTHING: Entry = { compiled: [], endpoints: 0 };

type Changed = NonNullable<PlanUpdate['changed']>;

export class RuleBook {
  readonly #frame: Frame;
  /** By `namespace/service`. */
  readonly #entries = new Map<string, Entry>();
  /** Keys of `#entries`, as the Plan sorts them. */
  readonly #order: string[] = [];
  #endpoints = 0;

  /** `ports` as in the Plan: all of a Service together. */
  constructor(frame: Frame, ports: readonly ServicePort[]) {
    this.#frame = frame;
    const groups = new Map<string, ServicePort[]>();
    for (const port of ports) {
      const key = `${port.namespace}/${port.service}`;
      const group = groups.get(key);
      if (group) group.push(port);
      else groups.set(key, [port]);
    }
    for (const [key, group] of groups) {
      this.#order.push(key);
      this.#set(key, this.#entryOf(group));
    }
  }

  /** Everything that is in the kernel. */
  ruleSet(): RuleSet {
    return assemble(
      this.#frame,
      this.#order.flatMap((key) => this.#entries.get(key)?.compiled ?? []),
    );
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
    const edits: Record<TableName, Edit[]> = { mangle: [], filter: [], nat: [] };
    const write: Chain[] = [];
    const gone: Chain[] = [];
    const remove: string[] = [];
    // in order: the rules of Services that come earlier in a chain are in place then, so that positions can be counted
    for (const key of [...changed.keys()].sort(inOrder)) {
      const before = this.#entries.get(key) ?? NOTHING;
      const after = this.#entryOf(changed.get(key)?.after ?? []);
      const place = this.#take(key, before, after);
      for (const { table, chain, part } of SHARED) {
        const [old, now] = [partOf(before, part), partOf(after, part)];
        const from = commonStart(old, now);
        if (from === old.length && from === now.length) continue;
        const base = this.#rulesBefore(place, part) + from + 1;
        const to = commonEnd(old, now, from);
        for (const rule of old.slice(from, old.length - to)) edits[table].push({ chain, rule, at: 'gone' });
        for (const [at, rule] of now.slice(from, now.length - to).entries()) {
          edits[table].push({ chain, rule, at: base + at });
        }
      }
      compareChains(before, after, { write, gone, remove });
    }
    return deltaOf(edits, { write, gone, remove });
  }

  #entryOf(ports: readonly ServicePort[]): Entry {
    if (ports.length === 0) return NOTHING;
    return { compiled: ports.map((port) => compilePort(port, this.#frame)), endpoints: countEndpoints(ports) };
  }

  #set(key: string, entry: Entry): void {
    this.#endpoints += entry.endpoints - (this.#entries.get(key)?.endpoints ?? 0);
    if (entry.compiled.length > 0) this.#entries.set(key, entry);
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
      for (const one of this.#entries.get(this.#order[at] ?? '')?.compiled ?? []) sum += one[part].length;
    }
    return sum;
  }
}

/** As the names of their ports sort, which are `namespace/service:port`. */
const inOrder = (a: string, b: string): number => compareText(`${a}:`, `${b}:`);

const partOf = (entry: Entry, part: Part): readonly string[] => entry.compiled.flatMap((one) => one[part]);
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

/** Of nat. `gone`: what stood in the kernel where now something else stands, or nothing. */
interface ChainChanges {
  readonly write: Chain[];
  readonly gone: Chain[];
  readonly remove: string[];
}

function compareChains(before: Entry, after: Entry, { write, gone, remove }: ChainChanges): void {
  const old = new Map(before.compiled.flatMap((one) => one.chains.map((chain) => [chain.name, chain])));
  for (const chain of after.compiled.flatMap((one) => one.chains)) {
    const known = old.get(chain.name);
    old.delete(chain.name);
    if (known?.text === chain.text) continue;
    write.push(chain);
    if (known) gone.push(known);
  }
  gone.push(...old.values());
  remove.push(...old.keys());
}

function deltaOf(edits: Readonly<Record<TableName, readonly Edit[]>>, chains: ChainChanges): Delta {
  const { write, gone, remove } = chains;
  const tableOf = (table: TableName): TableDelta => {
    const inserted = edits[table].filter((one) => one.at !== 'gone').length;
    const [more, less, lines] = table === 'nat' ? [write.length, gone.length, countRules(write)] : [0, 0, 0];
    const lost = edits[table].length - inserted + (table === 'nat' ? countRules(gone) : 0);
    return { chains: more - less, rules: lines + inserted - lost, lines: lines + inserted };
  };
  const texts = TABLES.map((table) =>
    renderTable(table, {
      ...(table === 'nat' ? { write, remove } : { write: [], remove: [] }),
      insert: [],
      edit: edits[table],
    }),
  );
  return {
    text: texts.join(''),
    written: write.length,
    removed: remove.length,
    inserted: 0,
    edited: edits.filter.length + edits.nat.length,
    tables: { mangle: tableOf('mangle'), filter: tableOf('filter'), nat: tableOf('nat') },
  };
}
