/**
 * Makes sure a container's image is on the node: what is present, what a registry answers, and where no registry can be reached, a starter
 * image of that name.
 */
import type { Core, Pod } from '../api/types.ts';
import { CriError, type Cri, type Image, type RegistryAuth } from '../host/cri/cri.ts';
import type { Ctr } from '../host/ctr.ts';
import { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import {
  defaultPullPolicy,
  formatImageReference,
  parseImageReference,
  type ImageReference,
} from './image-reference.ts';
import { ImageError, type ImageErrorReason, type ImageManager, type ObjectSource } from './parts.ts';
import type { PodEvent } from './pod-context.ts';
import { pullCredentials } from './pull-credentials.ts';
import { createRegistryReach, isNearby, type RegistryReach } from './registry-reach.ts';
import { createStarterImporter, noStarters, type StarterImporter } from './starter-importer.ts';
import { findStarter, SANDBOX_IMAGE } from './starters.ts';

export interface ImageManagerOptions {
  readonly cri: Pick<Cri, 'imageStatus' | 'pullImage'>;
  readonly event: PodEvent;
  readonly clock: Clock;
  readonly log: Log;
  readonly objects: Pick<ObjectSource, 'secret'>;
  /** Where starters are, and what imports them; without one of the two there are none. */
  readonly startersDir?: string;
  readonly ctr?: Ctr;
  readonly reach?: RegistryReach;
}

export interface NodeImages extends ImageManager {
  /** Imports the image of the pods' sandboxes where it is missing: nothing can start without it. Throws an Error that says what to do. */
  importSandbox(): Promise<void>;
  /** Imports the starters that people try first, one after the other. Never throws: what fails here is tried again when it is wanted. */
  preload(): Promise<void>;
}

/** What `ensure` is about, worked out once. */
interface Wanted {
  readonly pod: Pod;
  readonly container: Core.Container;
  readonly reference: ImageReference;
  /** As the runtime names it. */
  readonly name: string;
}

const FIRST_DELAY = 10_000;
const LONGEST_DELAY = 300_000;

export function createImageManager(options: ImageManagerOptions): NodeImages {
  return new Images(options);
}

class Images implements NodeImages {
  readonly #options: ImageManagerOptions;
  readonly #reach: RegistryReach;
  readonly #starters: StarterImporter;
  readonly #pulls = new Map<string, Promise<unknown>>();
  readonly #backoff = new Backoff({ initial: FIRST_DELAY, max: LONGEST_DELAY });
  /** Pod and image -> when it may be tried again, why it failed, and whether that was reported. */
  readonly #failed = new Map<string, { until: number; why: string; reported: boolean }>();

  constructor(options: ImageManagerOptions) {
    const { startersDir: directory, ctr, cri, clock } = options;
    this.#options = options;
    this.#reach = options.reach ?? createRegistryReach(clock);
    this.#starters =
      directory !== undefined && ctr ? createStarterImporter({ directory, ctr, cri, clock }) : noStarters;
  }

  async ensure(pod: Pod, container: Core.Container): Promise<string> {
    const { cri } = this.#options;
    const image = container.image ?? '';
    const reference = parseImageReference(image);
    if (!reference) {
      const why = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`;
      throw this.#refused(pod, container, 'InvalidImageName', why, 'InspectFailed');
    }
    const wanted: Wanted = { pod, container, reference, name: formatImageReference(reference) };
    const policy = container.imagePullPolicy ?? defaultPullPolicy(reference);
    const present = await cri.imageStatus(wanted.name).catch((error: unknown) => {
      const why = `Failed to inspect image "${image}": ${reasonOf(error)}`;
      throw this.#refused(pod, container, 'ImageInspectError', why, 'InspectFailed');
    });
    if (present && policy !== 'Always') return this.#present(wanted, present);
    if (policy === 'Never') {
      const why = `Container image "${image}" is not present with pull policy of Never`;
      throw this.#refused(pod, container, 'ErrImageNeverPull', why, 'ErrImageNeverPull');
    }
    return this.#obtain(wanted, present);
  }

  async importSandbox(): Promise<void> {
    if (await this.#options.cri.imageStatus(SANDBOX_IMAGE)) return;
    if (await this.#starters.import(SANDBOX_IMAGE)) return;
    throw new Error(`the sandbox image ${SANDBOX_IMAGE} is not on this node: make it with "fairway image starters"`);
  }

  async preload(): Promise<void> {
    try {
      for (const starter of await this.#starters.list()) {
        const [first] = starter.images;
        if (starter.preload && first !== undefined) await this.#starters.import(first);
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, 'starter images could not be imported ahead of time');
    }
  }

  #present({ pod, container }: Wanted, image: Image): string {
    this.#event(
      pod,
      container,
      'Normal',
      'Pulled',
      `Container image "${container.image ?? ''}" already present on machine`,
    );
    return image.id;
  }

  async #obtain(wanted: Wanted, present: Image | undefined): Promise<string> {
    const { pod, container } = wanted;
    const image = container.image ?? '';
    const key = `${pod.metadata.uid ?? ''} ${wanted.name}`;
    this.#checkBackoff(wanted, key);
    try {
      const id = await this.#pullOrSubstitute(wanted, present);
      this.#backoff.reset(key);
      this.#failed.delete(key);
      return id;
    } catch (error) {
      const why = reasonOf(error);
      this.#forgetOld();
      this.#failed.set(key, { until: this.#options.clock.now() + this.#backoff.next(key), why, reported: false });
      this.#event(pod, container, 'Warning', 'Failed', `Failed to pull image "${image}": ${why}`);
      throw this.#refused(pod, container, 'ErrImagePull', why);
    }
  }

  #checkBackoff({ pod, container }: Wanted, key: string): void {
    const failed = this.#failed.get(key);
    if (!failed || this.#options.clock.now() >= failed.until) return;
    const text = `Back-off pulling image "${container.image ?? ''}"`;
    const message = `${text}: ErrImagePull: ${failed.why}`;
    // Asked again and again while it waits: one report says it all.
    if (failed.reported) throw new ImageError('ImagePullBackOff', message);
    failed.reported = true;
    this.#event(pod, container, 'Normal', 'BackOff', text);
    throw this.#refused(pod, container, 'ImagePullBackOff', message);
  }

  /** Of pods that are long gone. */
  #forgetOld(): void {
    for (const [key, { until }] of this.#failed) {
      if (this.#options.clock.now() < until + 2 * LONGEST_DELAY) continue;
      this.#failed.delete(key);
      this.#backoff.reset(key);
    }
  }

  async #pullOrSubstitute(wanted: Wanted, present: Image | undefined): Promise<string> {
    const { name, reference, pod, container } = wanted;
    const { log } = this.#options;
    const substitute = present !== undefined || (await this.#hasStarter(name));
    const hasRoute = await this.#reach.hasRoute();
    if (await this.#isWorthAsking(reference.registry, hasRoute, substitute)) {
      try {
        return await this.#pull(wanted);
      } catch (error) {
        if (!substitute) throw error;
        log.warn({ image: name, error: reasonOf(error) }, 'the registry did not give the image: taking what is here');
      }
    }
    if (present) return this.#present(wanted, present);
    const began = this.#options.clock.now();
    const starter = await this.#starters.import(name);
    if (!starter) {
      throw new Error(
        `${hasRoute ? 'the registry cannot be reached' : 'no registry can be reached from this node (it has no default route)'} and there is no starter image of that name; load the image with: fairway image load FILE.tar`,
      );
    }
    const took = seconds(this.#options.clock.now() - began);
    const text = `No registry can be reached: imported the starter image for "${container.image ?? ''}" in ${took}`;
    this.#event(pod, container, 'Normal', 'Pulled', text);
    return starter.id;
  }

  /** With a way out and nothing to fall back on there is no harm in waiting for a registry that may not answer. */
  async #isWorthAsking(registry: string, hasRoute: boolean, substitute: boolean): Promise<boolean> {
    if (hasRoute && !substitute) return true;
    return (hasRoute || isNearby(registry)) && this.#reach.answers(registry);
  }

  async #hasStarter(name: string): Promise<boolean> {
    const { log } = this.#options;
    try {
      return this.#starters !== noStarters && findStarter(await this.#starters.list(), name) !== undefined;
    } catch (error) {
      log.warn({ err: error }, 'the list of starter images cannot be read');
      return false;
    }
  }

  async #pull(wanted: Wanted): Promise<string> {
    const { pod, container, reference, name } = wanted;
    const { cri, clock, objects } = this.#options;
    const image = container.image ?? '';
    const began = clock.now();
    this.#event(pod, container, 'Normal', 'Pulling', `Pulling image "${image}"`);
    const logins = await pullCredentials(pod, reference, objects);
    await this.#pullOnce(name, logins);
    const pulled = await cri.imageStatus(name);
    if (!pulled) throw new Error(`the runtime pulled "${image}" but does not list it`);
    const took = seconds(clock.now() - began);
    const text = `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: ${String(pulled.size)} bytes.`;
    this.#event(pod, container, 'Normal', 'Pulled', text);
    return pulled.id;
  }

  /** Pods that want the same image with the same logins share one pull. */
  #pullOnce(name: string, logins: readonly RegistryAuth[]): Promise<unknown> {
    const key = JSON.stringify([name, logins]);
    const running = this.#pulls.get(key);
    if (running) return running;
    const started = this.#tryLogins(name, logins).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, started);
    return started;
  }

  async #tryLogins(name: string, logins: readonly RegistryAuth[]): Promise<void> {
    const [login, ...others] = logins;
    try {
      await (login ? this.#options.cri.pullImage(name, login) : this.#options.cri.pullImage(name));
    } catch (error) {
      if (others.length === 0) throw error;
      await this.#tryLogins(name, others);
    }
  }

  #event(pod: Pod, container: Core.Container, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.event(pod, type, reason, message, container.name);
  }

  /** The error to throw, reported as the kubelet does: what happened, and the state the container is in. */
  #refused(pod: Pod, container: Core.Container, reason: ImageErrorReason, why: string, also?: string): ImageError {
    if (also !== undefined) this.#event(pod, container, 'Warning', also, why);
    this.#event(pod, container, 'Warning', 'Failed', `Error: ${reason}`);
    return new ImageError(reason, why);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof CriError) return error.details;
  return error instanceof Error ? error.message : String(error);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)}s`;
}
