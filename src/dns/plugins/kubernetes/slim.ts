/** Objects without what no answer reads: at tens of thousands of Services that is most of the memory. What many have alike they share. */
import type { EndpointSlice, KubeObject, Namespace, Node, ObjectMeta, Pod, Service } from '../../../api/types.ts';
import { ZONE_LABEL } from './asker-zone.ts';
import { IMPORT_NAME, SERVICE_NAME } from './cluster-view.ts';
import { TRIGGER_TIME } from './programming-duration.ts';
import { CLUSTER_LABEL } from './service-endpoints.ts';

/** Values of a kind that many objects have: the first that came stands for all. Forgets them when there are too many to be alike. */
class Alike<T> {
  readonly #known = new Map<string, T>();

  same(key: string, value: T): T {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MOST_ALIKE) this.#known.clear();
    this.#known.set(key, value);
    return value;
  }
}

const MOST_ALIKE = 5000;
const NOT_READY = { ready: false } as const;
const SLICE_LABELS = [SERVICE_NAME, IMPORT_NAME, CLUSTER_LABEL];

type Port = { name?: string; protocol?: string; port?: number };

/** Of the objects of one watch. */
export class Slimmer {
  readonly #words = new Alike<string>();
  readonly #ports = new Alike<readonly Port[]>();

  readonly namespace = (namespace: Namespace): Namespace => ({ metadata: this.#metadata(namespace) });

  readonly node = (node: Node): Node => ({ metadata: this.#metadata(node, [ZONE_LABEL]) });

  readonly service = (service: Service): Service => {
    const { type, clusterIPs, externalName, ports, selector } = service.spec;
    const clusterIP = service.spec.clusterIP ?? clusterIPs?.[0];
    return {
      metadata: this.#metadata(service),
      spec: {
        ...(type === 'ExternalName' && { type, externalName: externalName ?? '' }),
        // The one of this program, not a copy for each headless Service.
        ...(clusterIP !== undefined && { clusterIP: clusterIP === 'None' ? 'None' : clusterIP }),
        ...((clusterIPs?.length ?? 0) > 1 && clusterIPs && { clusterIPs }),
        ...(selector !== undefined && Object.keys(selector).length > 0 && { selector: SELECTS }),
        ...(ports && { ports: this.#alikePorts(ports) as NonNullable<Service['spec']['ports']> }),
      },
    };
  };

  /**
   * @param podNames whether the names of Pods are read
   * @param since ms since the epoch: nobody asks how long a change before it took
   */
  slice(slice: EndpointSlice, podNames: boolean, since: number): EndpointSlice {
    const { addressType, ports, metadata } = slice;
    const endpoints = (slice.endpoints as EndpointSlice['endpoints'] | null) ?? [];
    const trigger = metadata.annotations?.[TRIGGER_TIME];
    const isTimed = trigger !== undefined && Date.parse(trigger) >= since;
    return {
      metadata: {
        ...this.#metadata(slice, SLICE_LABELS),
        ...(isTimed && { annotations: { [TRIGGER_TIME]: trigger } }),
      },
      addressType: this.#word(addressType),
      endpoints: endpoints.map(({ addresses, hostname, conditions, zone, hints, targetRef }) => ({
        addresses,
        ...(hostname && { hostname }),
        ...(conditions?.ready === false && { conditions: NOT_READY }),
        ...(zone !== undefined && { zone: this.#word(zone) }),
        ...(hints?.forZones && { hints: { forZones: hints.forZones } }),
        ...(podNames &&
          targetRef?.name !== undefined && {
            targetRef: { kind: this.#word(targetRef.kind ?? 'Pod'), name: targetRef.name },
          }),
      })),
      ...(ports && { ports: this.#alikePorts(ports) as NonNullable<EndpointSlice['ports']> }),
    };
  }

  /** Without addresses where it has ended: they may be another's by now. */
  readonly pod = (pod: Pod): Pod => {
    const { status, spec } = pod;
    const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    return {
      metadata: this.#metadata(pod),
      spec: {
        containers: NO_CONTAINERS,
        ...(spec.nodeName !== undefined && { nodeName: this.#word(spec.nodeName) }),
        ...(spec.hostNetwork && { hostNetwork: true }),
      },
      ...(!hasEnded &&
        status && {
          status: {
            ...(status.phase !== undefined && { phase: this.#word(status.phase) }),
            ...(status.podIP !== undefined && { podIP: status.podIP }),
            ...((status.podIPs?.length ?? 0) > 1 && status.podIPs && { podIPs: status.podIPs }),
          },
        }),
    };
  };

  /** What tells objects and their versions apart, and these labels. */
  #metadata({ metadata }: KubeObject, labels: readonly string[] = []): ObjectMeta {
    const { name, namespace, uid, resourceVersion } = metadata;
    const kept = labels.flatMap((label): [string, string][] => {
      const value = metadata.labels?.[label];
      return value === undefined ? [] : [[label, value]];
    });
    return {
      name,
      ...(namespace !== undefined && { namespace: this.#word(namespace) }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(kept.length > 0 && { labels: Object.fromEntries(kept) }),
    };
  }

  #word(text: string): string {
    return this.#words.same(text, text);
  }

  #alikePorts(ports: readonly Port[]): readonly Port[] {
    const slim = ports.map(({ name, protocol, port }) => ({
      ...(name !== undefined && { name }),
      ...(protocol !== undefined && { protocol }),
      ...(port !== undefined && { port }),
    }));
    return this.#ports.same(JSON.stringify(slim), slim);
  }
}

/** It has one; nobody asks which. */
const SELECTS = {};
const NO_CONTAINERS: Pod['spec']['containers'] = [];
