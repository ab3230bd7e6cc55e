/** The one effect: makes the kernel hold what the Plan says, writing only what differs from what it is known to hold. */
import { HostError } from '../../host/exec.ts';
import type { Iptables, IptablesCheck } from '../../host/iptables.ts';
import type { IpvsTools } from '../../host/ipvs-tools.ts';
import type { Family } from '../../lib/ip.ts';
import type { SyncResult } from '../backend.ts';
import { diff, shadowOfRules } from '../iptables/delta.ts';
import { parse as parseTables } from '../iptables/parse.ts';
import type { Plan, PlanProblem, PlanUpdate, ServicePort } from '../plan/types.ts';
import {
  carryOutServers,
  changesOf,
  keepsConnections,
  keyOfLine,
  serverLines,
  type Changes,
  type SetChange,
} from './changes.ts';
import { contextOf } from './share.ts';
import { holdingOf, isExcluded, type Holding } from './holding.ts';
import { parseSets } from './parse.ts';
import { rulesOf } from './rules.ts';
import { markField, schedulerOptions } from './settings.ts';
import { SET_IDS } from './sets.ts';
import { parseServers, serverOptions } from './virtual-server.ts';
import { Wanted, type Touched } from './wanted.ts';

export interface IpvsApplierOptions {
  readonly family: Family;
  readonly tools: IpvsTools;
  readonly iptables: Iptables;
  readonly scheduler: string;
  /** Virtual servers there are not ours to delete (3-124). */
  readonly excludeCIDRs: readonly string[];
}

/** Prove by a few rules that nobody flushed: a flush takes a whole table, and with it one of these. */
const SENTINELS: readonly IptablesCheck[] = [
  ['filter', 'INPUT', 'kubernetes health check rules', 'KUBE-NODE-PORT'],
  ['nat', 'PREROUTING', 'kubernetes service portals', 'KUBE-SERVICES'],
  ['nat', 'POSTROUTING', 'kubernetes postrouting rules', 'KUBE-POSTROUTING'],
].map(([table = '', chain = '', text = '', to = '']) => ({
  table,
  rule: [chain, '-m', 'comment', '--comment', text, '-j', to],
}));

/** More than this, and it is not the Services. */
const MOST_REFUSED = 100;

export class IpvsApplier {
  readonly #options: IpvsApplierOptions;
  #wanted: Wanted | undefined;
  /** The Plan of the last full sync, for what changes of Services leave as it is: node and options. */
  #base: Plan | undefined;
  /** undefined: not known, so the kernel is read before the next write. */
  #held: Holding | undefined;
  /** Grows with every `distrust`. */
  #doubts = 0;
  #refused = new Set<ServicePort>();

  constructor(options: IpvsApplierOptions) {
    this.#options = options;
  }

  distrust(): void {
    this.#doubts++;
    this.#held = undefined;
  }

  close(): void {
    this.#options.tools.close();
  }

  /** Real servers that take no new connections and wait for their last to end (3-123). */
  get draining(): number {
    return this.#drained().length;
  }

  async sync(update: PlanUpdate): Promise<SyncResult> {
    const isFull = this.#held === undefined || this.#wanted === undefined || update.changed === undefined;
    const doubts = this.#doubts;
    if (isFull) this.#refused = new Set();
    const wanted = this.#follow(update, isFull);
    const held = isFull ? await this.#read(wanted) : this.#held;
    // if anything below throws, what the kernel holds is not known
    this.#held = undefined;
    if (!held) throw new Error('nothing is held, and yet this is no full sync');
    let touched: Touched | undefined = isFull ? undefined : wanted.takeTouched();
    let changes = 0;
    // a second time where the kernel refused somebody, to take away what was written of them
    for (let again = 0; again < 3; again++) {
      const { written, refused } = await this.#write(wanted, held, touched);
      changes += written;
      if (refused.length === 0) break;
      for (const port of refused) this.#leaveOut(wanted, port);
      touched = wanted.takeTouched();
    }
    changes += await this.#review(held);
    if (isFull) changes += await this.#takeOver(held);
    if (doubts === this.#doubts) this.#held = held;
    const refused = [...this.#refused].map(problemOf);
    return { kind: isFull ? 'full' : 'partial', changes, refused };
  }

  /** False when somebody took rules, device or virtual servers away. */
  async isIntact(): Promise<boolean> {
    const { iptables, tools } = this.#options;
    if (!(await iptables.check(SENTINELS))) return false;
    if (!(await tools.hasDevice())) return false;
    const [key] = this.#held?.servers.keys() ?? [];
    return key === undefined || tools.hasServer(key);
  }

  /** Deletes the real servers whose last connection ended. To be called each minute while some are draining, never during a sync. */
  async review(): Promise<void> {
    const held = this.#held;
    if (held) await this.#review(held);
  }

  #follow(update: PlanUpdate, isFull: boolean): Wanted {
    const { scheduler } = this.#options;
    if (isFull || !this.#wanted || !update.changed) {
      this.#base = update.plan;
      this.#wanted = new Wanted(update.plan, schedulerOptions(scheduler));
      return this.#wanted;
    }
    for (const [name, { after }] of update.changed) {
      this.#wanted.set(name, after);
      for (const port of this.#refused) {
        if (`${port.namespace}/${port.service}` === name && !after.includes(port)) this.#refused.delete(port);
      }
    }
    return this.#wanted;
  }

  async #read(wanted: Wanted): Promise<Holding> {
    const { family, tools, iptables } = this.#options;
    const plan = this.#plan;
    const [sets, servers, bound, rules] = await Promise.all([
      tools.saveSets(),
      tools.saveServers(),
      tools.boundAddresses(),
      iptables.save(),
    ]);
    const text = {
      sets: parseSets(sets, family),
      servers: parseServers(servers),
      bound,
      tables: parseTables(rules),
    };
    const { nodeIPs } = contextOf(plan, '');
    const own = { family, nodeIPs, markMask: markField(plan.options).mask };
    return holdingOf(text, own, (key) => wanted.server(key) !== undefined);
  }

  readonly #isExcluded = (key: string): boolean => isExcluded(key, this.#options.excludeCIDRs);

  /** After our rules are in force: those of iptables mode would still refuse what had no endpoints in its time. */
  async #takeOver(held: Holding): Promise<number> {
    if (held.leftovers !== '') await this.#options.iptables.restore(held.leftovers);
    const lines = held.leftovers.split('\n').filter((line) => /^-[DX] /.test(line)).length;
    held.leftovers = '';
    return lines;
  }

  get #plan(): Plan {
    if (!this.#base) throw new Error('asked for before the first sync');
    return this.#base;
  }

  async #write(wanted: Wanted, held: Holding, touched: Touched | undefined) {
    const { family, tools } = this.#options;
    const changes = changesOf(held, wanted, touched, { family, isExcluded: this.#isExcluded });
    const refused = new Set<ServicePort>();
    await tools.changeSets(changes.create);
    for (const id of SET_IDS) if (!held.sets.has(id)) held.sets.set(id, new Set());
    for (const port of await this.#addElements(wanted, held, changes.add)) refused.add(port);
    if (!held.bound) await tools.addDevice();
    for (const port of await this.#bind(wanted, held, changes.bind)) refused.add(port);
    const rules = touched && !touched.rules ? 0 : await this.#writeRules(wanted, held);
    for (const port of await this.#changeServers(wanted, held, changes.servers)) refused.add(port);
    await tools.changeAddresses([], changes.unbind);
    await tools.changeSets(changes.remove.map(({ line }) => line));
    noteGone(held, changes);
    const { create, add, bind, servers, unbind, remove } = changes;
    const written = [create, add, bind, servers, unbind, remove].reduce((sum, { length }) => sum + length, rules);
    return { written, refused: [...refused] };
  }

  /** ipset names the first line it refuses, and may not have sent those before it: that Service is left out, and all others go again. */
  async #addElements(wanted: Wanted, held: Holding, changes: readonly SetChange[]): Promise<ServicePort[]> {
    const refused: ServicePort[] = [];
    let left = changes;
    for (let done = false; !done;) {
      try {
        await this.#options.tools.changeSets(left.map(({ line }) => line));
        done = true;
      } catch (error) {
        const line = error instanceof HostError ? Number(/Error in line (\d+)/.exec(error.stderr)?.[1]) : NaN;
        const culprit = left[line - 1];
        const owners = culprit ? wanted.ownersOf(culprit.set, culprit.element) : [];
        // what fails without anybody being at fault fails for all
        if (owners.length === 0 || refused.length > MOST_REFUSED) throw error;
        refused.push(...owners);
        left = left.filter((one) => one !== culprit);
      }
    }
    for (const { set, element } of left) held.sets.get(set)?.add(element);
    return refused;
  }

  /** One that is refused may stop the others behind it, so what is missing is tried again one by one. */
  async #bind(wanted: Wanted, held: Holding, add: readonly string[]): Promise<ServicePort[]> {
    const { tools } = this.#options;
    const bound = (held.bound ??= new Set());
    try {
      await tools.changeAddresses(add, []);
      for (const ip of add) bound.add(ip);
      return [];
    } catch (error) {
      const refused: ServicePort[] = [];
      const present = await tools.boundAddresses();
      for (const ip of add) {
        if (!present?.has(ip) && !(await this.#bindOne(ip))) {
          refused.push(...wanted.ownersOf('IPVS-IPS', ip));
          // what fails without anybody being at fault fails for all
          if (refused.length === 0 || refused.length > MOST_REFUSED) throw error;
        } else bound.add(ip);
      }
      return refused;
    }
  }

  #bindOne(ip: string): Promise<boolean> {
    return this.#options.tools.changeAddresses([ip], []).then(
      () => true,
      () => false,
    );
  }

  /**
   * ipvsadm goes on after a line the kernel refused, stops at one it does not understand itself, and never says which. So where it
   * complained, what is there tells, and what is missing is tried again server by server.
   */
  async #changeServers(wanted: Wanted, held: Holding, lines: readonly string[]): Promise<ServicePort[]> {
    const { tools } = this.#options;
    const complaint = await tools.changeServers(lines);
    carryOutServers(held, lines);
    if (complaint === '') return [];
    const keys = [...new Set(lines.map(keyOfLine))];
    await this.#rereadServers(held, keys);
    const refused = new Set<ServicePort>();
    for (const key of keys) {
      const missing = serverLines(key, held, wanted.server(key), this.#isExcluded);
      if (missing.length === 0 || (await tools.changeServers(missing)) === '') continue;
      const owner = wanted.ownerOf(key);
      if (!owner) throw new HostError(['ipvsadm', '--restore'], missing.join('; '), undefined, complaint);
      refused.add(owner);
    }
    await this.#rereadServers(held, keys);
    return [...refused];
  }

  async #rereadServers(held: Holding, keys: readonly string[]): Promise<void> {
    const present = parseServers(await this.#options.tools.saveServers());
    for (const key of keys) {
      const server = present.get(key);
      if (server) held.servers.set(key, { options: serverOptions(server), servers: new Map(server.servers) });
      else held.servers.delete(key);
    }
  }

  async #writeRules(wanted: Wanted, held: Holding): Promise<number> {
    const rules = rulesOf(this.#plan, wanted.marked());
    const { text, written, removed, inserted } = diff(held.rules, rules);
    if (text !== '') await this.#options.iptables.restore(text);
    held.rules = shadowOfRules(rules);
    return written + removed + inserted;
  }

  #leaveOut(wanted: Wanted, port: ServicePort): void {
    this.#refused.add(port);
    const name = `${port.namespace}/${port.service}`;
    wanted.set(
      name,
      wanted.portsOf(name).filter((one) => !this.#refused.has(one)),
    );
  }

  #drained(held = this.#held): [key: string, address: string][] {
    const found: [string, string][] = [];
    for (const [key, { servers }] of held?.servers ?? []) {
      if (!keepsConnections(key)) continue;
      const server = this.#wanted?.server(key);
      if (!server) continue;
      for (const [address, weight] of servers) {
        if (weight === 0 && !server.servers.has(address)) found.push([key, address]);
      }
    }
    return found;
  }

  async #review(held: Holding): Promise<number> {
    const waiting = this.#drained(held);
    if (waiting.length === 0) return 0;
    const { tools } = this.#options;
    const keys = [...new Set(waiting.map(([key]) => key))];
    const counts =
      keys.length > 8
        ? await tools.connections()
        : new Map((await Promise.all(keys.map((key) => tools.connections(key)))).flatMap((one) => [...one]));
    const over = waiting.filter(([key, address]) => (counts.get(`${key} ${address}`) ?? 0) === 0);
    const lines = over.map(([key, address]) => `-d ${key} -r ${address}`);
    await tools.changeServers(lines);
    carryOutServers(held, lines);
    return lines.length;
  }
}

/** Makes `held` what it is once these went. */
function noteGone(held: Holding, { remove, unbind }: Changes): void {
  for (const { set, element } of remove) held.sets.get(set)?.delete(element);
  for (const ip of unbind) held.bound?.delete(ip);
}

function problemOf(service: ServicePort): PlanProblem {
  const { namespace, service: name, protocol } = service;
  return { namespace, service: name, message: `the kernel refuses port ${service.name} (${protocol})` };
}
