/** What a client would ask one after the other, asked for it at once (feature 4-053). */
import type { Handler, Query, Reply } from '../../plugin.ts';
import { labelsOf, nameOf } from '../../wire/domain-name.ts';
import { RCODE, TYPE, type Message, type Question, type Record } from '../../wire/message.ts';

/**
 * The first reply along the search path that is not "no such name", under the name that was asked; where all are, the one to the name as it was asked.
 * Undefined: the name is not what a client makes of the path's first element.
 * @param path with final dots, `.` for the name as it is; the client's own in its order
 */
export async function searchAlong(
  path: readonly string[],
  query: Query,
  next: Handler,
): Promise<{ readonly reply: Reply | undefined; readonly isFound: boolean } | undefined> {
  const base = baseOf(query.question.name, path[0]);
  if (!base) return undefined;
  let first: Reply | undefined;
  for (const [at, domain] of path.entries()) {
    const name = at === 0 ? query.question.name : nameOf([...base, ...labelsOf(domain)]);
    const reply = await next({ ...query, question: { ...query.question, name } });
    if (at === 0) first = reply;
    if (!reply || reply.message.rcode === RCODE.NXDOMAIN) continue;
    if (at === 0) return { reply, isFound: false };
    // A failure further along says nothing of the name that was asked: the client is told what it asked for, and goes on itself.
    if (reply.message.rcode !== RCODE.NOERROR) break;
    query.trail?.push({ plugin: 'autopath', text: `${query.question.name} is ${name}` });
    return { reply: { ...reply, message: renamed(reply.message, query.question, name) }, isFound: true };
  }
  return { reply: first, isFound: false };
}

/** The labels in front of the domain; undefined where there are none, or it is another domain. */
function baseOf(name: string, domain: string | undefined): readonly string[] | undefined {
  if (domain === undefined) return undefined;
  const [labels, end] = [labelsOf(name), labelsOf(domain)];
  const base = labels.slice(0, Math.max(0, labels.length - end.length));
  const matches = end.every((label, at) => labels[base.length + at]?.toLowerCase() === label.toLowerCase());
  return base.length > 0 && matches ? base : undefined;
}

/** The client takes records of another name behind an alias only. */
function renamed(message: Message, { name: asked }: Question, name: string): Message {
  const [record] = message.answers;
  if (!record) return message;
  const alias: Record = { name: asked, ttl: record.ttl, type: TYPE.CNAME, target: name };
  return { ...message, answers: [alias, ...message.answers] };
}
