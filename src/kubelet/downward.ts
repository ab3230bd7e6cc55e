/** The downward API: what a pod may know of itself, by field path or by resource. Pure. */
import type { Core, Pod } from '../api/types.ts';
import type { EnvironmentContext } from './parts.ts';
import { ContainerConfigError } from './parts.ts';

export type DownwardContext = Pick<EnvironmentContext, 'nodeName' | 'hostIPs' | 'podIPs' | 'allocatable'>;

/**
 * The value of `fieldRef.fieldPath`. Throws ContainerConfigError for a path that is none. `metadata.labels` and `metadata.annotations`
 * as a whole (only volumes may ask for them) are lines of `key="value"`, sorted.
 */
export function fieldValue(pod: Pod, path: string, context: DownwardContext): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (subscript) {
    const map = subscript[1] === 'labels' ? metadata.labels : metadata.annotations;
    return map?.[subscript[2] ?? ''] ?? '';
  }
  const values: Record<string, () => string> = {
    'metadata.name': () => metadata.name,
    'metadata.namespace': () => metadata.namespace ?? '',
    'metadata.uid': () => metadata.uid ?? '',
    'metadata.labels': () => formatMap(metadata.labels),
    'metadata.annotations': () => formatMap(metadata.annotations),
    'spec.nodeName': () => spec.nodeName ?? context.nodeName,
    'spec.serviceAccountName': () => spec.serviceAccountName ?? 'default',
    'status.hostIP': () => context.hostIPs[0] ?? '',
    'status.hostIPs': () => context.hostIPs.join(','),
    'status.podIP': () => context.podIPs[0] ?? '',
    'status.podIPs': () => context.podIPs.join(','),
  };
  const value = Object.hasOwn(values, path) ? values[path] : undefined;
  if (!value) throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  return value();
}

function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/**
 * The value of `resourceFieldRef` for a container of the pod: whole units of the divisor, rounded up. A limit that is not set is what
 * the node can give. Throws ContainerConfigError.
 */
export function resourceValue(
  pod: Pod,
  container: Core.Container,
  selector: Core.ResourceFieldSelector,
  context: DownwardContext,
): string {
  const named = selector.containerName;
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const target = named ? all.find(({ name }) => name === named) : container;
  if (!target) throw new ContainerConfigError(`container ${String(named)} not found in pod`);
  const match = /^(limits|requests)\.(.+)$/.exec(selector.resource);
  const [, list, resource = ''] = match ?? [];
  const known = ['cpu', 'memory', 'ephemeral-storage'].includes(resource) || resource.startsWith('hugepages-');
  if (!known) throw new ContainerConfigError(`unsupported container resource: ${selector.resource}`);
  const { limits, requests } = target.resources ?? {};
  const quantity =
    list === 'limits'
      ? (limits?.[resource] ?? context.allocatable[resource])
      : (requests?.[resource] ?? limits?.[resource]);
  const amount = parseQuantity(quantity ?? '0');
  const divisor = parseQuantity(
    selector.divisor === undefined || /^0\D*$/.test(selector.divisor) ? '1' : selector.divisor,
  );
  if (amount === undefined || divisor === undefined || divisor === 0n) {
    throw new ContainerConfigError(`cannot divide ${String(quantity)} by ${String(selector.divisor)}`);
  }
  return String((amount + divisor - 1n) / divisor);
}

const suffixes: Record<string, bigint> = {
  n: 1n,
  u: 1000n,
  m: 1_000_000n,
  '': 10n ** 9n,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  P: 10n ** 24n,
  E: 10n ** 27n,
  Ki: 1024n * 10n ** 9n,
  Mi: 1024n ** 2n * 10n ** 9n,
  Gi: 1024n ** 3n * 10n ** 9n,
  Ti: 1024n ** 4n * 10n ** 9n,
  Pi: 1024n ** 5n * 10n ** 9n,
  Ei: 1024n ** 6n * 10n ** 9n,
};

/** A quantity in billionths, rounded up: exact for every unit Kubernetes has. undefined where the text is none. */
export function parseQuantity(text: string): bigint | undefined {
  const match = /^\+?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text);
  if (!match) return undefined;
  const [, whole = '', fraction = '', exponent, suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const unit = suffixes[suffix];
  if (unit === undefined) return undefined;
  const digits = BigInt(whole + fraction) * unit;
  const shift = Number(exponent ?? 0) - fraction.length;
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const down = 10n ** BigInt(-shift);
  return (digits + down - 1n) / down;
}
