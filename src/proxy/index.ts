/** The pure face of the proxy: Services to a Plan, a Plan to rules, rules to where a packet goes. */
export { decide, type Decision } from './plan/decide.ts';
export type { Packet } from './plan/packet.ts';
export { createPlanner, plan } from './plan/plan.ts';
export * from './plan/types.ts';
export { compile } from './iptables/compile.ts';
export { endpointChain, serviceChain } from './iptables/names.ts';
export { parse, type Tables } from './iptables/parse.ts';
export { render } from './iptables/render.ts';
export type { RuleSet } from './iptables/rule-set.ts';
export { trace, UnknownRuleError, type TraceMachine, type TraceOutcome, type TraceStep } from './iptables/trace.ts';
export { planOptionsOf } from './options.ts';
