/**
 * All that the node should hold, Service by Service, so that a change costs what it touches and not what there is. What a Service port adds follows
 * from it and its mark, and is worked out again when it goes: kept, it would be as much again.
 */
import { compareText } from '../plan/order.ts';
import type { Plan, ServicePort } from '../plan/types.ts';
import { Marks } from './marks.ts';
import { markField } from './settings.ts';
import { SET_IDS, type SetId } from './sets.ts';
import { contextOf, needsMark, shareOf, type Share, type ShareContext } from './share.ts';
import type { VirtualServer } from './virtual-server.ts';

/** A Service port, and what leads to its Cluster pool. */
interface Member {
  readonly service: ServicePort;
  readonly mark: number | undefined;
}

/** One Service's claim to a virtual server; of several the first in order has it. */
interface Claim {
  readonly server: VirtualServer;
  readonly service: ServicePort;
}

/** What changes touched since last asked. Everything else is as it was. */
export interface Touched {
  readonly elements: ReadonlyMap<SetId, ReadonlySet<string>>;
  readonly servers: ReadonlySet<string>;
  /** The rules that mark packets are others now. */
  readonly rules: boolean;
}

export class Wanted {
  readonly #context: ShareContext;
  readonly #shift: number;
  readonly #marks = new Marks();
  /** `namespace/service` -> its ports. */
  readonly #members = new Map<string, readonly Member[]>();
  /** Several Services may want the same element, so they are counted. */
  readonly #elements = new Map<SetId, Map<string, number>>(SET_IDS.map((id) => [id, new Map<string, number>()]));
  readonly #claims = new Map<string, Claim[]>();
  #touchedElements = new Map<SetId, Set<string>>();
  #touchedServers = new Set<string>();
  #touchedRules = false;

  /** Of a Plan; `scheduler` as ipvsadm wants it. */
  constructor(plan: Plan, scheduler: string) {
    this.#context = contextOf(plan, scheduler);
    this.#shift = markField(plan.options).shift;
    const byService = Map.groupBy(plan.servicePorts, (port) => `${port.namespace}/${port.service}`);
    for (const [name, ports] of byService) this.set(name, ports);
    this.takeTouched();
  }

  /** `ports` empty: the Service is gone. */
  set(name: string, ports: readonly ServicePort[]): void {
    const before = this.#members.get(name) ?? [];
    for (const member of before) this.#count(this.#shareOf(member), -1);
    const held = new Set(ports.filter(needsMark).map(markName));
    for (const { service, mark } of before) {
      if (mark !== undefined && !held.has(markName(service))) this.#marks.release(markName(service));
    }
    const members = ports.map((service) => ({
      service,
      mark: needsMark(service) ? this.#marks.hold(markName(service)) << this.#shift : undefined,
    }));
    for (const member of members) this.#count(this.#shareOf(member), 1);
    if (members.length > 0) this.#members.set(name, members);
    else this.#members.delete(name);
    if ([...before, ...members].some(({ mark }) => mark !== undefined)) this.#touchedRules = true;
  }

  hasElement(set: SetId, element: string): boolean {
    return this.#elements.get(set)?.has(element) ?? false;
  }

  elements(set: SetId): Iterable<string> {
    return this.#elements.get(set)?.keys() ?? [];
  }

  server(key: string): VirtualServer | undefined {
    return this.#claims.get(key)?.[0]?.server;
  }

  /** Whose it is. */
  ownerOf(key: string): ServicePort | undefined {
    return this.#claims.get(key)?.[0]?.service;
  }

  *servers(): Iterable<VirtualServer> {
    for (const [first] of this.#claims.values()) if (first) yield first.server;
  }

  /** Service ports with an element in a set: for saying whose the kernel refused. */
  ownersOf(set: SetId, element: string): ServicePort[] {
    const owns = (member: Member) =>
      this.#shareOf(member).elements.some(([id, text]) => id === set && text === element);
    return [...this.#members.values()].flatMap((members) => members.filter(owns).map(({ service }) => service));
  }

  portsOf(name: string): readonly ServicePort[] {
    return (this.#members.get(name) ?? []).map(({ service }) => service);
  }

  /** Sorted by name. */
  marked(): readonly Share[] {
    return [...this.#members.values()]
      .flatMap((members) => members.filter(({ mark }) => mark !== undefined))
      .map((member) => this.#shareOf(member))
      .filter((share) => share.marked.length > 0)
      .sort((a, b) => compareText(markName(a.service), markName(b.service)));
  }

  takeTouched(): Touched {
    const touched = { elements: this.#touchedElements, servers: this.#touchedServers, rules: this.#touchedRules };
    this.#touchedElements = new Map();
    this.#touchedServers = new Set();
    this.#touchedRules = false;
    return touched;
  }

  #shareOf({ service, mark }: Member): Share {
    return shareOf(service, this.#context, mark);
  }

  #count({ elements, servers, service }: Share, by: 1 | -1): void {
    for (const [set, element] of elements) {
      const counts = this.#elements.get(set);
      const left = (counts?.get(element) ?? 0) + by;
      if (left > 0) counts?.set(element, left);
      else counts?.delete(element);
      const touched = this.#touchedElements.get(set);
      if (touched) touched.add(element);
      else this.#touchedElements.set(set, new Set([element]));
    }
    for (const server of servers) {
      this.#touchedServers.add(server.key);
      const claims = (this.#claims.get(server.key) ?? []).filter((one) => one.service !== service);
      if (by === 1) claims.push({ server, service });
      if (claims.length > 1) claims.sort((a, b) => compareText(rankOf(a), rankOf(b)));
      if (claims.length > 0) this.#claims.set(server.key, claims);
      else this.#claims.delete(server.key);
    }
  }
}

const markName = (service: ServicePort): string => `${service.name} ${service.protocol}`;

/** An address of a Service comes before a node port with the same numbers; then the order of the Plan. */
function rankOf({ service, server }: Claim): string {
  return `${server.key.endsWith(`:${String(service.port)}`) ? '0' : '1'} ${markName(service)}`;
}
