/** From query to reply: what is malformed or not meant for a server like this, what the cluster answers, what the upstreams are asked. */
import { answer, type AnswerOptions } from './plugins/kubernetes/answer.ts';
import type { AnswerCache } from './plugins/cache/answer-cache.ts';
import type { ClusterView } from './plugins/kubernetes/cluster-view.ts';
import type { Forwarder } from './plugins/forward/forward.ts';
import { CLASS_IN, RCODE, replyTo, TYPE, type Message, type Question, type Record } from './wire/message.ts';
import { parseName } from './plugins/kubernetes/names.ts';

/** What this server takes over UDP itself, and says so in OPT. */
export const OWN_UDP_SIZE = 1232;

export interface RespondOptions extends AnswerOptions {
  readonly view: ClusterView & { readonly hasSynced: boolean };
  readonly forwarder: Forwarder;
  readonly cache: AnswerCache;
  /** False: nobody to ask, so what is not in the cluster is nowhere. */
  readonly hasUpstreams: boolean;
  readonly now: () => number;
  /** Puts address records into a random order, so that clients spread (feature 4-054). */
  readonly shuffle: <T>(list: readonly T[]) => T[];
}

/** Undefined: no reply at all (it was no query). */
export async function respond(query: Message, options: RespondOptions): Promise<Message | undefined> {
  if (query.isResponse) return undefined;
  const reply = await decide(query, options);
  const withEdns = query.edns ? { ...reply, edns: { ...query.edns, size: OWN_UDP_SIZE, version: 0 } } : reply;
  return { ...withEdns, recursionAvailable: options.hasUpstreams };
}

async function decide(query: Message, options: RespondOptions): Promise<Message> {
  const [question] = query.questions;
  if (query.opcode !== 0) return replyTo(query, RCODE.NOTIMP);
  if (!question || query.questions.length !== 1) return replyTo(query, RCODE.FORMERR);
  if (query.edns && query.edns.version > 0) return replyTo(query, RCODE.BADVERS);
  if (question.class !== CLASS_IN) return replyTo(query, RCODE.REFUSED);
  if (question.type === TYPE.AXFR || question.type === TYPE.IXFR) return replyTo(query, RCODE.REFUSED);
  const isOutside = parseName(question.name, options.zone).about === 'outside';
  if (isOutside) return relay(query, question, options);
  // Before everything is known a name may well exist: "no such name" would be believed, and cached (feature 4-023).
  if (!options.view.hasSynced) return replyTo(query, RCODE.SERVFAIL);
  return fromCluster(query, question, options);
}

async function fromCluster(query: Message, question: Question, options: RespondOptions): Promise<Message> {
  const found = answer(options.view, question, options);
  if (found.ask === 'upstream') {
    // Nobody to ask about an address that nothing in the cluster has: then it has no name.
    return options.hasUpstreams ? relay(query, question, options) : replyTo(query, RCODE.NXDOMAIN);
  }
  const { rcode, authorities, additionals, follow } = found;
  const behind = follow === undefined ? NOTHING : await behindAlias({ ...question, name: follow }, options);
  return {
    ...replyTo(query, rcode),
    authoritative: true,
    truncated: behind.truncated,
    answers: shuffleAddresses([...found.answers, ...behind.answers], options),
    authorities,
    additionals,
  };
}

type Part = Pick<Message, 'answers' | 'truncated'>;
const NOTHING: Part = { answers: [], truncated: false };

/** The records behind an alias that leads out of the cluster; none where the upstreams do not know. */
async function behindAlias(question: Question, options: RespondOptions): Promise<Part> {
  const reply = await lookUp(question, options);
  return 'answers' in reply ? reply : NOTHING;
}

async function relay(query: Message, question: Question, options: RespondOptions): Promise<Message> {
  const reply = await lookUp(question, options);
  if (!('answers' in reply)) return replyTo(query, reply.rcode);
  // What the upstream cut off stays cut off: half an answer must not pass for a whole one.
  const { rcode, authorities, additionals, truncated } = reply;
  return {
    ...replyTo(query, rcode),
    truncated,
    answers: shuffleAddresses(reply.answers, options),
    authorities,
    additionals,
  };
}

async function lookUp(question: Question, options: RespondOptions): Promise<Message | { readonly rcode: number }> {
  const known = options.cache.get(question, options.now());
  if (known) return known;
  const reply = await options.forwarder.ask(question);
  if ('answers' in reply) options.cache.put(question, reply, options.now());
  return reply;
}

/** Aliases first and in their order, addresses after them in any. */
function shuffleAddresses(records: readonly Record[], { shuffle }: RespondOptions): Record[] {
  const isAddress = ({ type }: Record) => type === TYPE.A || type === TYPE.AAAA;
  return [...records.filter((record) => !isAddress(record)), ...shuffle(records.filter(isAddress))];
}
