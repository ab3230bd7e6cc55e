/**
 * Creating and deleting the pods of an owner, for every workload controller: in growing batches, with the events people look for, and with
 * expectations so that a stale cache never makes it do either twice.
 */
import { isNotFound } from '../api/api-error.ts';
import { apiVersionOf, PODS, type Kind } from '../api/kinds.ts';
import type { KubeObject, Pod } from '../api/types.ts';
import type { Change } from '../client/client.ts';
import { isNamespaceTerminating, messageOf } from './api-outcomes.ts';
import { Expectations } from './expectations.ts';
import { trigger, type Trigger, type View } from './loop.ts';
import { isTerminating } from './pod-state.ts';
import { controllerOf } from './pod-template.ts';
import { slowStart } from './slow-start.ts';

export class PodControl {
  readonly #ownerKind: Kind;
  readonly #expectations = new Expectations();
  constructor(ownerKind: Kind) {
    this.#ownerKind = ownerKind;
  }

  /**
   * Makes owners due when their pods change, after noting what the change fulfils.
   * @param orphanKeys the keys of owners that might adopt a pod without a controller
   */
  trigger(orphanKeys: (pod: Pod, view: View) => Iterable<string>): Trigger {
    return trigger(PODS, (change, view) => {
      this.#observe(change);
      const pods = change.type === 'updated' ? [change.old, change.object] : [change.object];
      const keys = pods.flatMap((pod) => {
        const owner = controllerOf(pod);
        if (owner === undefined) return change.type === 'deleted' ? [] : [...orphanKeys(pod, view)];
        return this.#isOurs(owner) ? [`${pod.metadata.namespace ?? ''}/${owner.name}`] : [];
      });
      return new Set(keys);
    });
  }

  /** Milliseconds until the cache may be acted on for this owner; 0: now. */
  waitFor(owner: KubeObject, view: View): number {
    return this.#expectations.waitFor(uidOf(owner), view.clock.now());
  }

  forget(owner: KubeObject): void {
    this.#expectations.forget(uidOf(owner));
  }

  /** @throws the first error after which no further pod was tried; a namespace that is being deleted is no error */
  async create(owner: KubeObject, pods: readonly Pod[], view: View): Promise<void> {
    const uid = uidOf(owner);
    this.#expectations.expectCreations(uid, pods.length, view.clock.now());
    const result = await slowStart(pods.length, async (at) => {
      const pod = pods[at];
      if (!pod) return;
      const created = await view.client.create(PODS, pod);
      view.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    });
    this.#expectations.creationObserved(uid, result.failed + pods.length - result.tried);
    if (result.error === undefined || isNamespaceTerminating(result.error)) return;
    view.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(result.error)}`);
    throw result.error;
  }

  async remove(owner: KubeObject, pods: readonly Pod[], view: View): Promise<void> {
    const uid = uidOf(owner);
    const going = pods.filter((pod) => !isTerminating(pod));
    this.#expectations.expectDeletions(uid, going.map(uidOf), view.clock.now());
    const results = await Promise.allSettled(
      going.map(async (pod) => {
        try {
          await view.client.delete(PODS, pod.metadata.name, pod.metadata.namespace, {
            preconditions: { uid: uidOf(pod) },
          });
        } catch (error) {
          this.#expectations.deletionObserved(uid, uidOf(pod));
          if (isNotFound(error)) return;
          view.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
          throw error;
        }
        view.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  #isOurs(owner: { apiVersion: string; kind: string }): boolean {
    return owner.kind === this.#ownerKind.kind && owner.apiVersion === apiVersionOf(this.#ownerKind);
  }

  #observe(change: Change<Pod>): void {
    const pod = change.object;
    const owner = controllerOf(pod);
    if (owner === undefined || !this.#isOurs(owner)) return;
    if (change.type === 'added') this.#expectations.creationObserved(owner.uid);
    if (change.type === 'deleted' || isTerminating(pod)) this.#expectations.deletionObserved(owner.uid, uidOf(pod));
  }
}

export const uidOf = (object: KubeObject): string => object.metadata.uid ?? '';
