/** Gives changes to the tools, finds out whose the kernel refused, and keeps what is held in step with what was carried out. */
import { HostError } from '../../host/exec.ts';
import type { IpvsTools } from '../../host/ipvs-tools.ts';
import type { ServicePort } from '../plan/types.ts';
import { carryOutServers, keyOfLine, serverLines, type SetChange } from './changes.ts';
import { setServer, type Holding } from './holding.ts';
import { SET_IDS } from './sets.ts';
import { parseServers } from './virtual-server.ts';
import type { Wanted } from './wanted.ts';

export interface WriterOptions {
  readonly tools: IpvsTools;
  readonly wanted: Wanted;
  readonly held: Holding;
  readonly isSpared: (key: string) => boolean;
}

/** More than this, and it is not the Services. */
const MOST_REFUSED = 100;

/** For one write. Every method throws HostError where what failed is nobody's: then it fails for all. */
export class Writer {
  /** Whose the kernel did not take. What it did take of theirs is there. */
  readonly refused = new Set<ServicePort>();
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async createSets(lines: readonly string[]): Promise<void> {
    const { tools, held } = this.#options;
    await tools.changeSets(lines);
    for (const id of SET_IDS) if (!held.sets.has(id)) held.sets.set(id, new Set());
  }

  /** ipset names the first line it refuses, and may not have sent those before it: that Service is left out, and all others go again. */
  async changeElements(changes: readonly SetChange[]): Promise<void> {
    const { tools, wanted, held } = this.#options;
    let left = changes;
    for (let isDone = false; !isDone;) {
      try {
        await tools.changeSets(left.map(({ line }) => line));
        isDone = true;
      } catch (error) {
        const line = error instanceof HostError ? Number(/Error in line (\d+)/.exec(error.stderr)?.[1]) : NaN;
        const culprit = left[line - 1];
        this.#refuse(culprit ? wanted.ownersOf(culprit.set, culprit.element) : [], error);
        left = left.filter((one) => one !== culprit);
      }
    }
    for (const { verb, set, element } of left) {
      if (verb === 'add') held.sets.get(set)?.add(element);
      else held.sets.get(set)?.delete(element);
    }
  }

  /** Makes the device if it must. One that is refused may stop the others behind it, so what is missing is tried again one by one. */
  async bind(add: readonly string[]): Promise<void> {
    const { tools, wanted, held } = this.#options;
    if (!held.bound) await tools.addDevice();
    const bound = (held.bound ??= new Set());
    try {
      await tools.changeAddresses(add, []);
      for (const ip of add) bound.add(ip);
    } catch (error) {
      const present = await tools.boundAddresses();
      for (const ip of add) {
        if (present?.has(ip) || (await this.#canBind(ip))) bound.add(ip);
        else this.#refuse(wanted.ownersOf('IPVS-IPS', ip), error);
      }
    }
  }

  async unbind(remove: readonly string[]): Promise<void> {
    const { tools, held } = this.#options;
    await tools.changeAddresses([], remove);
    for (const ip of remove) held.bound?.delete(ip);
  }

  /**
   * ipvsadm goes on after a line the kernel refused, stops at one it does not understand itself, and never says which. So where it
   * complained, what is there tells, and what is missing is tried again server by server.
   */
  async changeServers(lines: readonly string[]): Promise<void> {
    const { tools, wanted, held, isSpared } = this.#options;
    const complaint = await tools.changeServers(lines);
    carryOutServers(held, lines);
    if (complaint === '') return;
    const keys = [...new Set(lines.map(keyOfLine))];
    await this.#readAgain(keys);
    for (const key of keys) {
      const missing = serverLines(key, held, wanted.server(key), isSpared);
      if (missing.length === 0 || (await tools.changeServers(missing)) === '') continue;
      const owner = wanted.ownerOf(key);
      this.#refuse(owner ? [owner] : [], new HostError(['ipvsadm'], missing.join('; '), undefined, complaint));
    }
    await this.#readAgain(keys);
  }

  async #readAgain(keys: readonly string[]): Promise<void> {
    const { tools, held } = this.#options;
    const present = parseServers(await tools.saveServers());
    for (const key of keys) setServer(held, key, present.get(key));
  }

  #canBind(ip: string): Promise<boolean> {
    return this.#options.tools.changeAddresses([ip], []).then(
      () => true,
      () => false,
    );
  }

  #refuse(owners: readonly ServicePort[], error: unknown): void {
    if (owners.length === 0 || this.refused.size > MOST_REFUSED) throw error;
    for (const owner of owners) this.refused.add(owner);
  }
}
