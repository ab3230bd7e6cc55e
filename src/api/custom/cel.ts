/**
 * CEL, the language of `x-kubernetes-validations`: from the text of a rule to something that can be run. The library is loaded when the first
 * rule is met, because most servers never see one.
 */
import { createRequire } from 'node:module';
import type * as CelModule from '@marcbachmann/cel-js';
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { registerLibrary } from './cel-library.ts';
import { guardRegularExpressions } from './patterns.ts';

type Cel = typeof CelModule;

export interface Rule {
  /** Throws an Error where the rule cannot be answered for these values. */
  run(self: unknown, oldSelf: unknown): unknown;
  /** It compares with what was there before. */
  readonly usesOldSelf: boolean;
  /** How deep loops over lists and maps are nested: what a run costs grows with that power of the length of what they go through. */
  readonly loops: number;
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
    guardRegularExpressions();
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
    const found = look(parsed.ast, 0);
    const run = (self: unknown, oldSelf: unknown): unknown => parsed({ self, oldSelf });
    return { rule: { run, ...found } };
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

const macros: readonly unknown[] = [
  'all',
  'exists',
  'exists_one',
  'existsOne',
  'map',
  'filter',
  'transformList',
  'transformMap',
];

/** Goes through the tree of an expression, whose nodes hold nodes and lists of them. */
function look(node: unknown, depth: number): { usesOldSelf: boolean; loops: number } {
  if (typeof node !== 'object' || node === null) return { usesOldSelf: false, loops: depth };
  if (Array.isArray(node))
    return node.map((each) => look(each, depth)).reduce(joined, { usesOldSelf: false, loops: depth });
  const { op, args } = node as ASTNode;
  const isLoop = op === 'rcall' && macros.includes(args[0]);
  const own = { usesOldSelf: op === 'id' && args === 'oldSelf', loops: depth };
  return joined(own, look(args, isLoop ? depth + 1 : depth));
}

const joined = (a: { usesOldSelf: boolean; loops: number }, b: typeof a): typeof a => ({
  usesOldSelf: a.usesOldSelf || b.usesOldSelf,
  loops: Math.max(a.loops, b.loops),
});
