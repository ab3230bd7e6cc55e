/** Plan -> iptables rules as data: the chains tutorials show, in the order and with the comments people know (3-032..3-071). */
import type { Plan, PlanOptions, ServicePort } from '../plan/types.ts';
import { compileService, type CompiledService, type Context } from './compile-service.ts';
import { ALL_FEATURES, type Features } from './features.ts';
import * as names from './names.ts';
import { rule, type Chain, type Rule, type RuleSet, type TableName } from './rule-set.ts';
import * as topLevel from './top-level.ts';

/** Above this many endpoints, all Services together, endpoint rules lose their comments (3-053). */
export const LARGE_CLUSTER_ENDPOINTS = 1000;

/** What of the Plan all Services have in common: under the same frame, the same ServicePort becomes the same rules. */
export interface Frame {
  readonly options: PlanOptions;
  readonly context: Context;
  readonly features: Features;
}

export const isLarge = (endpoints: number): boolean => endpoints > LARGE_CLUSTER_ENDPOINTS;
export const countEndpoints = (ports: readonly ServicePort[]): number =>
  ports.reduce((sum, port) => sum + port.servingAddresses.length, 0);

export function frameOf(plan: Plan, features: Features): Frame {
  const context = {
    endpointComments: !isLarge(countEndpoints(plan.servicePorts)),
    nodePortDestinations: topLevel.nodePortDestinations(plan),
  };
  return { options: plan.options, context, features };
}

/** Pure. ServicePorts seen before in the same frame are remembered by identity, so a large Plan with one change is cheap. */
export function compile(plan: Plan, features: Features = ALL_FEATURES): RuleSet {
  const frame = frameOf(plan, features);
  return assemble(
    frame,
    plan.servicePorts.map((service) => compilePort(service, frame)),
  );
}

const memory = new WeakMap<ServicePort, { options: PlanOptions; key: string; compiled: CompiledService }>();

/** The rules of one ServicePort. */
export function compilePort(service: ServicePort, { options, context }: Frame): CompiledService {
  const key = keyOf(context);
  const known = memory.get(service);
  if (known?.options === options && known.key === key) return known.compiled;
  const compiled = compileService(service, options, context);
  memory.set(service, { options, key, compiled });
  return compiled;
}

const keys = new WeakMap<Context, string>();

/** Equal for contexts that are. */
function keyOf(context: Context): string {
  let key = keys.get(context);
  if (key === undefined) {
    key = JSON.stringify(context);
    keys.set(context, key);
  }
  return key;
}

/** The parts of a compiled Service that stand in chains all share. */
export type Part = Exclude<keyof CompiledService, 'chains'>;

/** Those chains, and whose part stands where. */
export const SHARED: readonly { readonly table: TableName; readonly chain: string; readonly part: Part }[] = [
  { table: 'filter', chain: names.SERVICES, part: 'filterServices' },
  { table: 'filter', chain: names.EXTERNAL_SERVICES, part: 'filterExternal' },
  { table: 'filter', chain: names.NODE_PORTS, part: 'filterNodePorts' },
  { table: 'filter', chain: names.PROXY_FIREWALL, part: 'filterFirewall' },
  { table: 'nat', chain: names.SERVICES, part: 'natServices' },
  { table: 'nat', chain: names.NODE_PORTS, part: 'natNodePorts' },
];

/** Everything, given the rules of each ServicePort in order. */
export function assemble({ options, context, features }: Frame, all: readonly CompiledService[]): RuleSet {
  const join = (part: Part): readonly Rule[] => all.flatMap((one) => one[part]);
  const filter: Chain[] = [
    { name: names.SERVICES, rules: join('filterServices') },
    { name: names.EXTERNAL_SERVICES, rules: join('filterExternal') },
    { name: names.FORWARD, rules: topLevel.forwardRules(options) },
    { name: names.NODE_PORTS, rules: join('filterNodePorts') },
    { name: names.PROXY_FIREWALL, rules: join('filterFirewall') },
    ...(topLevel.guardsLocalhost(options) ? [{ name: names.FIREWALL, rules: [topLevel.localnetRule] }] : []),
    { name: names.CANARY, rules: [] },
  ];
  const nat: Chain[] = [
    {
      name: names.SERVICES,
      rules: [...join('natServices'), ...topLevel.nodePortEntries(context.nodePortDestinations)],
    },
    { name: names.NODE_PORTS, rules: join('natNodePorts') },
    { name: names.POSTROUTING, rules: topLevel.postroutingRules(options, features.randomFully) },
    { name: names.MARK_MASQ, rules: [rule([], { kind: 'MARK', op: 'or', bits: topLevel.bitOf(options) })] },
    { name: names.CANARY, rules: [] },
    ...all.flatMap((one) => one.chains),
  ];
  const mangle: Chain[] = [{ name: names.CANARY, rules: [] }];
  return { family: options.family, tables: { mangle, filter, nat }, jumps: topLevel.jumpsOf(options) };
}
