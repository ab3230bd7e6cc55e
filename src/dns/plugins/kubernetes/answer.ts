/**
 * The answer to a question about the cluster, after the Kubernetes DNS specification 1.1.0 and, where that leaves room, as CoreDNS does it. Pure:
 * the same view and question give the same records in the same order.
 */
import { formatIp } from '../../../lib/ip.ts';
import type { Dependency } from '../../plugin.ts';
import { RCODE, TYPE, type Question, type Record } from '../../wire/message.ts';
import type { ClusterView } from './cluster-view.ts';
import { addressRecord, addressRecords, isExposed, NO_DATA, record, type Found, type Lookup } from './lookup.ts';
import { defaultNameServer, nameServers } from './name-servers.ts';
import { parseName, type Target } from './names.ts';
import { RecordedView } from './recorded-view.ts';
import { reverseRecords } from './reverse-records.ts';
import type { Rules } from './rules.ts';
import { serviceRecords } from './service-records.ts';
import { below, type Zone } from './zones.ts';

/** `isOutside`: of no zone here. */
export type Answer = { readonly isOutside: true } | InsideAnswer;

export interface InsideAnswer {
  readonly isOutside?: undefined;
  readonly rcode: number;
  readonly answers: readonly Record[];
  /** The SOA where there are no answers (feature 4-021). */
  readonly authorities: readonly Record[];
  readonly additionals: readonly Record[];
  /** An alias leads out of the zones: this name's records of the asked type belong to the answer too. */
  readonly follow?: string;
  /** Askers of other topology zones may get other records. */
  readonly nearby?: boolean;
  /**
   * While none of these changes the answer is the same, but for the serial in the SOA of a denial: that would change with everything, and
   * nobody tells denials apart by it.
   */
  readonly dependencies: readonly Dependency[];
}

const VERSION_TTL = 28_800;

/** @param askerZone topology zone of whoever asks, for `preferZone` */
export function answer(view: ClusterView, question: Question, rules: Rules, askerZone?: string): Answer {
  const { target, zone } = parseName(question.name, rules.zones, rules.zonal);
  return zone ? answerIn(zone, target, view, question, rules, askerZone) : { isOutside: true };
}

/** As `answer`, of a name that was parsed. */
export function answerIn(
  zone: Zone,
  target: Target,
  view: ClusterView,
  question: Question,
  rules: Rules,
  askerZone?: string,
): InsideAnswer {
  const watched = new RecordedView(view);
  const lookup: Lookup = {
    view: watched,
    rules,
    zone,
    type: question.type,
    name: question.name,
    ...(askerZone !== undefined && { askerZone: askerZone.toLowerCase() }),
  };
  const found = withAliases(lookup, find(lookup, target));
  const { answers = [], additionals = [], alias, nearby } = found ?? {};
  return {
    rcode: found ? RCODE.NOERROR : RCODE.NXDOMAIN,
    answers,
    authorities: answers.length === 0 ? [soaRecord(view.serial, zone, rules.ttl)] : [],
    additionals,
    ...(alias !== undefined && { follow: alias }),
    ...(nearby && { nearby }),
    dependencies: [...watched.seen],
  };
}

/** Feature 4-025. */
export function soaRecord(serial: number, zone: Pick<Zone, 'name'>, ttl: number): Record {
  return {
    name: zone.name,
    ttl: Math.min(ttl, 300),
    type: TYPE.SOA,
    mname: defaultNameServer(zone),
    rname: below('hostmaster', zone),
    serial,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: ttl,
  };
}

/** Undefined: the name does not exist. */
function find(lookup: Lookup, target: Target): Found | undefined {
  switch (target.about) {
    case 'outside':
    case 'nothing':
      return undefined;
    case 'branch':
      return NO_DATA;
    case 'zone':
      return apex(lookup);
    case 'version':
      if (lookup.type !== TYPE.TXT) return NO_DATA;
      return { answers: [{ ...record(lookup, lookup.name, { type: TYPE.TXT, texts: ['1.1.0'] }), ttl: VERSION_TTL }] };
    case 'nameserver':
      return {
        answers: addressRecords(
          lookup,
          nameServers(lookup).map(({ address }) => address),
        ),
      };
    case 'namespace':
      if (target.tree === 'pod' && lookup.rules.pods === 'disabled') return undefined;
      return hasNamespace(lookup, target.namespace) ? NO_DATA : undefined;
    case 'pod':
      return podRecords(lookup, target.namespace, formatIp(target.ip));
    case 'address':
      return reverseRecords(lookup, target.ip);
    default:
      return serviceRecords(lookup, target);
  }
}

const hasNamespace = (lookup: Lookup, namespace: string): boolean =>
  isExposed(lookup, namespace) && lookup.view.hasNamespace(namespace);

function apex(lookup: Lookup): Found {
  const { view, zone, rules, type, name } = lookup;
  if (type === TYPE.SOA) return { answers: [{ ...soaRecord(view.serial, zone, rules.ttl), name }] };
  if (type !== TYPE.NS) return NO_DATA;
  const servers = nameServers(lookup);
  const names = servers.length > 0 ? servers.map((server) => server.name) : [defaultNameServer(rules.zones.primary)];
  return {
    answers: [...new Set(names)].map((target) => record(lookup, name, { type: TYPE.NS, target })),
    additionals: servers.map((server) => addressRecord(lookup, server.name, server.address)),
  };
}

/** Features 4-032 to 4-034. */
function podRecords(lookup: Lookup, namespace: string, address: string): Found | undefined {
  const { view, rules } = lookup;
  if (rules.pods === 'disabled') return undefined;
  const isThere =
    rules.pods === 'insecure'
      ? hasNamespace(lookup, namespace)
      : isExposed(lookup, namespace) &&
        view.podsWithAddress(address).some(({ metadata }) => metadata.namespace === namespace);
  return isThere ? { answers: addressRecords(lookup, [address]) } : undefined;
}

/** Goes along aliases as long as they stay in the zones here. One that comes round again ends the way (feature 4-016). */
function withAliases(lookup: Lookup, first: Found | undefined): Found | undefined {
  if (first?.alias === undefined) return first;
  const answers = [...first.answers];
  const visited = new Set([lookup.name.toLowerCase()]);
  let nearby = first.nearby;
  for (let name = first.alias; ;) {
    const key = name.toLowerCase();
    if (visited.has(key) || visited.size > MAX_ALIASES) return { answers };
    visited.add(key);
    const { target, zone } = parseName(name, lookup.rules.zones, lookup.rules.zonal);
    if (!zone) return { answers, alias: name };
    const next = find({ ...lookup, zone, name }, target);
    answers.push(...(next?.answers ?? []));
    nearby ||= next?.nearby;
    if (next?.alias === undefined) return { answers, ...(nearby && { nearby }) };
    name = next.alias;
  }
}

/** Longer chains end there, without addresses. */
const MAX_ALIASES = 8;
