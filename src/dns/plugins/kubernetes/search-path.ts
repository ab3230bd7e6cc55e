/** What the plugin `autopath` is told by `kubernetes` of the same block: the search list of the Pod that asks (feature 4-053). */
import type { Pod } from '../../../api/types.ts';
import type { Block, Query } from '../../plugin.ts';
import { labelsOf } from '../../wire/domain-name.ts';
import { below, type Zones } from './zones.ts';

interface Offer {
  readonly zones: Zones;
  /** The Pod at the asker's address; undefined where it is not known, or not its alone. */
  readonly podOf: (query: Query) => Pod | undefined;
}

const offers = new WeakMap<Block, Offer>();

export function offerSearchPath(block: Block, offer: Offer): void {
  offers.set(block, offer);
}

export const offersSearchPath = (block: Block): boolean => offers.has(block);

/**
 * As the kubelet writes it into the Pod's resolv.conf, without what its Node adds. Lower case, with final dots; undefined where the question is of no
 * zone of the cluster, or the asker no Pod that is known.
 */
export function searchPathFor(block: Block, query: Query): readonly string[] | undefined {
  const offer = offers.get(block);
  const zone = offer?.zones.find(labelsOf(query.question.name.toLowerCase()));
  if (!offer || zone?.kind !== 'cluster') return undefined;
  const namespace = offer.podOf(query)?.metadata.namespace;
  return namespace === undefined ? undefined : [below(`${namespace}.svc`, zone), below('svc', zone), zone.name];
}
