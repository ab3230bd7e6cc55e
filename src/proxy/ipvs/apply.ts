/** The one effect: makes the kernel hold what the Plan says, writing only what differs from what it is known to hold. */
import type { Iptables, IptablesCheck } from '../../host/iptables.ts';
import type { IpvsTools } from '../../host/ipvs-tools.ts';
import type { Family } from '../../lib/ip.ts';
import type { SyncResult } from '../backend.ts';
import { diff, shadowOfRules } from '../iptables/delta.ts';
import { parse as parseTables } from '../iptables/parse.ts';
import type { Plan, PlanProblem, PlanUpdate, ServicePort } from '../plan/types.ts';
import { carryOutServers, changesOf, keepsConnections } from './changes.ts';
import { contextOf } from './share.ts';
import { holdingOf, isExcluded, lend, type Holding } from './holding.ts';
import { parseSets } from './parse.ts';
import { rulesOf } from './rules.ts';
import { markField, schedulerOptions } from './settings.ts';
import { parseServers } from './virtual-server.ts';
import { Wanted, type Touched } from './wanted.ts';
import { Writer } from './writer.ts';

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
    const wanted = this.#follow(update, isFull);
    const held = isFull ? await this.#read(wanted) : this.#held;
    // if anything below throws, what the kernel holds is not known
    this.#held = undefined;
    if (!held) throw new Error('nothing is held, and yet this is no full sync');
    const follows = wanted.takeTouched();
    let touched: Touched | undefined = isFull ? undefined : follows;
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
    if (isFull) {
      changes += await this.#takeOver(held);
      lend(held, wanted);
    }
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

  /** `tryAgain`: what was refused is wanted again. */
  #follow(update: PlanUpdate, tryAgain: boolean): Wanted {
    const { scheduler } = this.#options;
    if (!this.#wanted || !update.changed) {
      this.#base = update.plan;
      this.#refused = new Set();
      this.#wanted = new Wanted(update.plan, schedulerOptions(scheduler));
      return this.#wanted;
    }
    if (tryAgain && this.#refused.size > 0) {
      const names = new Set([...this.#refused].map((port) => `${port.namespace}/${port.service}`));
      this.#refused = new Set();
      const again = Map.groupBy(update.plan.servicePorts, (port) => `${port.namespace}/${port.service}`);
      for (const name of names) this.#wanted.set(name, again.get(name) ?? []);
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
    const isSpared = (key: string) => isExcluded(key, this.#options.excludeCIDRs);
    const changes = changesOf(held, wanted, touched, { family, isSpared });
    const writer = new Writer({ tools, wanted, held, isSpared });
    await writer.createSets(changes.create);
    await writer.changeElements(changes.first);
    await writer.bind(changes.bind);
    const writeRules = async () => (touched && !touched.rules ? 0 : await this.#writeRules(wanted, held));
    // rules first, so that nobody is served whom they keep out; but where iptables mode serves, its rules go as ours take their chain
    const isTakeover = held.leftovers !== '';
    let rules = isTakeover ? 0 : await writeRules();
    await writer.changeServers(changes.servers);
    if (isTakeover) rules = await writeRules();
    await writer.unbind(changes.unbind);
    await writer.changeElements(changes.last);
    const { create, first, bind, servers, unbind, last } = changes;
    const written = [create, first, bind, servers, unbind, last].reduce((sum, { length }) => sum + length, rules);
    return { written, refused: [...writer.refused] };
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
    return [...(held?.weightless ?? [])].flatMap((text): [string, string][] => {
      const at = text.lastIndexOf(' ');
      const [key, address] = [text.slice(0, at), text.slice(at + 1)];
      const server = this.#wanted?.server(key);
      return server && keepsConnections(key) && !server.servers.has(address) ? [[key, address]] : [];
    });
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

function problemOf(service: ServicePort): PlanProblem {
  const { namespace, service: name, protocol } = service;
  return { namespace, service: name, message: `the kernel refuses port ${service.name} (${protocol})` };
}
