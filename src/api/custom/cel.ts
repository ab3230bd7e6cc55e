/**
 * CEL, the language of `x-kubernetes-validations`: from the text of a rule to something that can be run. The library is loaded when the first
 * rule is met, because most servers never see one.
 */
import { createRequire } from 'node:module';
import type * as CelModule from '@marcbachmann/cel-js';
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { metered, OBJECT_LIMIT, type Budget } from './cel-budget.ts';
import { countCost } from './cel-cost.ts';
import { registerLibrary } from './cel-library.ts';

type Cel = typeof CelModule;

export interface Rule {
  /** @throws Error where the rule cannot be answered for these values; CostExceeded where that takes more than one call may, or is left */
  run(self: unknown, oldSelf: unknown, budget?: Budget): unknown;
  /** It compares with what was there before. */
  readonly usesOldSelf: boolean;
}

export type Compiled =
  | { readonly rule: Rule }
  /** `supported`: it is wrong; else it may be right and uses something that is not known here. */
  | { readonly problem: string; readonly supported: boolean };

/** After this many rules all are forgotten. */
const MOST = 2000;
const known = new Map<string, Compiled>();
let loaded: { environment: Environment; cel: Cel } | undefined;

function load(): { environment: Environment; cel: Cel } {
  if (!loaded) {
    const cel = createRequire(import.meta.url)('@marcbachmann/cel-js') as Cel;
    const environment = new cel.Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false });
    environment.registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn');
    registerLibrary(environment);
    loaded = { environment, cel };
  }
  return loaded;
}

/** CEL's own optional, for rules that say they take one. */
export function optional(value: { readonly value: unknown } | undefined): unknown {
  const { Optional } = load().cel;
  return value ? Optional.of(value.value) : Optional.none();
}

export function compileRule(text: string): Compiled {
  const present = known.get(text);
  if (present) return present;
  if (known.size >= MOST) known.clear();
  const made = compile(text);
  known.set(text, made);
  return made;
}

const firstLine = (text: string): string => text.split('\n')[0] ?? '';

function compile(text: string): Compiled {
  const { environment } = load();
  try {
    const parsed = environment.parse(text);
    const { valid, error } = parsed.check();
    if (!valid) {
      const problem = firstLine(error?.message ?? 'it does not check');
      return { problem, supported: !isLack(problem, text) };
    }
    countCost(parsed.ast);
    const run = (self: unknown, oldSelf: unknown, budget: Budget = { left: OBJECT_LIMIT }): unknown =>
      metered(budget, () => parsed({ self, oldSelf }) as unknown);
    return { rule: { run, usesOldSelf: usesOldSelf(parsed.ast) } };
  } catch (error) {
    return {
      problem: `Syntax error: ${firstLine(error instanceof Error ? error.message : String(error))}`,
      supported: true,
    };
  }
}

/** Functions, macros over two variables and the `format` namespace of Kubernetes that are not here. */
function isLack(problem: string, text: string): boolean {
  if (problem.includes('no matching overload') || problem === 'Unknown variable: format') return true;
  return problem.startsWith('Unknown variable') && /\.\w+\(\s*\w+\s*,\s*\w+\s*,/.test(text);
}

/** Goes through the tree of an expression, whose nodes hold nodes and lists of them. */
function usesOldSelf(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if (Array.isArray(node)) return node.some(usesOldSelf);
  const { op, args } = node as ASTNode;
  return (op === 'id' && args === 'oldSelf') || usesOldSelf(args);
}
