/**
 * A copy of what the runtime holds. The runtime has no event stream, so the copy is renewed by listing: two cheap calls for everything,
 * and one more for each sandbox or container whose state changed since.
 */
import type { Container, ContainerStatus, Cri, Sandbox, SandboxStatus } from '../host/cri/cri.ts';
import { isCriNotFound } from '../host/cri/cri.ts';
import { emptyRuntimePod, groupByPod } from './runtime-view.ts';
import type { RuntimeContainer, RuntimePod } from './runtime-view.ts';

export interface RuntimeCacheOptions {
  readonly cri: Cri;
  /** What an ended container left as its last words; read once, when its end is first seen. */
  readonly lastWords: (ended: ContainerStatus) => Promise<string>;
  /** Uids of pods that are not as they were. */
  readonly onChange: (uids: readonly string[]) => void;
}

export class RuntimeCache {
  readonly #options: RuntimeCacheOptions;
  readonly #sandboxes = new Map<string, SandboxStatus>();
  readonly #containers = new Map<string, RuntimeContainer>();
  #pods = new Map<string, RuntimePod>();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(options: RuntimeCacheOptions) {
    this.#options = options;
  }

  get(uid: string): RuntimePod {
    return this.#pods.get(uid) ?? emptyRuntimePod(uid, '', '');
  }

  uids(): string[] {
    return [...this.#pods.keys()];
  }

  /** Resolves when a listing that began after this call has been taken in. Throws CriError; the old copy then stays. */
  relist(): Promise<void> {
    if (!this.#running) {
      this.#running = this.#relist().finally(() => (this.#running = undefined));
      return this.#running;
    }
    // One that runs may have asked before the caller's change: wait for the one after it, which all callers share.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.relist();
      });
    return this.#next;
  }

  async #relist(): Promise<void> {
    const { cri } = this.#options;
    const [sandboxes, containers] = await Promise.all([cri.listPodSandboxes(), cri.listContainers()]);
    const changed = new Set<string>();
    await Promise.all([
      ...sandboxes.map((one) => this.#takeSandbox(one, changed)),
      ...containers.map((one) => this.#takeContainer(one, changed)),
    ]);
    forget(this.#sandboxes, sandboxes, changed);
    forget(this.#containers, containers, changed);
    if (changed.size === 0) return;
    this.#pods = groupByPod([...this.#sandboxes.values()], [...this.#containers.values()]);
    this.#options.onChange([...changed]);
  }

  async #takeSandbox(listed: Sandbox, changed: Set<string>): Promise<void> {
    if (this.#sandboxes.get(listed.id)?.state === listed.state) return;
    const status = await ifThere(this.#options.cri.podSandboxStatus(listed.id));
    if (!status) return;
    this.#sandboxes.set(listed.id, status);
    changed.add(uidOf(status));
  }

  async #takeContainer(listed: Container, changed: Set<string>): Promise<void> {
    if (this.#containers.get(listed.id)?.state === listed.state) return;
    const status = await ifThere(this.#options.cri.containerStatus(listed.id));
    if (!status) return;
    const message = status.state === 'EXITED' ? await this.#options.lastWords(status) : status.message;
    this.#containers.set(listed.id, { ...status, message, sandboxId: listed.sandboxId });
    changed.add(uidOf(status));
  }
}

function forget<T extends { labels: Record<string, string> }>(
  known: Map<string, T>,
  listed: readonly { id: string }[],
  changed: Set<string>,
): void {
  const ids = new Set(listed.map(({ id }) => id));
  for (const [id, one] of known) {
    if (ids.has(id)) continue;
    known.delete(id);
    changed.add(uidOf(one));
  }
}

function uidOf({ labels }: { labels: Record<string, string> }): string {
  return labels['io.kubernetes.pod.uid'] ?? '';
}

/** undefined where it went away between the list and the question. */
async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isCriNotFound(error)) return undefined;
    throw error;
  }
}
