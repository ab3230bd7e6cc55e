/** Whether a write fits into a quota, and what is used afterwards. Pure; messages are Kubernetes' own. */
import { PODS, type Kind } from '../../../api/kinds.ts';
import type { ResourceList } from '../../../api/pod-resources.ts';
import { compareQuantities, formatQuantity, parseQuantity } from '../../../api/quantity.ts';
import type { KubeObject, Pod, ResourceQuota } from '../../../api/types.ts';
import { isInScope } from './scopes.ts';
import { usageOf } from './usage.ts';

export interface Change {
  readonly kind: Kind;
  readonly object: KubeObject;
  readonly old: KubeObject | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** `used` undefined: the write is nothing to this quota. */
export type Verdict = { readonly refused: string } | { readonly used: ResourceList | undefined };

/** `used` is what of the quota is taken now. */
export function checkQuota(quota: ResourceQuota, used: ResourceList, change: Change): Verdict {
  const hard = quota.spec?.hard ?? {};
  const delta = deltaOf(quota, change);
  const touched = Object.keys(delta).filter((name) => hard[name] !== undefined);
  const { name: quotaName } = quota.metadata;
  if (change.old === undefined && change.kind === PODS && isInScope(quota, PODS, change.object)) {
    const missing = missingCompute(change.object as Pod, Object.keys(hard));
    if (missing) return { refused: `failed quota: ${quotaName}: must specify ${missing}` };
  }
  if (touched.length === 0) return { used: undefined };
  const after: Record<string, string> = { ...used };
  for (const name of touched) after[name] = atLeastZero(add(used[name], delta[name]));
  const exceeded = touched
    .filter((name) => compareQuantities(delta[name], '0') > 0 && compareQuantities(after[name], hard[name]) > 0)
    .sort();
  if (exceeded.length === 0) return { used: after };
  const show = (list: ResourceList) => exceeded.map((name) => `${name}=${list[name] ?? '0'}`).join(',');
  return {
    refused: `exceeded quota: ${quotaName}, requested: ${show(delta)}, used: ${show(used)}, limited: ${show(hard)}`,
  };
}

/** What the write adds, or, negative, gives back; names that do not change are absent. */
function deltaOf(quota: ResourceQuota, { kind, object, old, now }: Change): ResourceList {
  const of = (each: KubeObject | undefined) => (each && isInScope(quota, kind, each) ? usageOf(kind, each, now) : {});
  const [after, before] = [of(object), of(old)];
  const delta: Record<string, string> = {};
  for (const name of new Set([...Object.keys(after), ...Object.keys(before)])) {
    const difference = add(after[name], negative(before[name]));
    if (compareQuantities(difference, '0') !== 0) delta[name] = difference;
  }
  return delta;
}

/** The sum of what objects use, of the resources the quota limits. */
export function totalUsage(
  quota: ResourceQuota,
  objects: Iterable<readonly [Kind, KubeObject]>,
  now: number,
): ResourceList {
  const hard = quota.spec?.hard ?? {};
  const used: Record<string, string> = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']));
  for (const [kind, object] of objects) {
    if (!isInScope(quota, kind, object)) continue;
    for (const [name, quantity] of Object.entries(usageOf(kind, object, now))) {
      if (hard[name] !== undefined) used[name] = add(used[name], quantity);
    }
  }
  return used;
}

const COMPUTE = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

/** Where cpu or memory are limited, every container must say what it needs: `limits.cpu for: a,b; memory for: a`. */
function missingCompute({ spec }: Pod, limited: readonly string[]): string | undefined {
  const missing = limited
    .filter((name) => COMPUTE.includes(name))
    .sort()
    .flatMap((name) => {
      const list = name.startsWith('limits.') ? 'limits' : 'requests';
      const resource = name.replace(/^(requests|limits)\./, '');
      const without = [...spec.containers, ...(spec.initContainers ?? [])]
        .filter(({ resources }) => resources?.[list]?.[resource] === undefined)
        .map((container) => container.name)
        .sort();
      return without.length > 0 ? [`${name} for: ${without.join(',')}`] : [];
    });
  return missing.length > 0 ? missing.join('; ') : undefined;
}

const parsed = (text: string | undefined) => (text === undefined ? undefined : parseQuantity(text));
const negative = (text: string | undefined) => (text === undefined ? undefined : `-${text}`);
const atLeastZero = (text: string) => (compareQuantities(text, '0') < 0 ? '0' : text);

/** In the format of the first that is not nothing. */
function add(a: string | undefined, b: string | undefined): string {
  const [left, right] = [parsed(a), parsed(b)];
  const format = (left && left.nanos !== 0n ? left : (right ?? left))?.format ?? 'DecimalSI';
  return formatQuantity({ nanos: (left?.nanos ?? 0n) + (right?.nanos ?? 0n), format });
}
