/** The one effect: makes the kernel hold what the Plan says, writing only what differs from what it is known to hold. */
import { isLockFailure, type Iptables, type IptablesCheck } from '../../host/iptables.ts';
import type { SyncResult } from '../backend.ts';
import type { Plan, PlanProblem, ServicePort } from '../plan/types.ts';
import { compile } from './compile.ts';
import { danglingJumps, diff, shadowOfKernel, shadowOfRules, type Shadow } from './delta.ts';
import * as names from './names.ts';
import { parse } from './parse.ts';
import { render } from './render.ts';
import type { RuleSet } from './rule-set.ts';

/** What a sync did, in the terms of iptables-restore. */
export interface IptablesSyncResult extends SyncResult {
  readonly bytes: number;
  readonly written: number;
  readonly removed: number;
  readonly inserted: number;
}

/** Proves by a few rules that nobody flushed: a flush takes a whole table, and with it one of these. */
const SENTINELS: readonly IptablesCheck[] = [
  {
    table: 'filter',
    rule: ['FORWARD', '-m', 'comment', '--comment', 'kubernetes forwarding rules', '-j', names.FORWARD],
  },
  {
    table: 'nat',
    rule: ['PREROUTING', '-m', 'comment', '--comment', 'kubernetes service portals', '-j', names.SERVICES],
  },
  {
    table: 'nat',
    rule: ['POSTROUTING', '-m', 'comment', '--comment', 'kubernetes postrouting rules', '-j', names.POSTROUTING],
  },
];

export class IptablesApplier {
  readonly #iptables: Iptables;
  /** undefined: not known, so the kernel is read before the next write. */
  #shadow: Shadow | undefined;
  /** Grows with every `distrust`. */
  #doubts = 0;
  #refused = new Set<ServicePort>();

  constructor(iptables: Iptables) {
    this.#iptables = iptables;
  }

  /** The next sync reads the kernel first and mends whatever differs, also when one is under way now. */
  distrust(): void {
    this.#doubts++;
    this.#shadow = undefined;
  }

  /**
   * Throws HostError when nothing could be written; the next call then starts from what the kernel holds. A failure that comes from
   * single Services (a match the kernel lacks) does not throw: they are found, left out and reported.
   */
  async sync(plan: Plan): Promise<IptablesSyncResult> {
    const isFull = this.#shadow === undefined;
    if (isFull) this.#refused = new Set();
    let result: IptablesSyncResult;
    try {
      result = await this.#write(this.#accepted(plan));
    } catch (error) {
      if (isLockFailure(error)) throw error;
      result = isFull ? await this.#writeWhatGoes(plan, error) : await this.#writeFull(plan);
    }
    const refused = plan.servicePorts.filter((service) => this.#refused.has(service));
    this.#refused = new Set(refused);
    return { ...result, kind: isFull ? 'full' : result.kind, refused: refused.map(problemOf) };
  }

  /** False when somebody flushed a table. Cheap: for asking every second. */
  isIntact(): Promise<boolean> {
    return this.#iptables.check(SENTINELS);
  }

  #accepted(plan: Plan): Plan {
    return { ...plan, servicePorts: plan.servicePorts.filter((service) => !this.#refused.has(service)) };
  }

  async #write(plan: Plan): Promise<IptablesSyncResult> {
    const wanted = compile(plan);
    assertComplete(wanted);
    const known = this.#shadow;
    const doubts = this.#doubts;
    // if anything below throws, what the kernel holds is not known
    this.#shadow = undefined;
    const kernel = known ?? shadowOfKernel(parse(await this.#iptables.save()));
    const delta = diff(kernel, wanted);
    if (delta.text !== '') await this.#iptables.restore(delta.text);
    // what went wrong meanwhile may have gone wrong after our write
    if (doubts === this.#doubts) this.#shadow = shadowOfRules(wanted);
    const { written, removed, inserted } = delta;
    const changes = written + removed + inserted;
    const kind = known ? 'partial' : 'full';
    return { kind, changes, bytes: delta.text.length, written, removed, inserted, refused: [] };
  }

  /** After a partial write failed: most often the kernel was changed behind our back, and no Service is at fault. */
  async #writeFull(plan: Plan): Promise<IptablesSyncResult> {
    try {
      return await this.#write(this.#accepted(plan));
    } catch (error) {
      if (isLockFailure(error)) throw error;
      return this.#writeWhatGoes(plan, error);
    }
  }

  async #writeWhatGoes(plan: Plan, error: unknown): Promise<IptablesSyncResult> {
    const bad = await this.#findRefused(plan, plan.servicePorts);
    if (bad.length === 0) throw error;
    this.#refused = new Set(bad);
    return this.#write(this.#accepted(plan));
  }

  /** Halves the Services until those the kernel refuses are alone, in a scratch namespace: live rules are not touched. */
  async #findRefused(plan: Plan, some: readonly ServicePort[]): Promise<readonly ServicePort[]> {
    try {
      await this.#iptables.test(render(compile({ ...plan, servicePorts: some })));
      return [];
    } catch (error) {
      // what fails without any Service is not theirs
      if (isLockFailure(error) || some.length === 0) throw error;
      if (some.length === 1) return some;
      const half = Math.ceil(some.length / 2);
      const first = await this.#findRefused(plan, some.slice(0, half));
      return [...first, ...(await this.#findRefused(plan, some.slice(half)))];
    }
  }
}

function problemOf(service: ServicePort): PlanProblem {
  const { namespace, service: name } = service;
  return {
    namespace,
    service: name,
    message: `the kernel refuses the rules of port ${service.name} (${service.protocol})`,
  };
}

/** Our own mistake if it ever throws: better than a restore that fails for all (trap T6). */
function assertComplete(wanted: RuleSet): void {
  const missing = danglingJumps(wanted);
  if (missing.length > 0) throw new Error(`rules jump to chains that do not exist: ${missing.slice(0, 3).join('; ')}`);
}
