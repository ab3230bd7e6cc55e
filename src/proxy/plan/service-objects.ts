/** Services and their EndpointSlices by `namespace/service`, and which of them were touched. */
import type { EndpointSlice, Service } from '../../api/types.ts';
import { compareText } from './order.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';
const HEADLESS = 'service.kubernetes.io/headless';

export class ServiceObjects {
  readonly #services = new Map<string, Service>();
  /** Service -> its slices by name. Invariant: no empty inner map. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** Slice -> its Service, to notice that a label changed. */
  readonly #ownerOf = new Map<string, string>();
  #touched = new Set<string>();

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  /** Sorted by name, so that answers do not depend on the order of arrival. */
  slicesOf(key: string): readonly EndpointSlice[] {
    const slices = [...(this.#slices.get(key)?.values() ?? [])];
    return slices.length > 1 ? slices.sort((a, b) => compareText(a.metadata.name, b.metadata.name)) : slices;
  }

  setService(service: Service): void {
    const key = keyOf(service);
    this.#services.set(key, service);
    this.#touched.add(key);
  }

  deleteService(service: Service): void {
    const key = keyOf(service);
    if (this.#services.delete(key)) this.#touched.add(key);
  }

  setSlice(slice: EndpointSlice): void {
    const name = keyOf(slice);
    const owner = ownerOf(slice);
    if (this.#ownerOf.get(name) !== owner) this.deleteSlice(slice);
    if (owner === undefined) return;
    this.#ownerOf.set(name, owner);
    const slices = this.#slices.get(owner);
    if (slices) slices.set(name, slice);
    else this.#slices.set(owner, new Map([[name, slice]]));
    this.#touched.add(owner);
  }

  deleteSlice(slice: EndpointSlice): void {
    const name = keyOf(slice);
    const owner = this.#ownerOf.get(name);
    if (owner === undefined) return;
    this.#ownerOf.delete(name);
    const slices = this.#slices.get(owner);
    slices?.delete(name);
    if (slices?.size === 0) this.#slices.delete(owner);
    this.#touched.add(owner);
  }

  touchAll(): void {
    for (const key of this.#services.keys()) this.#touched.add(key);
  }

  takeTouched(): ReadonlySet<string> {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }
}

const keyOf = ({ metadata }: Service | EndpointSlice): string => `${metadata.namespace ?? ''}/${metadata.name}`;

/** Slices of headless Services, labelled so, are nobody's here (3-002). */
function ownerOf({ metadata }: EndpointSlice): string | undefined {
  const labels = metadata.labels ?? {};
  const service = labels[SERVICE_NAME];
  return service === undefined || HEADLESS in labels ? undefined : `${metadata.namespace ?? ''}/${service}`;
}
