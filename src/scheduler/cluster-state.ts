/**
 * What the scheduler knows: the Nodes and the Pods on them, counting those it has just assigned and not yet seen assigned, so that a burst
 * of Pods spreads. In memory only; the shell feeds it.
 */
import type { Node, Pod } from '../api/types.ts';
import { allocatable, podRequests, type Resources } from './resources.ts';

export interface NodeState {
  readonly node: Node;
  readonly allocatable: Resources;
  /** Sum of the requests of `pods`. */
  readonly requested: ReadonlyMap<string, number>;
  readonly pods: readonly Pod[];
}

class Entry implements NodeState {
  node: Node;
  allocatable: Resources;
  readonly requested = new Map<string, number>();
  readonly byKey = new Map<string, Pod>();
  constructor(node: Node) {
    this.node = node;
    this.allocatable = allocatable(node);
  }
  get pods(): readonly Pod[] {
    return [...this.byKey.values()];
  }
  put(key: string, pod: Pod): void {
    this.drop(key);
    this.byKey.set(key, pod);
    this.#count(pod, 1);
  }
  drop(key: string): void {
    const pod = this.byKey.get(key);
    if (!pod) return;
    this.byKey.delete(key);
    this.#count(pod, -1);
  }
  #count(pod: Pod, sign: 1 | -1): void {
    for (const [name, value] of podRequests(pod)) {
      this.requested.set(name, (this.requested.get(name) ?? 0) + sign * value);
    }
  }
}

export const podKey = ({ metadata }: Pod): string => `${metadata.namespace ?? ''}/${metadata.name}`;

export class ClusterState {
  readonly #nodes = new Map<string, Entry>();
  /** Pod -> the Node it counts on, present or not. */
  readonly #homes = new Map<string, { node: string; pod: Pod }>();

  get nodes(): readonly NodeState[] {
    return [...this.#nodes.values()];
  }

  setNode(node: Node): void {
    const { name } = node.metadata;
    const entry = this.#nodes.get(name);
    if (entry) {
      entry.node = node;
      entry.allocatable = allocatable(node);
      return;
    }
    const made = new Entry(node);
    this.#nodes.set(name, made);
    for (const [key, home] of this.#homes) if (home.node === name) made.put(key, home.pod);
  }

  removeNode(name: string): void {
    this.#nodes.delete(name);
  }

  /** Takes a Pod in as it is now: on its Node, or nowhere once it is over. An unassigned one changes nothing: it may be assumed. */
  setPod(pod: Pod): void {
    const { nodeName = '' } = pod.spec;
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') this.removePod(podKey(pod));
    else if (nodeName !== '') this.#place(pod, nodeName);
  }

  /** Counts a Pod on a Node before the API server has confirmed it. Undone by `forget`. */
  assume(pod: Pod, node: string): void {
    this.#place(pod, node);
  }

  /** Whether this very Pod counts on some Node already. */
  hasPod(pod: Pod): boolean {
    return this.#homes.get(podKey(pod))?.pod.metadata.uid === pod.metadata.uid;
  }

  /** Undoes `assume`, unless the Pod has been seen assigned meanwhile. */
  forget(pod: Pod): void {
    const key = podKey(pod);
    if (this.#homes.get(key)?.pod === pod) this.removePod(key);
  }

  removePod(key: string): void {
    const home = this.#homes.get(key);
    if (!home) return;
    this.#homes.delete(key);
    this.#nodes.get(home.node)?.drop(key);
  }

  #place(pod: Pod, node: string): void {
    const key = podKey(pod);
    const home = this.#homes.get(key);
    if (home && home.node !== node) this.#nodes.get(home.node)?.drop(key);
    this.#homes.set(key, { node, pod });
    this.#nodes.get(node)?.put(key, pod);
  }
}
