/** `loadbalance`: aliases first and in their order, addresses and mail exchangers behind them in any order (feature 4-054). */
import { expectArgs, expectNoBody, refuse } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';
import { TYPE, type Record } from '../wire/message.ts';

export const loadbalancePlugin: Plugin = {
  name: 'loadbalance',
  setup([directive, second], { runtime }) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    const [policy = 'round_robin'] = expectArgs(directive, 0, 1, 'a policy');
    if (policy !== 'round_robin') refuse(directive, `policy ${policy} is not served by Fairway, round_robin is`);
    expectNoBody(directive);
    return {
      transparent: true,
      wrap: (next) => async (query) => {
        const reply = await next(query);
        if (!reply || reply.message.answers.length < 2) return reply;
        const answers = roundRobin(reply.message.answers, runtime.random);
        return { ...reply, message: { ...reply.message, answers } };
      },
    };
  },
};

/** @param random 0 to 1, exclusive */
export function roundRobin(records: readonly Record[], random: () => number): Record[] {
  const kindOf = ({ type, ...rest }: Record) => (type === 'other' && 'code' in rest ? rest.code : type);
  const aliases = records.filter((record) => kindOf(record) === TYPE.CNAME);
  const addresses = records.filter(({ type }) => type === TYPE.A || type === TYPE.AAAA);
  const exchangers = records.filter((record) => kindOf(record) === TYPE.MX);
  const others = records.filter((record) => ![...aliases, ...addresses, ...exchangers].includes(record));
  return [...aliases, ...others, ...shuffle(addresses, random), ...shuffle(exchangers, random)];
}

/** Fisher and Yates. */
function shuffle<T>(list: readonly T[], random: () => number): T[] {
  const shuffled = [...list];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [shuffled[last], shuffled[other]];
    if (a !== undefined && b !== undefined) [shuffled[last], shuffled[other]] = [b, a];
  }
  return shuffled;
}
