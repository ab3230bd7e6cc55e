/**
 * Watches over Nodes (feature 7-025): a kubelet that goes silent makes its Node Unknown, taints it, takes its Pods out of the endpoints and
 * evicts them in the end. Pods of Nodes that no longer exist are removed, for no kubelet will.
 */
import { isConflict, isNotFound } from '../api/api-error.ts';
import { LEASES, NODES, PODS } from '../api/kinds.ts';
import { isPodReady, isPodTerminal } from '../api/pods.ts';
import type { Node, Pod } from '../api/types.ts';
import type { Change } from '../client/client.ts';
import { timestamp } from '../lib/clock.ts';
import { ignoreNotFound } from './api-outcomes.ts';
import { defineController, done, index, itself, retryAfter, trigger, type Controller, type View } from './loop.ts';
import { evictionTime, planTaints, readyStatus, silentConditions } from './node-health.ts';

const LEASE_NAMESPACE = 'kube-node-lease';

export interface NodeLifecycleOptions {
  /** Silence, in ms, after which a Node counts as unreachable; also how long Pods outlive their Node object. Default 40 s. */
  readonly nodeMonitorGracePeriod?: number;
}

/** The last sign of life seen, by our own clock: the Nodes' clocks may be wrong. */
interface Pulse {
  readonly sign: string;
  readonly at: number;
}

class NodeWatch {
  readonly #grace: number;
  readonly #pulses = new Map<string, Pulse>();
  /** Nodes that have Pods but no object, and since when. */
  readonly #lost = new Map<string, number>();
  /** The Ready status last acted on. */
  readonly #acted = new Map<string, string | undefined>();

  constructor(grace: number) {
    this.#grace = grace;
  }

  /** Answers in how many ms the Node needs another look; Infinity: when something changes. */
  async watch(node: Node, view: View): Promise<number> {
    const { name } = node.metadata;
    this.#lost.delete(name);
    const now = timestamp(view.clock.now());
    const quiet = this.#silence(node, view);
    const silent = quiet >= this.#grace;
    const conditions = silent ? silentConditions(node, now) : undefined;
    const current = conditions
      ? await view.client.update(NODES, { ...node, status: { ...node.status, conditions } }, { subresource: 'status' })
      : node;
    // What we just wrote is not a sign of life.
    if (conditions) this.#pulses.set(name, { sign: signOfLife(current, view), at: view.clock.now() - quiet });
    const taints = planTaints(current, now);
    if (taints) await view.client.update(NODES, { ...current, spec: { ...current.spec, taints } });

    const ready = readyStatus(current);
    const before = this.#acted.get(name);
    if (ready !== 'True' && ready !== undefined && before === 'True') {
      view.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    }
    // A kubelet that speaks owns its Pods' conditions: theirs are set once, when its Node turns bad. A silent one's are kept down.
    const isBad = ready === 'Unknown' || ready === 'False';
    if (isBad && (silent || ready !== before)) await markPodsNotReady(name, view);
    this.#acted.set(name, ready);
    const nextEviction = await evict(name, taints ?? current.spec?.taints ?? [], view);
    return Math.min(nextEviction, silent ? Infinity : this.#grace - quiet);
  }

  /**
   * Removes the Pods of a Node that is gone, once it has been gone long enough for a restarted kubelet to have registered again.
   * Answers as `watch` does.
   */
  async collectOrphans(name: string, view: View): Promise<number> {
    this.#pulses.delete(name);
    this.#acted.delete(name);
    const pods = view.byIndex(PODS, 'node', name);
    if (pods.length === 0) {
      this.#lost.delete(name);
      return Infinity;
    }
    const since = this.#lost.get(name) ?? view.clock.now();
    this.#lost.set(name, since);
    const wait = since + this.#grace - view.clock.now();
    if (wait > 0) return wait;
    try {
      await view.client.get(NODES, name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      for (const pod of pods) await removePod(pod, view, 0);
    }
    return Infinity;
  }

  #silence(node: Node, view: View): number {
    const { name } = node.metadata;
    const sign = signOfLife(node, view);
    const now = view.clock.now();
    const before = this.#pulses.get(name);
    if (before?.sign === sign) return now - before.at;
    this.#pulses.set(name, { sign, at: now });
    return 0;
  }
}

/** Changes whenever the kubelet is heard of: its Lease, its registration, its word on Ready (old kubelets have no Lease). */
function signOfLife(node: Node, view: View): string {
  const { name, uid } = node.metadata;
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  const heartbeat = ready?.status === 'Unknown' ? 'silent' : ready?.lastHeartbeatTime;
  return JSON.stringify([view.get(LEASES, name, LEASE_NAMESPACE)?.spec?.renewTime, uid, heartbeat]);
}

export function nodeLifecycleController(options: NodeLifecycleOptions = {}): Controller {
  const nodes = new NodeWatch(options.nodeMonitorGracePeriod ?? 40_000);
  return defineController({
    name: 'node-controller',
    indexes: [index(PODS, { node: podNode })],
    triggers: [
      trigger(NODES, (change, view) => {
        tellOfChange(change, view);
        return itself(change);
      }),
      trigger(LEASES, ({ object }) => (object.metadata.namespace === LEASE_NAMESPACE ? [object.metadata.name] : [])),
      trigger(PODS, ({ object }, view) => podNode(object).filter((name) => isTroubled(view.get(NODES, name)))),
    ],
    async reconcile(name, view) {
      const node = view.get(NODES, name);
      try {
        const wait = node ? await nodes.watch(node, view) : await nodes.collectOrphans(name, view);
        return wait === Infinity ? done : retryAfter(Math.max(1, wait));
      } catch (error) {
        if (isConflict(error) || isNotFound(error)) return retryAfter(50);
        throw error;
      }
    },
  });
}

function tellOfChange({ type, object }: Change<Node>, view: View): void {
  const { name } = object.metadata;
  if (type === 'added') {
    view.event(object, 'Normal', 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
  } else if (type === 'deleted') {
    view.event(object, 'Normal', 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`);
  }
}

const podNode = (pod: Pod) => ((pod.spec.nodeName ?? '') === '' ? [] : [pod.spec.nodeName ?? '']);

/** A Node whose Pods need looking at: it is gone, not ready, or throws some of them out. */
function isTroubled(node: Node | undefined): boolean {
  if (!node) return true;
  const ready = readyStatus(node);
  return (
    ready === 'False' || ready === 'Unknown' || (node.spec?.taints ?? []).some(({ effect }) => effect === 'NoExecute')
  );
}

async function markPodsNotReady(node: string, view: View): Promise<void> {
  const now = timestamp(view.clock.now());
  for (const pod of view.byIndex(PODS, 'node', node)) {
    if (!isPodReady(pod) || isPodTerminal(pod)) continue;
    const conditions = (pod.status?.conditions ?? []).map((condition) =>
      condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime: now } : condition,
    );
    const next = { ...pod, status: { ...pod.status, conditions } };
    await ignoreNotFound(view.client.update(PODS, next, { subresource: 'status' }));
    view.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
  }
}

/** Deletes the Pods whose time on a tainted Node is up. Answers in how many ms the next one's is. */
async function evict(
  node: string,
  taints: NonNullable<NonNullable<Node['spec']>['taints']>,
  view: View,
): Promise<number> {
  if (!taints.some(({ effect }) => effect === 'NoExecute')) return Infinity;
  let next = Infinity;
  for (const pod of view.byIndex(PODS, 'node', node)) {
    if (pod.metadata.deletionTimestamp !== undefined) continue;
    const now = view.clock.now();
    const at = evictionTime(pod, taints, now);
    if (at === undefined) continue;
    if (at > now) {
      next = Math.min(next, at - now);
      continue;
    }
    const { namespace = '', name } = pod.metadata;
    view.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
    await removePod(pod, view);
  }
  return next;
}

async function removePod(pod: Pod, view: View, gracePeriodSeconds?: number): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  const options = {
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(uid !== undefined && { preconditions: { uid } }),
  };
  await ignoreNotFound(view.client.delete(PODS, name, namespace, options));
}
