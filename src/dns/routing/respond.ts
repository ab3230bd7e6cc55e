/** From question to answer: what is malformed or not meant for a server like this, and the chain of the block that the name belongs to. */
import type { Clock } from '../../lib/clock.ts';
import type { Server } from './chain.ts';
import type { DnsMetrics, PacketCounter } from '../metrics.ts';
import type { Asker, Query, Reply, TrailStep } from '../plugin.ts';
import type { Route, Router } from './router.ts';
import { isInZone } from './zone-list.ts';
import { CLASS_IN, RCODE, replyTo, TYPE, type Message, type Question } from '../wire/message.ts';

/** What this server takes over UDP itself, and says so in OPT. */
export const OWN_UDP_SIZE = 1232;

export interface Answered extends Reply {
  /** True where `holds` is there, and no size is set, and nothing in the chain does more to such an answer than a packet kept in front of it. */
  readonly mayKeep: boolean;
  /** True where the block has `loadbalance`: whoever keeps the answer lets its addresses change places. */
  readonly isBalanced: boolean;
  /** Present where the block has `prometheus`; whoever sends the packet counts it, kept ones too. */
  readonly counter?: PacketCounter;
  /** Bytes it may have at most over UDP, whatever more the asker takes. */
  readonly udpSize?: number;
}

export interface RespondContext {
  readonly router: Pick<Router, 'find' | 'metered'>;
  readonly clock: Clock;
  readonly metrics: DnsMetrics;
}

/** Undefined: no reply at all. Rejects where the chain does: the sender is then told SERVFAIL. */
export async function respond(
  message: Message,
  asker: Asker,
  context: RespondContext,
  trail?: TrailStep[],
): Promise<Answered | undefined> {
  if (message.isResponse) return undefined;
  const refusal = refuse(message);
  const [question] = message.questions;
  if (refusal !== undefined || !question) return dropped(message, refusal ?? RCODE.FORMERR, asker, context);
  const route = context.router.find(question.name, question.type);
  if (!route || !takesClass(route.server, question)) return dropped(message, RCODE.REFUSED, asker, context);
  const { server } = route;
  const metadata = metadataOf(server, question.name);
  const query: Query = {
    message,
    question,
    asker,
    at: context.clock.now(),
    ...(metadata && { metadata }),
    ...(trail && { trail }),
  };
  if (metadata) for (const { instance } of server.plugins) instance.describe?.(query, metadata);
  const reply = await server.handler(query);
  if (!reply) return undefined;
  const { udpSize, isBalanced } = server.traits;
  const counter = counterFor(route, query, reply, context.metrics);
  return {
    ...reply,
    message: framed(message, reply, server),
    isBalanced,
    ...(udpSize !== undefined && { udpSize }),
    mayKeep: reply.holds !== undefined && reply.transient !== true && server.keeps(reply.from),
    ...(counter && { counter }),
  };
}

/** Undefined: it is a question for a chain. */
function refuse(message: Message): number | undefined {
  const [question] = message.questions;
  if (message.opcode !== 0) return RCODE.NOTIMP;
  if (!question || message.questions.length !== 1) return RCODE.FORMERR;
  if (message.edns && message.edns.version > 0) return RCODE.BADVERS;
  if (question.type === TYPE.AXFR || question.type === TYPE.IXFR) return RCODE.REFUSED;
  return undefined;
}

const takesClass = ({ traits }: Server, question: Question): boolean => question.class === CLASS_IN || traits.anyClass;

/** What never came to a chain; it is counted as a zone of its own. */
function dropped(message: Message, rcode: number, asker: Asker, { router, metrics }: RespondContext): Answered {
  const reply = { message: replyTo(message, rcode), from: '' };
  const server = router.metered;
  const labels = server !== undefined && { server, zone: 'dropped', plugin: '', ...figuresOf(message, asker, reply) };
  return {
    ...reply,
    message: framed(message, reply, undefined),
    mayKeep: false,
    isBalanced: false,
    ...(labels && { counter: metrics.forPacket(labels) }),
  };
}

/** Options of EDNS are the asker's own: they go back only where a plugin put some into the reply. */
function framed(query: Message, { message: reply, flags }: Reply, server: Server | undefined): Message {
  const { edns, ...rest } = reply;
  const recursionAvailable = server?.traits.recurses ?? false;
  const options = edns === query.edns || edns?.options?.length === 0 ? undefined : edns?.options;
  return {
    ...rest,
    id: query.id,
    questions: query.questions.slice(0, 1),
    recursionAvailable: reply.recursionAvailable || recursionAvailable,
    recursionDesired: query.recursionDesired,
    ...flags,
    ...(query.edns && {
      edns: { size: OWN_UDP_SIZE, version: 0, dnssecOk: query.edns.dnssecOk, ...(options && { options }) },
    }),
  };
}

function metadataOf({ traits }: Server, name: string): Map<string, () => string> | undefined {
  return traits.collectsFor?.some((zone) => isInZone(name, zone)) ? new Map<string, () => string>() : undefined;
}

function counterFor(
  { server, zone }: Route,
  { message, asker }: Query,
  reply: Reply,
  metrics: DnsMetrics,
): PacketCounter | undefined {
  if (!server.traits.hasPrometheus) return undefined;
  return metrics.forPacket({
    server: server.block.server,
    zone,
    plugin: reply.from,
    ...figuresOf(message, asker, reply),
  });
}

const figuresOf = (message: Message, asker: Asker, reply: Pick<Reply, 'message'>) => ({
  transport: asker.transport,
  family: asker.address.includes(':') ? ('IPv6' as const) : ('IPv4' as const),
  type: message.questions[0]?.type ?? 0,
  dnssecOk: message.edns?.dnssecOk ?? false,
  rcode: reply.message.rcode,
});
