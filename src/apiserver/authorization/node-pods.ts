/** The Pods of every node, kept up to date by the watch cache, and what those Pods give their node access to. */
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS } from '../../api/kinds.ts';
import type { Core, KubeObject, Pod } from '../../api/types.ts';
import type { Entry } from '../entry.ts';
import { keyOf } from '../keys.ts';
import type { WatchCache } from '../watch-cache.ts';
import { podReferences, volumeSecretNames } from './pod-references.ts';

type Claim = KubeObject & { spec?: Core.PersistentVolumeClaimSpec };

export class NodePods {
  readonly #cache: WatchCache;
  /** Node -> its Pods by their key in the store. */
  readonly #pods = new Map<string, Map<string, Entry>>();

  constructor(cache: WatchCache) {
    this.#cache = cache;
    const pods = cache.of(PODS);
    for (const entry of pods.range('')) this.#add(entry);
    pods.listeners.add(({ type, entry, previous }) => {
      if (previous) this.#remove(previous);
      if (type === 'put') this.#add(entry);
    });
  }

  hasPod(node: string, namespace: string, name: string): boolean {
    return this.#pods.get(node)?.has(keyOf(PODS, namespace, name)) ?? false;
  }

  /** A Pod of this node runs as that service account. The mirror of a static Pod, which a node makes itself, runs as none. */
  runsAs(node: string, namespace: string, account: string): boolean {
    return this.#some(node, namespace, ({ spec }) => spec.serviceAccountName === account);
  }

  needsConfigMap(node: string, namespace: string, name: string): boolean {
    return this.#some(node, namespace, (pod) => podReferences(pod).configMaps.has(name));
  }

  needsClaim(node: string, namespace: string, name: string): boolean {
    return this.#some(node, namespace, (pod) => podReferences(pod).claims.has(name));
  }

  /** Of a Pod, or of a volume that a Pod claims. */
  needsSecret(node: string, namespace: string, name: string): boolean {
    if (this.#some(node, namespace, (pod) => podReferences(pod).secrets.has(name))) return true;
    return this.#volumes(node).some((volume) => {
      const entry = this.#cache.of(PERSISTENT_VOLUMES).get(keyOf(PERSISTENT_VOLUMES, undefined, volume));
      const named = entry ? volumeSecretNames(entry.object) : [];
      return named.some((secret) => secret.namespace === namespace && secret.name === name);
    });
  }

  needsVolume(node: string, name: string): boolean {
    return this.#volumes(node).includes(name);
  }

  #some(node: string, namespace: string, test: (pod: Pod) => boolean): boolean {
    const prefix = keyOf(PODS, namespace, '');
    for (const [key, entry] of this.#pods.get(node) ?? []) {
      if (key.startsWith(prefix) && test(entry.object as Pod)) return true;
    }
    return false;
  }

  /** The PersistentVolumes behind the claims of its Pods. */
  #volumes(node: string): string[] {
    return [...(this.#pods.get(node)?.values() ?? [])].flatMap((entry) => {
      const pod = entry.object as Pod;
      return [...podReferences(pod).claims].flatMap((name) => {
        const key = keyOf(PERSISTENT_VOLUME_CLAIMS, pod.metadata.namespace, name);
        const claim = this.#cache.of(PERSISTENT_VOLUME_CLAIMS).get(key)?.object as Claim | undefined;
        return claim?.spec?.volumeName ?? [];
      });
    });
  }

  #add(entry: Entry): void {
    const node = (entry.object as Pod).spec.nodeName ?? '';
    if (node === '') return;
    const pods = this.#pods.get(node) ?? new Map<string, Entry>();
    this.#pods.set(node, pods);
    pods.set(entry.key, entry);
  }

  #remove(entry: Entry): void {
    const node = (entry.object as Pod).spec.nodeName ?? '';
    const pods = this.#pods.get(node);
    pods?.delete(entry.key);
    if (pods?.size === 0) this.#pods.delete(node);
  }
}
