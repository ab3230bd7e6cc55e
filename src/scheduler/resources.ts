/** What a Pod asks for and a Node has: cpu in thousandths of a core, everything else in its own unit (bytes, pieces). Pure. */
import { parseQuantity } from '../api/quantity.ts';
import type { Core, Node, Pod } from '../api/types.ts';

export type Resources = ReadonlyMap<string, number>;

function toResources(quantities: Record<string, string> | undefined): Map<string, number> {
  const result = new Map<string, number>();
  for (const [name, text] of Object.entries(quantities ?? {})) {
    // What the API server has let in is well formed. Numbers reach it where a manifest wrote `cpu: 1`.
    const nanos = parseQuantity(String(text))?.nanos ?? 0n;
    const unit = name === 'cpu' ? 1_000_000n : 1_000_000_000n;
    result.set(name, Number((nanos + unit - 1n) / unit));
  }
  return result;
}

function add(sum: Map<string, number>, more: Resources): void {
  for (const [name, value] of more) sum.set(name, (sum.get(name) ?? 0) + value);
}

function atLeast(floor: Map<string, number>, other: Resources): void {
  for (const [name, value] of other) floor.set(name, Math.max(floor.get(name) ?? 0, value));
}

/** A container that names a limit and no request asks for its limit. */
function requestsOf(container: Core.Container): Map<string, number> {
  const { limits, requests } = container.resources ?? {};
  return toResources({ ...limits, ...requests });
}

const known = new WeakMap<Pod, Resources>();

/**
 * The most a Pod needs at any moment: its containers and sidecars together, or one init container beside the sidecars started before it,
 * plus overhead. Counted once per Pod object.
 */
export function podRequests(pod: Pod): Resources {
  const before = known.get(pod);
  if (before) return before;
  const sidecars = new Map<string, number>();
  const starting = new Map<string, number>();
  for (const container of pod.spec.initContainers ?? []) {
    const moment = new Map(sidecars);
    add(moment, requestsOf(container));
    atLeast(starting, moment);
    if (container.restartPolicy === 'Always') add(sidecars, requestsOf(container));
  }
  const total = sidecars;
  for (const container of pod.spec.containers) add(total, requestsOf(container));
  atLeast(total, starting);
  add(total, toResources(pod.spec.overhead));
  known.set(pod, total);
  return total;
}

/** What a Node can give to Pods. */
export function allocatable(node: Node): Resources {
  return toResources(node.status?.allocatable ?? node.status?.capacity);
}
