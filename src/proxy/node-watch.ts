/** The Node object of the node this is, followed: labels for topology, Pod ranges, and whether load balancers shall come here (3-030, 3-143). */
import { NODES } from '../api/kinds.ts';
import type { Node } from '../api/types.ts';
import type { Client, Informer } from '../client/client.ts';
import { startInformer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

/** ms the first rules wait for the Node to be read: without it there are no zones, and Pods may not be known. */
const PATIENCE = 10_000;
/** ms they wait for its Pod ranges, where Pods are told by them (3-030). */
const RANGE_PATIENCE = 300_000;

export interface NodeWatchParts {
  readonly client: Client;
  readonly name: string;
  /** Pods are told by the ranges of the Node (`detectLocalMode: NodeCIDR`). */
  readonly needsRanges: boolean;
  readonly log: Log;
  readonly clock: Clock;
  /** Labels or Pod ranges are others than before. Not called for what else changes every few seconds. */
  readonly onChange: () => void;
}

export class NodeWatch {
  /** Resolves when there is what rules need of the Node, or no hope that it comes soon. */
  readonly looked: Promise<void>;
  readonly #informer: Informer<Node>;
  readonly #name: string;
  readonly #onChange: () => void;
  /** As last seen: who is deleted keeps what it was until the end. */
  #node: Node | undefined;
  #cancel = () => {};

  constructor({ client, name, needsRanges, log, clock, onChange }: NodeWatchParts) {
    this.#name = name;
    this.#onChange = onChange;
    this.#informer = startInformer(client, NODES, { fieldSelector: `metadata.name=${name}` }, log, { clock });
    const found = Promise.withResolvers<undefined>();
    this.looked = found.promise;
    const patience = needsRanges ? RANGE_PATIENCE : PATIENCE;
    this.#cancel = clock.after(
      patience,
      () => {
        const lacking = needsRanges ? 'has no podCIDRs, so no Pod is told from others' : 'cannot be read';
        log.warn({ node: name, waitedMs: patience }, `the Node ${lacking}; going on without`);
        found.resolve(undefined);
      },
      true,
    );
    const settle = () => {
      if (needsRanges && rangesOf(this.#node).length === 0) return;
      this.#cancel();
      found.resolve(undefined);
    };
    this.#informer.onChange(({ object }) => {
      this.#follow(object);
      settle();
    });
    void this.#informer.synced.then(settle);
  }

  /** undefined until it was seen. */
  get node(): Node | undefined {
    return this.#node;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#node?.metadata.labels ?? {};
  }

  /** False for a node that is not there, or is about to go (KEP-3836). True until that is known. */
  get isEligible(): boolean {
    const node = this.#informer.get(this.#name);
    if (!node) return !this.#informer.hasSynced;
    const taints = node.spec?.taints ?? [];
    return (
      node.metadata.deletionTimestamp === undefined &&
      !taints.some((taint) => taint.key === 'ToBeDeletedByClusterAutoscaler')
    );
  }

  stop(): void {
    this.#cancel();
    this.#informer.stop();
  }

  #follow(node: Node): void {
    const before = whatCounts(this.#node);
    this.#node = node;
    if (whatCounts(node) !== before) this.#onChange();
  }
}

function rangesOf(node: Node | undefined): readonly string[] {
  const { podCIDRs, podCIDR } = node?.spec ?? {};
  return podCIDRs ?? (podCIDR === undefined ? [] : [podCIDR]);
}

const whatCounts = (node: Node | undefined): string => JSON.stringify([node?.metadata.labels ?? {}, rangesOf(node)]);
