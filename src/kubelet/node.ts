/** Keeps this node's Node object and Lease: registers, reports readiness as soon as it changes, and beats every ten seconds. */
import { isConflict, isNotFound } from '../api/api-error.ts';
import { LEASES, NODES } from '../api/kinds.ts';
import type { Core, Lease, Node } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import type { Cri, RuntimeCondition } from '../host/cri/cri.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { nodeLabels, nodeStatus, sameStatus } from './node-status.ts';
import type { NodeFactsInput, Readiness } from './node-status.ts';

export const LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_SECONDS = 40;
const LEASE_PERIOD = 10_000;
/** Status without a change is sent this often; with a change at once. */
const STATUS_PERIOD = 5 * 60_000;
const LOOK_PERIOD = 10_000;
/** How long a restart may take before it counts as trouble. */
const RETURN_TIME = 20_000;
/** Until the node is ready somebody waits for it. */
const EAGER_PERIOD = 50;

export interface NodeKeeperOptions {
  readonly client: Client;
  readonly cri: Cri;
  readonly clock: Clock;
  readonly log: Log;
  readonly facts: NodeFactsInput;
  /** Why the node's own part of the network is not set up yet; undefined when it is. */
  readonly networkProblem: () => string | undefined;
  readonly onReady?: () => void;
}

export class NodeKeeper {
  readonly #options: NodeKeeperOptions;
  readonly #cancels = new Map<string, () => void>();
  #node: Node | undefined;
  #sentAt = 0;
  readonly #startedAt: number;
  #ready = false;
  #stopped = false;
  #lease: Lease | undefined;

  constructor(options: NodeKeeperOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** Creates the Node or brings its labels up to date. Throws what the client throws. */
  async register(): Promise<Node> {
    const { client, facts } = this.#options;
    const { name } = facts;
    const labels = nodeLabels(facts);
    try {
      const old = await client.get(NODES, name);
      const missing = Object.entries(labels).filter(([key, value]) => old.metadata.labels?.[key] !== value);
      this.#node =
        missing.length === 0 ? old : await client.patch(NODES, name, undefined, 'merge', { metadata: { labels } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#node = await client.create<Node>(NODES, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels },
        spec: {},
      });
    }
    return this.#node;
  }

  start(): void {
    void this.#loop('status', () => this.#status());
    void this.#loop('lease', () => this.#beat());
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels.values()) cancel();
  }

  /** Runs `step` for ever; what it returns is the pause before the next. A failure is logged and tried again after a second. */
  async #loop(name: string, step: () => Promise<number>): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#stopped) {
      const pause = await step().catch((error: unknown) => {
        log.warn({ err: error, what: name }, 'node object could not be kept up, will try again');
        return 1000;
      });
      if (this.#stopped) return;
      await new Promise<void>((resolve) => this.#cancels.set(name, clock.after(pause, resolve)));
    }
  }

  async #status(): Promise<number> {
    const { client, clock, facts } = this.#options;
    const readiness = await this.#readiness();
    const now = clock.now();
    if (!readiness.ready && this.#isComingBack(now)) return EAGER_PERIOD;
    // Others write it too: whoever did not hear from us for a while has given the node up, and only we can take that back.
    if (this.#ready) await this.register();
    const status = nodeStatus(facts, readiness, this.#node, now);
    if (!sameStatus(this.#node?.status, status) || now - this.#sentAt >= STATUS_PERIOD)
      await this.#send(client, status, now);
    if (readiness.ready && !this.#ready) this.#options.onReady?.();
    this.#ready = readiness.ready;
    return readiness.ready ? LOOK_PERIOD : EAGER_PERIOD;
  }

  /**
   * A kubelet that starts again on a ready node says nothing until it is ready itself: one NotReady would take all of the node's pods out
   * of their Services, and nothing has happened to them.
   */
  #isComingBack(now: number): boolean {
    const before = this.#node?.status?.conditions?.find(({ type }) => type === 'Ready');
    return !this.#ready && before?.status === 'True' && now - this.#startedAt < RETURN_TIME;
  }

  async #send(client: Client, status: Core.NodeStatus, now: number): Promise<void> {
    const { name } = this.#options.facts;
    try {
      this.#node = await client.patch(NODES, name, undefined, 'merge', { status }, { subresource: 'status' });
      this.#sentAt = now;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // Somebody deleted the Node while its kubelet runs: it comes back.
      await this.register();
      throw error;
    }
  }

  async #readiness(): Promise<Readiness> {
    const problem = this.#options.networkProblem();
    try {
      const bad = (await this.#options.cri.status()).filter(({ type, status }) => REQUIRED.has(type) && !status);
      const messages = [...bad.map(spellCondition), ...(problem === undefined ? [] : [problem])];
      return { ready: messages.length === 0, message: messages.join(', ') };
    } catch (error) {
      return { ready: false, message: `container runtime is down: ${String(error)}` };
    }
  }

  async #beat(): Promise<number> {
    const { client, clock, facts } = this.#options;
    const renewTime = new Date(clock.now()).toISOString().replace(/Z$/, '000Z');
    if (!this.#lease) this.#lease = await this.#findLease(renewTime);
    else {
      try {
        this.#lease = await client.update(LEASES, {
          ...this.#lease,
          spec: { ...this.#lease.spec, holderIdentity: facts.name, renewTime },
        });
      } catch (error) {
        this.#lease = undefined;
        if (!isNotFound(error) && !isConflict(error)) throw error;
        return 0;
      }
    }
    return LEASE_PERIOD;
  }

  async #findLease(renewTime: string): Promise<Lease> {
    const { client, facts } = this.#options;
    const spec = { holderIdentity: facts.name, leaseDurationSeconds: LEASE_SECONDS, renewTime };
    try {
      const old = await client.get(LEASES, facts.name, LEASE_NAMESPACE);
      return await client.update(LEASES, { ...old, spec: { ...old.spec, ...spec } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const owner = { apiVersion: 'v1', kind: 'Node', name: facts.name, uid: this.#node?.metadata.uid ?? '' };
      return client.create<Lease>(LEASES, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: facts.name, namespace: LEASE_NAMESPACE, ownerReferences: [owner] },
        spec,
      });
    }
  }
}

const REQUIRED = new Set(['RuntimeReady', 'NetworkReady']);

function spellCondition({ type, status, reason, message }: RuntimeCondition): string {
  const part = type === 'NetworkReady' ? 'container runtime network not ready' : 'container runtime not ready';
  return `${part}: ${type}=${String(status)} reason:${reason} message:${message}`;
}
