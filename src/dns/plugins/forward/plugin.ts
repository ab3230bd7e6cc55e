/** `forward FROM TO...`: names of the rest of the world, from other servers. */
import { readFileSync } from 'node:fs';
import type { Directive } from '../../corefile/directive.ts';
import { expectArgs, expectNumber, readOptions, refuse } from '../../corefile/option.ts';
import { formatIp, parseIp } from '../../../lib/ip.ts';
import type { Block, Handler, Plugin, Runtime } from '../../plugin.ts';
import { RCODE, replyTo } from '../../wire/message.ts';
import { createForwarder, type Forwarder } from './forward.ts';
import { parseUpstreams, type Upstream } from './upstreams.ts';

export const forwardPlugin: Plugin = {
  name: 'forward',
  setup([directive, second], block) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    const { upstreams, maxConcurrent } = parseForward(directive, block);
    const forwarder = createForwarder({ upstreams, ...(maxConcurrent > 0 && { maxConcurrent }) });
    return { recurses: upstreams.length > 0, wrap: () => relay(forwarder, upstreams.length > 0) };
  },
};

function parseForward(directive: Directive, { runtime }: Block): { upstreams: Upstream[]; maxConcurrent: number } {
  const [from, ...to] = expectArgs(directive, 2, Infinity, 'a zone and addresses');
  if (from !== '.') refuse(directive, `expected ".", found "${from ?? ''}"`);
  let maxConcurrent = 0;
  readOptions(directive, {
    max_concurrent: (option) => void (maxConcurrent = expectNumber(option, option.args[0], 0, 1_000_000)),
  });
  return { upstreams: to.flatMap((text) => upstreamsOf(text, directive, runtime)), maxConcurrent };
}

function upstreamsOf(text: string, directive: Directive, runtime: Runtime): Upstream[] {
  const ip = parseIp(text);
  if (ip) return [{ address: formatIp(ip), port: 53 }];
  if (!text.startsWith('/'))
    refuse(directive, `expected an address or a file such as /etc/resolv.conf, found "${text}"`);
  const file = text === '/etc/resolv.conf' ? runtime.resolvConf : text;
  try {
    return parseUpstreams(readFileSync(file, 'utf8'), runtime.ownAddresses);
  } catch (error) {
    runtime.log.warn({ err: error, file }, 'cannot read upstream servers: names outside the cluster will not resolve');
    return [];
  }
}

/** With nobody to ask about it an address that nothing in the cluster has, has no name; other names fail. */
export function relay(forwarder: Forwarder, hasUpstreams: boolean): Handler {
  return async ({ message, question }) => {
    if (!hasUpstreams && question.name.toLowerCase().endsWith('.arpa.')) {
      return { message: replyTo(message, RCODE.NXDOMAIN), from: 'forward', transient: true };
    }
    const reply = await forwarder.ask(question);
    if (!('answers' in reply)) return { message: replyTo(message, reply.rcode), from: 'forward', transient: true };
    const { rcode, answers, authorities, additionals, truncated } = reply;
    return { message: { ...replyTo(message, rcode), truncated, answers, authorities, additionals }, from: 'forward' };
  };
}
