/**
 * A container runtime in memory: the same rules as the real one (a container needs a ready sandbox, a stopped sandbox has no
 * containers running, removing twice is no error), and tests that say what happens inside a container: `exit`, `failNext`, `onExec`.
 */
import { CriError } from './cri.ts';
import type {
  Container,
  ContainerConfig,
  ContainerStatus,
  Cri,
  ExecOutput,
  Image,
  Sandbox,
  SandboxConfig,
  RuntimeInfo,
  SandboxStatus,
} from './cri.ts';
import type { Clock } from '../../lib/clock.ts';

export interface FakeContainer extends ContainerStatus {
  sandboxId: string;
  config: ContainerConfig;
}

export interface FakeSandbox extends SandboxStatus {
  config: SandboxConfig;
}

export class FakeCri implements Cri {
  readonly sandboxes = new Map<string, FakeSandbox>();
  readonly containers = new Map<string, FakeContainer>();
  readonly images = new Map<string, Image>();
  /** Every call that changes something, in order: `startContainer web`, `stopContainer web 30`. */
  readonly calls: string[] = [];
  /** Answers execSync; exit code 0 without output where unset. */
  onExec: ((containerName: string, command: readonly string[]) => Promise<ExecOutput> | ExecOutput) | undefined;
  /** Called when a container has started: tests let it exit from here. */
  onStart: ((container: FakeContainer) => void) | undefined;
  /** Containers of these names ignore SIGTERM until the test calls `exit`, or until the timeout where `clock` is moved on. */
  readonly stubborn = new Set<string>();
  networkReady = true;

  readonly #clock: Clock;
  readonly #failures = new Map<string, CriError>();
  readonly #exitWaiters = new Map<string, (() => void)[]>();
  #counter = 0;

  constructor(clock: Clock, images: readonly string[] = []) {
    this.#clock = clock;
    for (const name of images) this.addImage(name);
  }

  addImage(name: string): void {
    this.images.set(name, {
      id: `sha256:${name}`,
      repoTags: [name],
      repoDigests: [],
      size: 1000,
      username: '',
    });
  }

  /** The next call of that name fails with the error. */
  failNext(call: string, error: CriError): void {
    this.#failures.set(call, error);
  }

  /** The container's process ends by itself. */
  exit(id: string, exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error'): void {
    const container = this.containers.get(id);
    if (container?.state !== 'RUNNING') throw new Error(`container ${id} is not running`);
    this.#end(container, exitCode, reason);
  }

  /** The running container of that name. */
  running(name: string): FakeContainer | undefined {
    return [...this.containers.values()].find((one) => one.metadata.name === name && one.state === 'RUNNING');
  }

  /** The state as readable lines, for assertions and for a person. */
  dump(): string {
    const lines: string[] = [];
    for (const sandbox of this.sandboxes.values()) {
      lines.push(`${sandbox.metadata.namespace}/${sandbox.metadata.name} ${sandbox.state}`);
      for (const one of this.containers.values()) {
        if (one.sandboxId !== sandbox.id) continue;
        const end = one.state === 'EXITED' ? ` ${String(one.exitCode)}` : '';
        lines.push(`  ${one.metadata.name}#${String(one.metadata.attempt)} ${one.state}${end}`);
      }
    }
    return lines.join('\n');
  }

  version() {
    return Promise.resolve({ runtimeName: 'fake', runtimeVersion: '1.0.0', runtimeApiVersion: 'v1' });
  }

  status() {
    const condition = (type: string, status: boolean) => ({ type, status, reason: '', message: '' });
    return Promise.resolve([condition('RuntimeReady', true), condition('NetworkReady', this.networkReady)]);
  }

  async runPodSandbox(config: SandboxConfig): Promise<string> {
    await this.#enter('runPodSandbox', config.metadata.name);
    this.#counter += 1;
    const id = `sandbox-${String(this.#counter)}`;
    const { metadata, labels, annotations } = config;
    const ips = config.namespaces.network === 'NODE' ? [] : [`10.244.0.${String(this.#counter)}`];
    this.sandboxes.set(id, {
      ...{ id, metadata, labels, annotations, ips, config },
      state: 'READY',
      createdAt: this.#clock.now(),
    });
    return id;
  }

  async stopPodSandbox(id: string): Promise<void> {
    const sandbox = this.sandboxes.get(id);
    await this.#enter('stopPodSandbox', sandbox?.metadata.name ?? id);
    if (!sandbox) return;
    for (const one of this.containers.values()) {
      if (one.sandboxId === id && one.state === 'RUNNING') this.#end(one, 137, 'Error');
    }
    sandbox.state = 'NOTREADY';
    sandbox.ips = [];
  }

  async removePodSandbox(id: string): Promise<void> {
    await this.stopPodSandbox(id);
    for (const one of [...this.containers.values()]) if (one.sandboxId === id) this.containers.delete(one.id);
    this.sandboxes.delete(id);
  }

  podSandboxStatus(id: string): Promise<SandboxStatus> {
    const sandbox = this.sandboxes.get(id);
    if (!sandbox) return Promise.reject(notFound('PodSandboxStatus', id));
    return Promise.resolve(withoutConfig(sandbox));
  }

  sandboxInfo(id: string): Promise<RuntimeInfo> {
    if (!this.sandboxes.has(id)) return Promise.reject(notFound('PodSandboxStatus', id));
    return Promise.resolve({ mounts: new Map() });
  }

  listPodSandboxes(): Promise<Sandbox[]> {
    return Promise.resolve([...this.sandboxes.values()].map(({ config: _, ips: __, ...sandbox }) => sandbox));
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    await this.#enter('createContainer', config.metadata.name);
    if (this.sandboxes.get(sandboxId)?.state !== 'READY') throw notFound('CreateContainer', sandboxId);
    this.#counter += 1;
    const id = `container-${String(this.#counter)}`;
    const { metadata, image, labels, annotations, mounts, logPath } = config;
    const log = `${this.sandboxes.get(sandboxId)?.config.logDirectory ?? ''}/${logPath}`;
    this.containers.set(id, {
      ...{ id, sandboxId, config, metadata, image, labels, annotations, mounts, logPath: log },
      ...{ imageRef: image, state: 'CREATED', createdAt: this.#clock.now(), startedAt: 0, finishedAt: 0 },
      ...{ exitCode: 0, reason: '', message: '' },
    });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const container = this.containers.get(id);
    await this.#enter('startContainer', container?.metadata.name ?? id);
    if (container?.state !== 'CREATED') throw notFound('StartContainer', id);
    container.state = 'RUNNING';
    container.startedAt = this.#clock.now();
    this.onStart?.(container);
  }

  async stopContainer(id: string, timeoutSeconds: number): Promise<void> {
    const container = this.containers.get(id);
    await this.#enter('stopContainer', `${container?.metadata.name ?? id} ${String(timeoutSeconds)}`);
    if (container?.state !== 'RUNNING') return;
    if (!this.stubborn.has(container.metadata.name)) {
      this.#end(container, 0, 'Completed');
      return;
    }
    await new Promise<void>((resolve) => {
      this.#exitWaiters.set(id, [...(this.#exitWaiters.get(id) ?? []), resolve]);
      this.#clock.after(timeoutSeconds * 1000, () => {
        if (container.state === 'RUNNING') this.#end(container, 137, 'Error');
      });
    });
  }

  async removeContainer(id: string): Promise<void> {
    await this.#enter('removeContainer', this.containers.get(id)?.metadata.name ?? id);
    this.containers.delete(id);
  }

  containerInfo(id: string): Promise<RuntimeInfo> {
    if (!this.containers.has(id)) return Promise.reject(notFound('ContainerStatus', id));
    return Promise.resolve({ mounts: new Map() });
  }

  containerStatus(id: string): Promise<ContainerStatus> {
    const container = this.containers.get(id);
    if (!container) return Promise.reject(notFound('ContainerStatus', id));
    return Promise.resolve(withoutConfig(container));
  }

  listContainers(): Promise<Container[]> {
    return Promise.resolve([...this.containers.values()].map(withoutConfig));
  }

  reopenContainerLog(): Promise<void> {
    return Promise.resolve();
  }

  async execSync(id: string, command: readonly string[]): Promise<ExecOutput> {
    const container = this.containers.get(id);
    if (container?.state !== 'RUNNING') throw notFound('ExecSync', id);
    const quiet = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), exitCode: 0 };
    return (await this.onExec?.(container.metadata.name, command)) ?? quiet;
  }

  exec({ containerId }: { containerId: string }): Promise<string> {
    return Promise.resolve(`http://127.0.0.1:1/exec/${containerId}`);
  }

  attach({ containerId }: { containerId: string }): Promise<string> {
    return Promise.resolve(`http://127.0.0.1:1/attach/${containerId}`);
  }

  portForward(sandboxId: string): Promise<string> {
    return Promise.resolve(`http://127.0.0.1:1/portforward/${sandboxId}`);
  }

  listImages(): Promise<Image[]> {
    return Promise.resolve([...this.images.values()]);
  }

  imageStatus(image: string): Promise<Image | undefined> {
    return Promise.resolve(this.images.get(image));
  }

  async pullImage(image: string): Promise<string> {
    await this.#enter('pullImage', image);
    this.addImage(image);
    return `sha256:${image}`;
  }

  async removeImage(image: string): Promise<void> {
    await this.#enter('removeImage', image);
    this.images.delete(image);
  }

  close(): void {
    this.calls.push('close');
  }

  async #enter(call: string, subject: string): Promise<void> {
    await Promise.resolve();
    this.calls.push(`${call} ${subject}`);
    const failure = this.#failures.get(call);
    if (!failure) return;
    this.#failures.delete(call);
    throw failure;
  }

  #end(container: FakeContainer, exitCode: number, reason: string): void {
    Object.assign(container, { state: 'EXITED', exitCode, reason, finishedAt: this.#clock.now() });
    const waiting = this.#exitWaiters.get(container.id) ?? [];
    this.#exitWaiters.delete(container.id);
    for (const resolve of waiting) resolve();
  }
}

function notFound(call: string, id: string): CriError {
  return new CriError(call, 'NotFound', `${id}: not found`);
}

function withoutConfig<T extends { config: unknown }>({ config: _, ...rest }: T): Omit<T, 'config'> {
  return structuredClone(rest);
}
