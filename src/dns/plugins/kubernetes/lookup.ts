/** One question on its way to records, and what it finds. Pure. */
import { TYPE, type Record, type RecordData } from '../../wire/message.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Rules } from './rules.ts';
import type { Zone } from './zones.ts';

export interface Lookup {
  readonly view: ClusterView;
  readonly rules: Rules;
  readonly zone: Zone;
  readonly type: number;
  /** How the question, or the alias before, spelled the name: the owner of the records (feature 4-002). */
  readonly name: string;
  /** Of whoever asks, lower case; absent where it is not known or does not matter. */
  readonly askerZone?: string;
}

/** Records of an existing name; no records: the name is there, but not with the asked type. */
export interface Found {
  readonly answers: readonly Record[];
  readonly additionals?: readonly Record[];
  /** An alias: this name's records of the asked type belong to the answer too. */
  readonly alias?: string;
  /** Askers of other zones may get other records. */
  readonly nearby?: boolean;
}

/** The name is there, without records of the asked type. */
export const NO_DATA: Found = { answers: [] };

export function isExposed({ view, rules }: Lookup, namespace: string): boolean {
  if (rules.namespaces && !rules.namespaces.has(namespace)) return false;
  return !rules.viewedNamespaces || view.hasNamespace(namespace);
}

export function record({ rules }: Lookup, name: string, data: RecordData): Record {
  return { name, ttl: rules.ttl, ...data };
}

/** @param address canonical */
export function addressRecord(lookup: Lookup, name: string, address: string): Record {
  return record(lookup, name, { type: address.includes(':') ? TYPE.AAAA : TYPE.A, address });
}

/** Those of the asked family under the asked name, each once (feature 4-044). @param addresses canonical */
export function addressRecords(lookup: Lookup, addresses: readonly string[]): Record[] {
  if (lookup.type !== TYPE.A && lookup.type !== TYPE.AAAA) return [];
  const wanted = lookup.type === TYPE.AAAA;
  const those = new Set(addresses.filter((address) => address.includes(':') === wanted));
  return [...those].map((address) => addressRecord(lookup, lookup.name, address));
}

export interface SrvTarget {
  readonly host: string;
  readonly port: number;
}

/** Each host and port once, of equal weight (feature 4-030). */
export function srvRecords(lookup: Lookup, targets: readonly SrvTarget[]): Record[] {
  const unique = [...new Map(targets.map((target) => [`${target.host} ${String(target.port)}`, target])).values()];
  const weight = Math.max(1, Math.floor(100 / unique.length));
  return unique.map(({ host, port }) =>
    record(lookup, lookup.name, { type: TYPE.SRV, priority: 0, weight, port, target: host }),
  );
}
