/**
 * Who owns a frontend that several ServicePorts claim: the first by name, then in the order of the Service's ports, as the oracle
 * looks. When it goes the next takes over. Knows keys and owners, no elements.
 */
import { compareText } from '../plan/order.ts';
import type { ServicePort } from '../plan/types.ts';
import { frontendsOf, type Frontend, type FrontendKind } from './frontends.ts';

export interface Owner {
  readonly kind: FrontendKind;
  readonly service: ServicePort;
}

const nameOf = ({ namespace, service }: ServicePort): string => `${namespace}/${service}:`;

export class Claims {
  /** One claim as it is, several as a list, in order: nearly all keys have one. */
  readonly #claims = new Map<string, Owner | Owner[]>();

  ownerOf(key: string): Owner | undefined {
    const found = this.#claims.get(key);
    return Array.isArray(found) ? found[0] : found;
  }

  *owners(): IterableIterator<Frontend & Owner> {
    for (const key of this.#claims.keys()) {
      const owner = this.ownerOf(key);
      if (owner) yield { key, ...owner };
    }
  }

  /** Ports of one Service are to be added in their order, after `remove` of those it had. */
  add(service: ServicePort): readonly Frontend[] {
    const frontends = frontendsOf(service);
    for (const { key, kind } of frontends) {
      const claim = { kind, service };
      const found = this.#claims.get(key);
      if (found === undefined) this.#claims.set(key, claim);
      else {
        const list = Array.isArray(found) ? found : [found];
        const name = nameOf(service);
        const before = list.findIndex((one) => compareText(nameOf(one.service), name) > 0);
        list.splice(before < 0 ? list.length : before, 0, claim);
        this.#claims.set(key, list);
      }
    }
    return frontends;
  }

  remove(service: ServicePort): readonly Frontend[] {
    const frontends = frontendsOf(service);
    for (const { key } of frontends) {
      const found = this.#claims.get(key);
      if (Array.isArray(found)) {
        const left = found.filter((one) => one.service !== service);
        const [only] = left;
        if (left.length > 1) this.#claims.set(key, left);
        else if (only) this.#claims.set(key, only);
        else this.#claims.delete(key);
      } else if (found?.service === service) this.#claims.delete(key);
    }
    return frontends;
  }
}
