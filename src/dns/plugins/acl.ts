/** `acl [ZONES...]`: who may ask for what. The first rule that fits decides; where none does, all may. */
import { cidrContains, parseNetwork, type Cidr } from '../../lib/cidr.ts';
import { parseIp, type Ip } from '../../lib/ip.ts';
import { Value } from '../../lib/prometheus.ts';
import { CorefileError } from '../corefile/corefile-error.ts';
import type { Directive } from '../corefile/directive.ts';
import type { Block, Plugin, Query, Reply } from '../plugin.ts';
import { RCODE, replyTo } from '../wire/message.ts';
import { parseType } from '../wire/record-text.ts';
import { longestZone, zoneArgs } from '../routing/zone-list.ts';

const ACTIONS = ['allow', 'block', 'filter', 'drop'] as const;
type Action = (typeof ACTIONS)[number];

export interface AclPolicy {
  readonly action: Action;
  /** Undefined: all. */
  readonly types?: ReadonlySet<number>;
  /** Undefined: all. */
  readonly networks?: readonly Cidr[];
}

interface AclRule {
  readonly zones: readonly string[];
  readonly policies: readonly AclPolicy[];
}

export const aclPlugin: Plugin = {
  name: 'acl',
  setup(directives, block) {
    const rules = directives.map((directive): AclRule => ({
      zones: zoneArgs(directive, directive.args, block.zones),
      policies: (directive.body ?? []).map(parsePolicy),
    }));
    const count = countersOf(block);
    return {
      wrap: (next) => (query) => {
        const { action, zone } = decide(rules, query);
        count(action, zone);
        if (action === 'allow') return next(query);
        return action === 'drop' ? undefined : answered(query, action);
      },
    };
  },
};

function decide(rules: readonly AclRule[], { question, asker }: Query): { action: Action; zone: string } {
  const ip = parseIp(asker.address);
  for (const { zones, policies } of rules) {
    const zone = longestZone(zones, question.name);
    if (zone === undefined) continue;
    const policy = policies.find((each) => fits(each, question.type, ip));
    if (policy) return { action: policy.action, zone };
  }
  return { action: 'allow', zone: '' };
}

const fits = ({ types, networks }: AclPolicy, type: number, ip: Ip | undefined): boolean =>
  (types?.has(type) ?? true) && (networks?.some((network) => ip !== undefined && cidrContains(network, ip)) ?? true);

function answered({ message }: Query, action: 'block' | 'filter'): Reply {
  const reply = replyTo(message, action === 'block' ? RCODE.REFUSED : RCODE.NOERROR);
  const [code, text] = action === 'block' ? [15, 'Blocked'] : [17, 'Filtered'];
  const options = [{ code: 15, bytes: Buffer.concat([Buffer.of(0, code), Buffer.from(text)]) }];
  return {
    message: { ...reply, ...(message.edns && { edns: { ...message.edns, options } }) },
    from: 'acl',
    transient: true,
  };
}

function countersOf({ runtime: { metrics }, server }: Block): (action: Action, zone: string) => void {
  const counter = (name: string, help: string) =>
    metrics.add(new Value('counter', `coredns_acl_${name}_requests_total`, help, []));
  const counters: Record<Action, Value> = {
    allow: counter('allowed', 'Questions that were allowed.'),
    block: counter('blocked', 'Questions that were refused.'),
    filter: counter('filtered', 'Questions that were answered with nothing.'),
    drop: counter('dropped', 'Questions that were not answered.'),
  };
  return (action, zone) => {
    counters[action].add(1, action === 'allow' ? { server, view: '' } : { server, zone, view: '' });
  };
}

/** `ACTION [type TYPE...] [net SOURCE...]`. @throws CorefileError */
function parsePolicy({ name, args, place }: Directive): AclPolicy {
  const action = ACTIONS.find((each) => each === name);
  if (!action) throw new CorefileError(place, `acl: unknown action "${name}", there are ${ACTIONS.join(', ')}`);
  const lists = { type: undefined as string[] | undefined, net: undefined as string[] | undefined };
  let current: string[] | undefined;
  for (const arg of args) {
    if (arg === 'type' || arg === 'net') current = lists[arg] ??= [];
    else if (current) current.push(arg);
    else throw new CorefileError(place, `acl: expected type or net, found "${arg}"`);
  }
  const types = lists.type?.includes('*') ? undefined : lists.type?.map((text) => typeOf(text, place));
  const networks = lists.net?.includes('*') ? undefined : lists.net?.map((text) => networkOf(text, place));
  if (types?.length === 0 || networks?.length === 0) {
    throw new CorefileError(place, 'acl: expected something behind type and net, or *');
  }
  return { action, ...(types && { types: new Set(types) }), ...(networks && { networks }) };
}

function typeOf(text: string, place: Directive['place']): number {
  const type = parseType(text);
  if (type === undefined) throw new CorefileError(place, `acl: "${text}" is no type of records`);
  return type;
}

function networkOf(text: string, place: Directive['place']): Cidr {
  const ip = parseIp(text);
  const network = ip
    ? { family: ip.family, base: ip.value, bits: ip.family === 'IPv4' ? 32 : 128 }
    : parseNetwork(text);
  if (!network) throw new CorefileError(place, `acl: expected an address or network, found "${text}"`);
  return network;
}
