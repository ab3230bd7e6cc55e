/**
 * Packs endpoints into EndpointSlices with as few writes as possible: what can stay stays where it is, changed slices are filled first,
 * and slices are never rebalanced (features 2-053 to 2-060). Pure; used for Pods behind Services and for mirrored Endpoints.
 */
import type { Discovery, EndpointSlice, ObjectMeta } from '../api/types.ts';
import type { Family } from '../lib/ip.ts';
import { sortByIp } from './ip-order.ts';
import type { ResolvedPort } from './service-pods.ts';

/** An endpoint with the hints of feature 2-067, which the published types do not have yet. */
export type Endpoint = Omit<Discovery.Endpoint, 'hints'> & {
  hints?: Discovery.EndpointHints & { forNodes?: { name: string }[] };
};

/** Endpoints of one address family that share all ports. */
export interface SliceGroup {
  readonly addressType: Family;
  readonly ports: readonly ResolvedPort[];
  readonly endpoints: Endpoint[];
}

export interface SliceFrame {
  /** Families to have slices for; each gets at least one slice, an empty one if need be (2-056), unless `placeholder` is false. */
  readonly addressTypes: readonly Family[];
  readonly placeholder: boolean;
  /** Most endpoints per slice. */
  readonly max: number;
  /** Name prefix, namespace, labels, annotations and owner of new slices; labels and annotations are kept the same on the old ones. */
  readonly generateName: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
  /** Undefined: annotations of existing slices are left alone. */
  readonly annotations?: Record<string, string>;
  readonly ownerReferences: NonNullable<ObjectMeta['ownerReferences']>;
  /** A not-ready endpoint keeps the hints it had (2-066). */
  readonly keepHintsOfNotReady: boolean;
}

export interface SlicePlan {
  readonly create: EndpointSlice[];
  readonly update: EndpointSlice[];
  readonly remove: EndpointSlice[];
}

/** A slice to be written: the old one it came from, if any, and its new content. */
interface Draft {
  readonly from: EndpointSlice | undefined;
  readonly endpoints: Endpoint[];
  changed: boolean;
}

interface Work {
  readonly frame: SliceFrame;
  readonly create: { group: SliceGroup; endpoints: Endpoint[] }[];
  readonly update: EndpointSlice[];
  readonly remove: EndpointSlice[];
  unchanged: number;
}

/** `existing`: all slices of this manager for this Service. Those of families no longer wanted go. */
export function planSlices(
  existing: readonly EndpointSlice[],
  groups: readonly SliceGroup[],
  frame: SliceFrame,
): SlicePlan {
  const plans = frame.addressTypes.map((family) =>
    planFamily(
      existing.filter(({ addressType }) => addressType === family),
      groups.filter(({ addressType, endpoints }) => addressType === family && endpoints.length > 0),
      family,
      frame,
    ),
  );
  const dropped = existing.filter(({ addressType }) => !frame.addressTypes.some((family) => family === addressType));
  return {
    create: plans.flatMap(({ create }) => create),
    update: plans.flatMap(({ update }) => update),
    remove: [...plans.flatMap(({ remove }) => remove), ...dropped],
  };
}

function planFamily(
  existing: readonly EndpointSlice[],
  groups: readonly SliceGroup[],
  family: Family,
  frame: SliceFrame,
): SlicePlan {
  const work: Work = { frame, create: [], update: [], remove: [], unchanged: 0 };
  const byPorts = new Map(groups.map((group) => [portsKey(group.ports), group]));
  const slicesByPorts = new Map<string, EndpointSlice[]>();
  const strays: EndpointSlice[] = [];
  for (const slice of existing) {
    const key = portsKey(slice.ports ?? []);
    if (!byPorts.has(key) || !isOwned(slice, frame)) strays.push(slice);
    else slicesByPorts.set(key, [...(slicesByPorts.get(key) ?? []), slice]);
  }
  for (const [key, group] of byPorts) planGroup(group, slicesByPorts.get(key) ?? [], work);
  const empty = work.create.length + work.update.length + work.unchanged === 0;
  if (empty && frame.placeholder) {
    const group: SliceGroup = { addressType: family, ports: [], endpoints: [] };
    const kept = strays.findIndex((slice) => isOwned(slice, frame) && isEmpty(slice));
    const [slice] = kept < 0 ? [] : strays.splice(kept, 1);
    if (slice) writeBack({ from: slice, endpoints: [], changed: false }, group, work);
    else work.create.push({ group, endpoints: [] });
  }
  work.remove.push(...strays);
  return recycle(work);
}

/** Optional on the wire since 1.36, whatever the type says. */
const endpointsOf = (slice: EndpointSlice) => (slice.endpoints as Endpoint[] | null | undefined) ?? [];

const isEmpty = (slice: EndpointSlice) => endpointsOf(slice).length === 0 && (slice.ports ?? []).length === 0;

/** Ours by label, but controlled by an earlier Service of the same name: not to be built upon (2-047). */
function isOwned(slice: EndpointSlice, frame: SliceFrame): boolean {
  const uid = slice.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
  return frame.ownerReferences.some((owner) => owner.uid === uid);
}

/** Keep and adjust in place, then fill changed slices fullest first, then one unchanged slice or new ones (2-054). */
function planGroup(group: SliceGroup, slices: readonly EndpointSlice[], work: Work): void {
  const { frame } = work;
  const left = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]));
  const drafts = slices.map((slice) => adjust(slice, left, frame));
  const kept = drafts.filter(({ endpoints }) => endpoints.length > 0);
  for (const { endpoints, from } of drafts) if (endpoints.length === 0 && from) work.remove.push(from);

  const waiting = sortByIp([...left.values()], ({ addresses }) => addresses[0] ?? '');
  const changed = kept.filter((draft) => draft.changed).sort((a, b) => b.endpoints.length - a.endpoints.length);
  for (const draft of changed)
    draft.endpoints.push(...waiting.splice(0, Math.max(0, frame.max - draft.endpoints.length)));
  while (waiting.length > 0) {
    const fitting = kept
      .filter((draft) => !draft.changed && draft.endpoints.length + waiting.length <= frame.max)
      .sort((a, b) => b.endpoints.length - a.endpoints.length)[0];
    const batch = waiting.splice(0, frame.max);
    if (fitting) {
      fitting.endpoints.push(...batch);
      fitting.changed = true;
    } else {
      work.create.push({ group, endpoints: batch });
    }
  }
  for (const draft of kept) writeBack(draft, group, work);
}

/** The slice's endpoints as they should be now; takes those it holds out of `left`. */
function adjust(slice: EndpointSlice, left: Map<string, Endpoint>, frame: SliceFrame): Draft {
  let changed = endpointsOf(slice).length > frame.max;
  const endpoints: Endpoint[] = [];
  for (const endpoint of endpointsOf(slice).slice(0, frame.max)) {
    const key = identity(endpoint);
    const wanted = left.get(key);
    if (!wanted) {
      changed = true;
      continue;
    }
    left.delete(key);
    const keepHints = frame.keepHintsOfNotReady && !wanted.conditions?.ready && endpoint.hints !== undefined;
    const next = keepHints ? { ...wanted, hints: endpoint.hints } : wanted;
    const same = sameEndpoint(endpoint, next);
    changed ||= !same;
    endpoints.push(same ? endpoint : next);
  }
  return { from: slice, endpoints, changed };
}

function writeBack(draft: Draft, group: SliceGroup, work: Work): void {
  const { from, endpoints, changed } = draft;
  if (!from) return;
  if (changed || !hasMetadata(from, work.frame)) work.update.push(rewrite(from, group, endpoints, work.frame));
  else work.unchanged += 1;
}

/** A slice to be made takes over one that would go: one write in place of two (2-055). */
function recycle({ frame, create, update, remove }: Work): SlicePlan {
  const reusable = remove.filter((slice) => isOwned(slice, frame) && slice.metadata.deletionTimestamp === undefined);
  const gone = new Set(remove);
  const updates = [...update];
  const creates: EndpointSlice[] = [];
  for (const { group, endpoints } of create) {
    const slice = reusable.shift();
    if (slice) {
      gone.delete(slice);
      updates.push(rewrite(slice, group, endpoints, frame));
    } else {
      creates.push(fresh(group, endpoints, frame));
    }
  }
  return { create: creates, update: updates, remove: [...gone] };
}

function fresh(group: SliceGroup, endpoints: Endpoint[], frame: SliceFrame): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      // The server replaces the empty name by one made from the prefix.
      name: '',
      generateName: frame.generateName,
      namespace: frame.namespace,
      labels: frame.labels,
      ...(frame.annotations && Object.keys(frame.annotations).length > 0 && { annotations: frame.annotations }),
      ownerReferences: frame.ownerReferences,
    },
    addressType: group.addressType,
    endpoints,
    ports: [...group.ports],
  };
}

function rewrite(slice: EndpointSlice, group: SliceGroup, endpoints: Endpoint[], frame: SliceFrame): EndpointSlice {
  const { annotations = {}, ...metadata } = slice.metadata;
  const wanted = frame.annotations ?? annotations;
  return {
    ...slice,
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata, labels: frame.labels, ...(Object.keys(wanted).length > 0 && { annotations: wanted }) },
    endpoints,
    ports: [...group.ports],
  };
}

function hasMetadata({ metadata }: EndpointSlice, frame: SliceFrame): boolean {
  return (
    sameText(metadata.labels ?? {}, frame.labels) &&
    (frame.annotations === undefined || sameText(metadata.annotations ?? {}, frame.annotations))
  );
}

function sameText(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** The same set of ports gives the same text, in whatever order. */
function portsKey(ports: readonly Discovery.EndpointPort[]): string {
  const texts = ports.map(({ name = '', port, protocol = 'TCP', appProtocol = '' }) =>
    JSON.stringify([name, port, protocol, appProtocol]),
  );
  return texts.sort().join();
}

/** What makes it the same endpoint, whatever its conditions and hints are. */
function identity({ addresses, hostname, targetRef }: Endpoint): string {
  return JSON.stringify([addresses[0], hostname ?? '', targetRef?.namespace, targetRef?.name, targetRef?.uid]);
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return content(a) === content(b);
}

function content({ addresses, conditions, hostname, nodeName, zone, hints, targetRef }: Endpoint): string {
  return JSON.stringify([
    addresses,
    [conditions?.ready, conditions?.serving, conditions?.terminating],
    hostname,
    nodeName,
    zone,
    hints?.forZones?.map(({ name }) => name),
    hints?.forNodes?.map(({ name }) => name),
    [targetRef?.kind, targetRef?.namespace, targetRef?.name, targetRef?.uid],
  ]);
}
