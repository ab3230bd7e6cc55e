/** Plan -> all that ipvs mode puts into the kernel, as data. */
import type { RuleSet } from '../iptables/rule-set.ts';
import { compareText } from '../plan/order.ts';
import type { Plan } from '../plan/types.ts';
import { rulesOf } from './rules.ts';
import { schedulerOptions } from './settings.ts';
import { SET_IDS, type SetId } from './sets.ts';
import type { VirtualServer } from './virtual-server.ts';
import { Wanted } from './wanted.ts';

export interface IpvsRules {
  /** Sorted elements of every set. The elements of IPVS-IPS are the addresses of kube-ipvs0. */
  readonly sets: ReadonlyMap<SetId, readonly string[]>;
  /** Sorted by key. */
  readonly servers: readonly VirtualServer[];
  readonly rules: RuleSet;
}

export function compile(plan: Plan, scheduler = 'rr'): IpvsRules {
  return rulesOfWanted(plan, new Wanted(plan, schedulerOptions(scheduler)));
}

export function rulesOfWanted(plan: Plan, wanted: Wanted): IpvsRules {
  return {
    sets: new Map(SET_IDS.map((id) => [id, [...wanted.elements(id)].sort(compareText)])),
    servers: [...wanted.servers()].sort((a, b) => compareText(a.key, b.key)),
    rules: rulesOf(plan, wanted.marked()),
  };
}
