/** Questions for names of the cluster to replies; others, and names that fall through, to the next plugin. */
import type { Block, Handler, Query, Reply } from '../../plugin.ts';
import { labelsOf } from '../../wire/domain-name.ts';
import { RCODE, replyTo, type Message } from '../../wire/message.ts';
import { answerIn, type InsideAnswer } from './answer.ts';
import type { ClusterView } from './cluster-view.ts';
import { inWords } from './in-words.ts';
import { parseName } from './names.ts';
import type { Rules } from './rules.ts';
import type { Zone } from './zones.ts';

/** Undefined as long as it is not watched. */
export type Cluster = (ClusterView & { hasSynced(kind: Zone['kind']): boolean }) | undefined;

export interface AskerZone {
  /** Undefined where it is not known. */
  readonly zone: string | undefined;
  /** All askers have it. */
  readonly isCommon: boolean;
}

export interface HandlerOptions {
  readonly rules: Rules;
  /** Zones whose missing names the next plugin is asked for (feature 4-038). */
  readonly fallthrough?: readonly string[];
  readonly lookUp?: Block['lookUp'];
  /** For `preferZone`. */
  readonly zoneOfAsker?: (query: Query) => AskerZone;
}

export function answerFrom(cluster: () => Cluster, options: HandlerOptions, next: Handler): Handler {
  const { rules, fallthrough = [], lookUp, zoneOfAsker } = options;
  const through = fallthrough.map((zone) => labelsOf(zone));
  return (query) => {
    const { question } = query;
    const { target, zone } = parseName(question.name, rules.zones, rules.zonal);
    if (!zone) return next(query);
    const view = cluster();
    if (!view?.hasSynced(zone.kind)) return unsynced(query);
    const asker = rules.preferZone ? zoneOfAsker?.(query) : undefined;
    const found = answerIn(zone, target, view, question, rules, asker?.zone);
    if (found.rcode === RCODE.NXDOMAIN && isIn(question.name, through)) return passOn(query, found, next);
    query.trail?.push({ plugin: 'kubernetes', text: inWords(target, view, found, question.type, asker?.zone) });
    const reply: Reply = {
      message: messageOf(query, found),
      from: 'kubernetes',
      ...(found.nearby && asker?.isCommon === false ? { transient: true } : { holds: found.dependencies }),
    };
    return found.follow === undefined ? reply : follow(query, reply, found.follow, lookUp);
  };
}

function messageOf({ message }: Query, { rcode, answers, authorities, additionals }: InsideAnswer): Message {
  return { ...replyTo(message, rcode), authoritative: true, answers, authorities, additionals };
}

/** Before everything is known a name may well exist: "no such name" would be believed, and kept (feature 4-023). */
function unsynced(query: Query): Reply {
  query.trail?.push({ plugin: 'kubernetes', text: 'has not yet listed the cluster: SERVFAIL' });
  return { message: replyTo(query.message, RCODE.SERVFAIL), from: 'kubernetes', transient: true };
}

const isIn = (name: string, zones: readonly (readonly string[])[]): boolean => {
  const labels = labelsOf(name.toLowerCase());
  return zones.some((zone) => zone.every((label, at) => labels[labels.length - zone.length + at] === label));
};

/** What others say of the name is so until the cluster has it. */
async function passOn(query: Query, { dependencies }: InsideAnswer, next: Handler): Promise<Reply | undefined> {
  query.trail?.push({ plugin: 'kubernetes', text: 'knows no such name, and lets the next plugin answer' });
  const reply = await next(query);
  if (!reply) return undefined;
  return reply.holds
    ? { ...reply, holds: [...reply.holds, ...dependencies] }
    : { ...reply, until: [...(reply.until ?? []), ...dependencies] };
}

/**
 * The alias leads out of the zones: what the whole server says of its target belongs to the answer (feature 4-016). Where that cannot be had
 * the alias stands alone, as in CoreDNS.
 */
async function follow(query: Query, alias: Reply, name: string, lookUp: Block['lookUp']): Promise<Reply> {
  const behind = await lookUp?.({ ...query.question, name }, query);
  const { holds, ...rest } = alias;
  const has = behind && (behind.message.rcode === RCODE.NOERROR || behind.message.rcode === RCODE.NXDOMAIN);
  if (!has || behind.transient || !holds) {
    return { ...rest, message: withBehind(alias.message, behind?.message), transient: true };
  }
  const until = [...holds, ...(behind.until ?? []), ...(behind.holds ?? [])];
  return {
    ...rest,
    message: withBehind(alias.message, behind.message),
    ...(behind.holds ? { holds: until } : { until }),
  };
}

/** What an upstream cut off stays cut off: half an answer must not pass for a whole one. */
const withBehind = (alias: Message, behind: Message | undefined): Message => ({
  ...alias,
  truncated: behind?.truncated ?? false,
  answers: [...alias.answers, ...(behind?.answers ?? [])],
});
