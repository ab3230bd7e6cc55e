/** Whether bytes that came from where an upstream is are its answer to a question. Pure. */
import { sameName } from '../../wire/domain-name.ts';
import type { Message } from '../../wire/message.ts';
import { RCODE } from '../../wire/message.ts';

/**
 * - `fits`: the answer.
 * - `other case`: fits, but the letters came back in another case: a server that does not keep it, or a forger who could not know it.
 * - `no edns`: a server so old that it answers a question with EDNS with FORMERR or NOTIMP and nothing else.
 * - `stranger`: a forgery, or the late answer to something else.
 */
export type Verdict = 'fits' | 'other case' | 'no edns' | 'stranger';

/** @param query as it was sent */
export function checkReply(query: Message, reply: Message): Verdict {
  if (!reply.isResponse || reply.id !== query.id || reply.opcode !== query.opcode) return 'stranger';
  const [asked] = query.questions;
  const [answered] = reply.questions;
  if (!asked) return 'stranger';
  const isOld = reply.rcode === RCODE.FORMERR || reply.rcode === RCODE.NOTIMP;
  if (!answered) return isOld && query.edns && reply.answers.length === 0 ? 'no edns' : 'stranger';
  if (reply.questions.length !== 1 || asked.type !== answered.type || asked.class !== answered.class) return 'stranger';
  if (!sameName(asked.name, answered.name)) return 'stranger';
  if (asked.name !== answered.name) return 'other case';
  return isOld && query.edns ? 'no edns' : 'fits';
}
