/** Plan -> iptables rules as data: the chains tutorials show, in the order and with the comments people know (3-032..3-071). */
import { isDeepStrictEqual } from 'node:util';
import type { Plan, PlanOptions, ServicePort } from '../plan/types.ts';
import { compileService, type CompiledService, type Context } from './compile-service.ts';
import { ALL_FEATURES, type Features } from './features.ts';
import * as names from './names.ts';
import { ruleText } from './render.ts';
import { rule, type Chain, type Rule, type RuleSet, type TableName } from './rule-set.ts';
import { SpelledChain } from './spelled-chain.ts';
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

export function compile(plan: Plan, features: Features = ALL_FEATURES): RuleSet {
  const frame = frameOf(plan, features);
  return assemble(
    frame,
    plan.servicePorts.map((service) => compilePort(service, frame)),
  );
}

/** The parts of a compiled Service that stand in chains all share. */
export type Part = Exclude<keyof CompiledService, 'chains'>;

/** What one ServicePort has in the chains all share, as text. */
export type SharedRules = Readonly<Record<Part, readonly string[]>>;

/** The rules of one ServicePort. */
export interface CompiledPort {
  readonly shared: SharedRules;
  /** nat: the chains that exist only for this port. */
  readonly chains: readonly Chain[];
}

/** The rules of one ServicePort. Throws Error when they jump where nothing is: our own mistake. */
export function compilePort(service: ServicePort, { options, context }: Frame): CompiledPort {
  const compiled = compileService(service, options, context);
  assertStandsAlone(compiled);
  return {
    chains: compiled.chains,
    shared: {
      natServices: texts(compiled.natServices),
      natNodePorts: texts(compiled.natNodePorts),
      filterServices: texts(compiled.filterServices),
      filterExternal: texts(compiled.filterExternal),
      filterNodePorts: texts(compiled.filterNodePorts),
      filterFirewall: texts(compiled.filterFirewall),
    },
  };
}

/** As text, to be kept. */
export const spell = (chain: Chain): SpelledChain => new SpelledChain(chain.name, texts(chain.rules));

/** One for all: what a Service has in shared chains is kept, and most of it is nothing. */
const NO_TEXTS: readonly string[] = [];
const texts = (rules: readonly Rule[]): readonly string[] => (rules.length === 0 ? NO_TEXTS : rules.map(ruleText));

function assertStandsAlone({ chains, natServices, natNodePorts }: CompiledService): void {
  const shared = [
    { name: names.SERVICES, rules: natServices },
    { name: names.NODE_PORTS, rules: natNodePorts },
  ];
  assertComplete([...chains, ...shared], [names.MARK_MASQ]);
}

/** Whether the same ServicePort becomes the same rules under both. */
export function isSameFrame(a: Frame, b: Frame): boolean {
  return a.options === b.options && a.features === b.features && isDeepStrictEqual(a.context, b.context);
}

/** The chains all Services share, and whose part stands where. */
export const SHARED: readonly { readonly table: TableName; readonly chain: string; readonly part: Part }[] = [
  { table: 'filter', chain: names.SERVICES, part: 'filterServices' },
  { table: 'filter', chain: names.EXTERNAL_SERVICES, part: 'filterExternal' },
  { table: 'filter', chain: names.NODE_PORTS, part: 'filterNodePorts' },
  { table: 'filter', chain: names.PROXY_FIREWALL, part: 'filterFirewall' },
  { table: 'nat', chain: names.SERVICES, part: 'natServices' },
  { table: 'nat', chain: names.NODE_PORTS, part: 'natNodePorts' },
];

/** Everything, given the rules of each ServicePort in order. */
export function assemble(frame: Frame, all: readonly CompiledPort[]): RuleSet {
  const shared = assembleShared(
    frame,
    all.map((one) => one.shared),
  );
  const { mangle, filter, nat } = shared.tables;
  return { ...shared, tables: { mangle, filter, nat: [...nat, ...all.flatMap((one) => one.chains.map(spell))] } };
}

/** All but the chains that exist only for one ServicePort. */
export function assembleShared({ options, context, features }: Frame, all: readonly SharedRules[]): RuleSet {
  const shared = (name: string, part: Part, last: readonly Rule[] = []): Chain =>
    new SpelledChain(name, [...all.flatMap((one) => one[part]), ...last.map(ruleText)]);
  const filter: Chain[] = [
    shared(names.SERVICES, 'filterServices'),
    shared(names.EXTERNAL_SERVICES, 'filterExternal'),
    { name: names.FORWARD, rules: topLevel.forwardRules(options) },
    shared(names.NODE_PORTS, 'filterNodePorts'),
    shared(names.PROXY_FIREWALL, 'filterFirewall'),
    ...(topLevel.guardsLocalhost(options) ? [{ name: names.FIREWALL, rules: [topLevel.localnetRule] }] : []),
    { name: names.CANARY, rules: [] },
  ];
  const nat: Chain[] = [
    shared(names.SERVICES, 'natServices', topLevel.nodePortEntries(context.nodePortDestinations)),
    shared(names.NODE_PORTS, 'natNodePorts'),
    { name: names.POSTROUTING, rules: topLevel.postroutingRules(options, features.randomFully) },
    { name: names.MARK_MASQ, rules: [rule([], { kind: 'MARK', op: 'or', bits: topLevel.bitOf(options) })] },
    { name: names.CANARY, rules: [] },
  ];
  const mangle: Chain[] = [{ name: names.CANARY, rules: [] }];
  return { family: options.family, tables: { mangle, filter, nat }, jumps: topLevel.jumpsOf(options) };
}

/** A restore with a rule that jumps nowhere fails for all (trap T6). */
function assertComplete(chains: readonly Chain[], known: readonly string[]): void {
  const there = new Set([...known, ...chains.map((chain) => chain.name)]);
  for (const { name, rules } of chains) {
    for (const { target } of rules) {
      if (target.kind !== 'jump' || there.has(target.chain)) continue;
      throw new Error(`a rule jumps to a chain that does not exist: nat ${name} -> ${target.chain}`);
    }
  }
}
