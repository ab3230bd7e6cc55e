/**
 * What the kernel should hold, kept as little as possible: elements follow from the owner of each frontend, so none are stored. Only who
 * claims what is remembered, and how many ask for an element that several may ask for.
 */
import type { Family } from '../../lib/ip.ts';
import type { Plan, ServiceChange, ServicePort } from '../plan/types.ts';
import { addressBytes } from './bytes.ts';
import { Claims, type Owner } from './claims.ts';
import { compileFrontend, emitShared } from './compile-frontend.ts';
import { ElementStore, TransactionBuilder, type Emit, type Transaction } from './elements.ts';
import { frontendsOf, type Frontend } from './frontends.ts';
import type { SetName } from './schema.ts';

export class Wanted {
  readonly #family: Family;
  readonly #nodePortIPs: readonly string[];
  readonly #claims = new Claims();
  /** Set -> key -> how many ask for it. */
  readonly #shared = new Map<SetName, Map<string, number>>();

  constructor(plan: Plan, isLeftOut: (service: ServicePort) => boolean = () => false) {
    this.#family = plan.options.family;
    this.#nodePortIPs = plan.nodePortIPs === 'all' ? [] : plan.nodePortIPs;
    for (const service of plan.servicePorts) {
      if (isLeftOut(service)) continue;
      this.#claims.add(service);
      emitShared(service, (set, key) => {
        this.#count(set, key, 1);
      });
    }
  }

  /** Every element, in no order that counts. */
  emit(emit: Emit): void {
    for (const ip of this.#nodePortIPs) emit('nodeport-ips', addressBytes(ip), '');
    for (const [set, counts] of this.#shared) for (const key of counts.keys()) emit(set, key, '');
    for (const owner of this.#claims.owners()) compileFrontend(owner, owner.service, this.#family, emit);
  }

  /** Those of some sets, or of all. */
  elements(some?: readonly SetName[]): ElementStore['sets'] {
    const store = new ElementStore();
    const wanted = some && new Set(some);
    this.emit(
      wanted
        ? (set, key, value) => {
            if (wanted.has(set)) store.emit(set, key, value);
          }
        : store.emit,
    );
    return store.sets;
  }

  owners(): Iterable<Frontend & Owner> {
    return this.#claims.owners();
  }

  /** Who owns a frontend. */
  ownerOf(key: string): Owner | undefined {
    return this.#claims.ownerOf(key);
  }

  /** Takes in some changed Services; costs what they cost, however many others there are. Returns what must be done for it. */
  change(changes: Iterable<ServiceChange>): Transaction {
    const all = [...changes];
    const builder = new TransactionBuilder();
    const keys = new Set<string>();
    for (const { before, after } of all) for (const key of keysOf(before, after)) keys.add(key);
    const old = new Map([...keys].map((key) => [key, this.#claims.ownerOf(key)]));
    for (const { before } of all) for (const service of before) this.#claims.remove(service);
    for (const { after } of all) for (const service of after) this.#claims.add(service);
    for (const [key, owner] of old)
      if (owner) compileFrontend({ key, kind: owner.kind }, owner.service, this.#family, builder.remove);
    for (const key of keys) {
      const owner = this.#claims.ownerOf(key);
      if (owner) compileFrontend({ key, kind: owner.kind }, owner.service, this.#family, builder.add);
    }
    this.#changeShared(all, builder);
    return builder.build();
  }

  #changeShared(changes: readonly ServiceChange[], builder: TransactionBuilder): void {
    const touched = new Map<SetName, Map<string, boolean>>();
    const count = (by: number) => (set: SetName, key: string) => {
      const keys = touched.get(set) ?? new Map<string, boolean>();
      touched.set(set, keys);
      if (!keys.has(key)) keys.set(key, this.#shared.get(set)?.has(key) ?? false);
      this.#count(set, key, by);
    };
    for (const { before } of changes) for (const service of before) emitShared(service, count(-1));
    for (const { after } of changes) for (const service of after) emitShared(service, count(1));
    for (const [set, keys] of touched) {
      for (const [key, wasThere] of keys) {
        if (wasThere) builder.remove(set, key, '');
        if (this.#shared.get(set)?.has(key)) builder.add(set, key, '');
      }
    }
  }

  #count(set: SetName, key: string, by: number): void {
    const counts = this.#shared.get(set) ?? new Map<string, number>();
    this.#shared.set(set, counts);
    const count = (counts.get(key) ?? 0) + by;
    if (count > 0) counts.set(key, count);
    else counts.delete(key);
  }
}

function* keysOf(...lists: readonly (readonly ServicePort[])[]): IterableIterator<string> {
  for (const services of lists) for (const service of services) for (const { key } of frontendsOf(service)) yield key;
}
