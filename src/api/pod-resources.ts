/** What all containers of a Pod ask for together, as quantities: for limits and quotas, whose messages show them. */
import { isRestartableInit } from './pods.ts';
import { addQuantities, compareQuantities } from './quantity.ts';
import type { Core } from './types.ts';

/** Resource name -> quantity. */
export type ResourceList = Readonly<Record<string, string>>;

/**
 * Sidecars run beside everything; other init containers run one by one before the rest, so of them only the largest counts.
 * Resources nobody names are absent.
 */
export function podResources(spec: Core.PodSpec, of: 'requests' | 'limits'): ResourceList {
  const listOf = (container: Core.Container): ResourceList => container.resources?.[of] ?? {};
  const inits = spec.initContainers ?? [];
  const sidecars = sumResources(inits.filter(isRestartableInit).map(listOf));
  const running = sumResources([sidecars, ...spec.containers.map(listOf)]);
  const starting = inits
    .filter((each) => !isRestartableInit(each))
    .map((each) => sumResources([sidecars, listOf(each)]));
  return sumResources([[running, ...starting].reduce(larger), overheadOf(spec, of, running)]);
}

/** Overhead counts towards requests, and towards a limit where there is one. */
function overheadOf({ overhead = {} }: Core.PodSpec, of: 'requests' | 'limits', running: ResourceList): ResourceList {
  if (of === 'requests') return overhead;
  return Object.fromEntries(Object.entries(overhead).filter(([name]) => running[name] !== undefined));
}

export function sumResources(lists: readonly ResourceList[]): ResourceList {
  const sum: Record<string, string> = {};
  for (const list of lists) {
    for (const [name, quantity] of Object.entries(list)) {
      const before = sum[name];
      sum[name] = before === undefined ? quantity : addQuantities(before, quantity);
    }
  }
  return sum;
}

function larger(a: ResourceList, b: ResourceList): ResourceList {
  const all: Record<string, string> = { ...a };
  for (const [name, quantity] of Object.entries(b)) {
    const before = all[name];
    if (before === undefined || compareQuantities(quantity, before) > 0) all[name] = quantity;
  }
  return all;
}
