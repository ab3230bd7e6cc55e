/** What a hosts file says, ready to be asked (hosts(5)). Pure. */
import { formatIp, parseIp } from '../../../lib/ip.ts';
import { labelsOf, nameBytes, nameOf } from '../../wire/domain-name.ts';
import { reverseName } from '../../wire/reverse-name.ts';
import { isInZone } from '../../routing/zone-list.ts';

export interface HostsTable {
  /** Canonical addresses by lower-case name with the final dot; a name like `*.test.` stands for any one label. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  /** Names by reverse name, in the order of the file. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** Pairs of name and address. */
  readonly size: number;
}

/** @param texts of several the later ones add to the earlier. Lines that say nothing are passed over, as by every reader of this format. */
export function parseHosts(texts: readonly string[], zones: readonly string[]): HostsTable {
  const addresses = new Map<string, string[]>();
  const names = new Map<string, string[]>();
  let size = 0;
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [first = '', ...hosts] = line.replace(/#.*$/, '').trim().split(/\s+/);
    const ip = parseIp(first.replace(/%.*$/, ''));
    if (!ip) continue;
    const address = formatIp(ip);
    for (const host of hosts) {
      const name = nameFrom(host);
      if (name === undefined || !zones.some((zone) => isInZone(name, zone))) continue;
      add(addresses, name, address);
      if (!name.startsWith('*.')) add(names, reverseName(ip), name);
      size++;
    }
  }
  return { addresses, names, size };
}

function nameFrom(text: string): string | undefined {
  try {
    nameBytes(text);
    return nameOf(labelsOf(text.toLowerCase()));
  } catch {
    return undefined;
  }
}

function add(map: Map<string, string[]>, key: string, value: string): void {
  const values = map.get(key);
  if (!values) map.set(key, [value]);
  else if (!values.includes(value)) values.push(value);
}

/** Undefined: the name is not there. A name of its own goes before a `*`. */
export function hostAddresses({ addresses }: HostsTable, name: string): readonly string[] | undefined {
  const lower = name.toLowerCase();
  const own = addresses.get(lower);
  if (own) return own;
  const [, ...above] = labelsOf(lower);
  return addresses.get(nameOf(['*', ...above]));
}

/** @param name a reverse name, any case */
export const hostNames = ({ names }: HostsTable, name: string): readonly string[] | undefined =>
  names.get(name.toLowerCase());
