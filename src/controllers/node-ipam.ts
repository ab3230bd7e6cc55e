/** Gives every Node its own part of the cluster's Pod range, as `spec.podCIDR`, and takes it back when the Node goes. */
import { NODES } from '../api/kinds.ts';
import type { Node } from '../api/types.ts';
import { cidrContains, formatCidr, parseCidr, type Cidr } from '../lib/cidr.ts';
import { defineController, done, itself, stuck, trigger, type Controller } from './loop.ts';

export interface NodeIpamOptions {
  readonly clusterCidr: string;
  /** Prefix length of a Node's part. Default 24 for IPv4, 64 for IPv6. */
  readonly nodeMaskSize?: number;
}

/** The lowest part of `cluster` that overlaps none of `taken`, or undefined when all are given away. */
export function nextPodCidr(cluster: Cidr, maskSize: number, taken: readonly Cidr[]): Cidr | undefined {
  const width = cluster.family === 'IPv4' ? 32 : 128;
  const step = 1n << BigInt(width - maskSize);
  const count = 1n << BigInt(Math.max(0, maskSize - cluster.bits));
  if (maskSize < cluster.bits) return undefined;
  const overlaps = (a: Cidr, b: Cidr) =>
    cidrContains(a, { family: b.family, value: b.base }) || cidrContains(b, { family: a.family, value: a.base });
  for (let n = 0n; n < count; n += 1n) {
    const part: Cidr = { family: cluster.family, base: cluster.base + n * step, bits: maskSize };
    if (!taken.some((other) => overlaps(part, other))) return part;
  }
  return undefined;
}

/** @throws Error where the options name no range: found at the start, not at the first Node. */
export function nodeIpamController(options: NodeIpamOptions): Controller {
  const cluster = parseCidr(options.clusterCidr);
  if (!cluster) throw new Error(`cluster CIDR ${JSON.stringify(options.clusterCidr)} is not a network prefix`);
  const maskSize = options.nodeMaskSize ?? (cluster.family === 'IPv4' ? 24 : 64);
  /** Given away by this process, perhaps not yet in our copy: a burst of new Nodes must not share one part. */
  const given = new Map<string, Cidr>();
  const takenBy = (nodes: readonly Node[]) =>
    [...nodes.flatMap(({ spec }) => [...new Set([spec?.podCIDR, ...(spec?.podCIDRs ?? [])])])].flatMap(
      (text) => parseCidr(text ?? '') ?? [],
    );
  return defineController({
    name: 'node-ipam-controller',
    // One at a time: two decisions at once could pick the same part.
    concurrency: 1,
    triggers: [
      trigger(NODES, (change, view) =>
        // A part that became free may be what another Node waits for.
        change.type === 'deleted'
          ? [change.object, ...view.list(NODES)].map(({ metadata }) => metadata.name)
          : itself(change),
      ),
    ],
    async reconcile(name, view) {
      const node = view.get(NODES, name);
      if (!node || (node.spec?.podCIDR ?? '') !== '') {
        given.delete(name);
        return done;
      }
      const part = given.get(name) ?? nextPodCidr(cluster, maskSize, [...takenBy(view.list(NODES)), ...given.values()]);
      if (!part) {
        view.event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
        return stuck(`no part of ${options.clusterCidr} is left for Node ${name}`);
      }
      given.set(name, part);
      const podCIDR = formatCidr(part);
      await view.client.patch(NODES, name, undefined, 'merge', { spec: { podCIDR, podCIDRs: [podCIDR] } });
      return done;
    },
  });
}
