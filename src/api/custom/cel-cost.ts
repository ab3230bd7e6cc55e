/** The library that runs CEL counts nothing, so its tree is made to count. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { spend } from './cel-budget.ts';
import { costOfCall, costOfOperator, expression } from './cel-prices.ts';

type Evaluate = (this: Node, evaluator: unknown, node: unknown, context: unknown) => unknown;

/** A node as the library has it inside once it has been checked; its types do not say so much, and its version is pinned. */
interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly meta?: { readonly alternate?: Node };
  evaluate: Evaluate;
  handle?: (...args: unknown[]) => unknown;
}

/** Every node of the checked tree counts from now on. */
export function countCost(tree: ASTNode): void {
  visit(tree as unknown as Node);
}

function visit(value: unknown): void {
  if (Array.isArray(value)) value.forEach(visit);
  if (typeof value !== 'object' || value === null || !('op' in value && 'evaluate' in value)) return;
  const node = value as Node;
  countSteps(node);
  countWork(node);
  visit(node.args);
}

/** The library puts another function in the place of the first one when it is first called. */
function countSteps(node: Node): void {
  let inner = node.evaluate;
  const counted: Evaluate = (...args) => {
    spend(1);
    return inner.apply(node, args);
  };
  Object.defineProperty(node, 'evaluate', {
    get: () => counted,
    set(next: Evaluate) {
      inner = next;
    },
  });
}

function countWork(node: Node): void {
  const loop = node.meta?.alternate;
  if (loop?.op === 'comprehension') {
    const { handle } = loop;
    if (!handle) throw new Error('a loop that cannot be counted');
    // The keys of a map are copied before the first step.
    loop.handle = (items, ...rest) => {
      if (items instanceof Map) spend(items.size / 10);
      return handle(items, ...rest);
    };
  }
  const { handle, op } = node;
  if (!handle) return;
  if (op === 'call' || op === 'rcall') {
    const [name] = node.args as [string];
    node.handle = (args, ...rest) => {
      const values = args as unknown[];
      spend(costOfCall(name, values));
      // The library's own would be JavaScript's, which backtracks.
      const [text, pattern] = values;
      if (name === 'matches' && typeof text === 'string' && typeof pattern === 'string') {
        return expression(pattern).test(text);
      }
      const result = handle(args, ...rest);
      if (Array.isArray(result)) spend(result.length);
      return result;
    };
  } else if (Array.isArray(node.args) && op !== '.' && op !== '.?') {
    node.handle = (left, right, ...rest) => {
      spend(costOfOperator(op, left, right));
      return handle(left, right, ...rest);
    };
  }
}
