/** The pure face of the proxy: Services to a Plan, a Plan to rules, rules to where a packet goes. */
export { decide, type Decision } from './plan/decide.ts';
export type { Packet } from './plan/packet.ts';
export { plan } from './plan/plan.ts';
export { Planner } from './plan/planner.ts';
export * from './plan/types.ts';
export { compile } from './iptables/compile.ts';
export { endpointChain, serviceChain } from './iptables/names.ts';
export { parse, type Tables } from './iptables/parse.ts';
export { render } from './iptables/render.ts';
export type { RuleSet } from './iptables/rule-set.ts';
export { trace, type TraceMachine } from './iptables/trace.ts';
export type { Mode } from './mode.ts';
export { MODES } from './modes.ts';
export { UnknownRuleError, type TraceOutcome, type TraceStep } from './trace-outcome.ts';
export { planOptionsOf } from './options.ts';
