/** The zones a `kubernetes` directive answers for: of the cluster, of a clusterset (feature 4-040), and reverse ones. Pure. */
import { labelsOf } from '../../wire/domain-name.ts';

export interface Zone {
  /** Lower case, with the final dot; `.` for the root. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly kind: 'cluster' | 'clusterset' | 'reverse';
}

export interface Zones {
  readonly all: readonly Zone[];
  /** The first that is not a reverse one: where PTR records point to. */
  readonly primary: Zone;
  /** The longest zone the name is in. @param labels of the name, lower case */
  find(labels: readonly string[]): Zone | undefined;
}

/**
 * @param names with or without the final dot
 * @param multicluster which of them are zones of a clusterset
 * @returns undefined where all are reverse zones, which have nothing to point to
 */
export function zonesOfNames(names: readonly string[], multicluster: readonly string[] = []): Zones | undefined {
  const shared = new Set(multicluster.map(canonical));
  const all = names.map((each): Zone => {
    const name = canonical(each);
    return {
      name,
      labels: labelsOf(name),
      kind: isReverse(name) ? 'reverse' : shared.has(name) ? 'clusterset' : 'cluster',
    };
  });
  const primary = all.find(({ kind }) => kind !== 'reverse');
  if (!primary) return undefined;
  const byLabels = new Map(all.map((zone) => [zone.labels.join('\0'), zone]));
  const lengths = [...new Set(all.map(({ labels }) => labels.length))].sort((a, b) => b - a);
  return {
    all,
    primary,
    find(labels) {
      for (const length of lengths) {
        if (length > labels.length) continue;
        const zone = byLabels.get(labels.slice(labels.length - length).join('\0'));
        if (zone) return zone;
      }
      return undefined;
    },
  };
}

export const isReverse = (zone: string): boolean => /(^|\.)(in-addr|ip6)\.arpa\.$/.test(zone);

/** `web` in `cluster.local.` is `web.cluster.local.`, in the root `web.`. */
export const below = (name: string, zone: Pick<Zone, 'name'>): string =>
  zone.name === '.' ? `${name}.` : `${name}.${zone.name}`;

const canonical = (name: string): string => (name === '.' ? name : `${name.replace(/\.$/, '').toLowerCase()}.`);
