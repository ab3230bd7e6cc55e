/** Sets the node's network up and keeps it so: CNI configuration from the node's pod CIDR, routes to the other nodes, masquerading. */
import type { Node } from '../api/types.ts';
import type { Informer } from '../client/client.ts';
import { exec } from '../host/exec.ts';
import type { Exec } from '../host/exec.ts';
import type { Log } from '../lib/log.ts';
import { done, retryAfter, WorkQueue } from '../lib/queue.ts';
import type { Outcome } from '../lib/queue.ts';
import {
  applyMasquerade,
  applySysctls,
  nodeIpsOf,
  missingPlugins,
  planRoutes,
  podCIDRsOf,
  PodRoutes,
  writeCniConfig,
} from './network.ts';
import type { HairpinMode } from './network.ts';

export interface NodeNetworkOptions {
  readonly nodeName: string;
  readonly nodes: Informer<Node>;
  readonly clusterCidr: string;
  readonly hairpinMode: HairpinMode;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  readonly cniStateDir: string;
  readonly log: Log;
  readonly run?: Exec;
}

/** What others may have undone meanwhile is put back this often, in milliseconds. */
const CHECK_PERIOD = 60_000;
const MISSING_PERIOD = 5_000;
const NO_CIDR = 'the node has no pod CIDR yet';

export class NodeNetwork {
  readonly #options: NodeNetworkOptions;
  readonly #run: Exec;
  readonly #queue: WorkQueue;
  readonly #routes: PodRoutes;
  #problem: string | undefined = NO_CIDR;
  #unsubscribe = () => {};
  /** A node's status changes every few seconds, its addresses hardly ever. */
  #knownIps = '';

  constructor(options: NodeNetworkOptions) {
    this.#options = options;
    this.#run = options.run ?? exec;
    this.#routes = new PodRoutes(this.#run);
    this.#queue = new WorkQueue({ concurrency: 3, reconcile: (key) => this.#reconcile(key), log: options.log });
  }

  /** Why pods cannot have a network yet; undefined when they can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    await applySysctls(this.#options.log);
    this.#unsubscribe = this.#options.nodes.onChange(({ object }) => {
      this.#queue.add(object.metadata.name === this.#options.nodeName ? 'cni' : 'routes');
      const ips = nodeIpsOf(this.#options.nodes.list()).join();
      if (ips === this.#knownIps) return;
      this.#knownIps = ips;
      this.#queue.add('masquerade');
    });
    this.#queue.add('masquerade');
    void this.#options.nodes.synced.then(() => {
      this.#queue.start();
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#queue.stop();
  }

  async #reconcile(key: string): Promise<Outcome> {
    const { nodes, nodeName, clusterCidr, cniConfDir, cniStateDir, hairpinMode } = this.#options;
    switch (key) {
      case 'cni': {
        const missing = await missingPlugins(this.#options.cniBinDir);
        if (missing.length > 0) {
          this.#problem = `CNI plugins ${missing.join(', ')} are missing in ${this.#options.cniBinDir} (package containernetworking-plugins)`;
          return retryAfter(MISSING_PERIOD);
        }
        const podCIDRs = podCIDRsOf(nodes.get(nodeName) ?? { metadata: { name: nodeName } });
        if (podCIDRs.length === 0) {
          this.#problem = NO_CIDR;
          return done;
        }
        await writeCniConfig(cniConfDir, { podCIDRs, hairpinMode, stateDir: cniStateDir });
        this.#problem = undefined;
        return done;
      }
      case 'routes':
        await this.#routes.apply(planRoutes(nodes.list(), nodeName));
        return retryAfter(CHECK_PERIOD);
      default:
        await applyMasquerade({ clusterCidr, nodeIps: nodeIpsOf(nodes.list()) }, this.#run);
        return retryAfter(CHECK_PERIOD);
    }
  }
}
