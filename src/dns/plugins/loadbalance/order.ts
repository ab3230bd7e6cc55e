/** In which order records go out. Pure but for the `random` they are given: 0 to 1, exclusive. */
import { cidrContains, type Cidr } from '../../../lib/cidr.ts';
import { parseIp } from '../../../lib/ip.ts';
import { TYPE, type Record } from '../../wire/message.ts';

/** The records in four heaps: aliases, what is none of the others, addresses, mail exchangers. Each in its order. */
function heapsOf(records: readonly Record[]) {
  const heaps = {
    aliases: [] as Record[],
    others: [] as Record[],
    addresses: [] as Record[],
    exchangers: [] as Record[],
  };
  for (const record of records) {
    if (record.type === TYPE.CNAME) heaps.aliases.push(record);
    else if (isAddress(record)) heaps.addresses.push(record);
    else if (record.type === 'other' && record.code === TYPE.MX) heaps.exchangers.push(record);
    else heaps.others.push(record);
  }
  return heaps;
}

const isAddress = ({ type }: Record): boolean => type === TYPE.A || type === TYPE.AAAA;

/** Aliases first and in their order, addresses and mail exchangers behind them in any (feature 4-054). */
export function roundRobin(records: readonly Record[], random: () => number): Record[] {
  const { aliases, others, addresses, exchangers } = heapsOf(records);
  return [...aliases, ...others, ...shuffle(addresses, random), ...shuffle(exchangers, random)];
}

/** Fisher and Yates. */
function shuffle<T>(list: readonly T[], random: () => number): T[] {
  const shuffled = [...list];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [shuffled[last], shuffled[other]];
    if (a !== undefined && b !== undefined) [shuffled[last], shuffled[other]] = [b, a];
  }
  return shuffled;
}

/** Addresses of these networks before the others, otherwise as they are. */
export function preferring(records: readonly Record[], networks: readonly Cidr[]): Record[] {
  const { aliases, others, addresses, exchangers } = heapsOf(records);
  const isPreferred = (record: Record) => {
    const ip = 'address' in record ? parseIp(record.address) : undefined;
    return ip !== undefined && networks.some((network) => cidrContains(network, ip));
  };
  const preferred = addresses.filter(isPreferred);
  const rest = addresses.filter((record) => !isPreferred(record));
  return [...aliases, ...others, ...preferred, ...rest, ...exchangers];
}

/** Weights by canonical address, by lower-case name with the final dot. */
export type Weights = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** One address, the likelier the more it weighs (1 where nothing is said), goes before the others; they stay as they are. */
export function weighted(records: readonly Record[], weights: Weights, random: () => number): Record[] {
  const { aliases, others, addresses, exchangers } = heapsOf(records);
  const weightOf = (record: Record) =>
    'address' in record ? (weights.get(record.name.toLowerCase())?.get(record.address) ?? 1) : 1;
  const total = addresses.reduce((sum, record) => sum + weightOf(record), 0);
  let left = random() * total;
  const chosen = addresses.findIndex((record) => (left -= weightOf(record)) < 0);
  const first = addresses.slice(Math.max(0, chosen), Math.max(0, chosen) + 1);
  return [...aliases, ...others, ...first, ...addresses.filter((record) => !first.includes(record)), ...exchangers];
}
