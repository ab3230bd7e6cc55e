/** Sorting by address, each address read once: a Service with thousands of endpoints is sorted on every change. Pure. */
import { parseIp } from '../lib/ip.ts';

/** A new array in the order of the addresses' numbers, IPv4 first; equal ones by `tie`, then as they were. */
export function sortByIp<T>(items: readonly T[], ipOf: (item: T) => string, tie: (item: T) => string = () => ''): T[] {
  const keyed = items.map((item) => {
    const ip = parseIp(ipOf(item));
    return { item, family: ip?.family ?? '', value: ip?.value ?? 0n, tie: tie(item) };
  });
  keyed.sort((a, b) => {
    if (a.family !== b.family) return a.family < b.family ? -1 : 1;
    if (a.value !== b.value) return a.value < b.value ? -1 : 1;
    return a.tie < b.tie ? -1 : a.tie > b.tie ? 1 : 0;
  });
  return keyed.map(({ item }) => item);
}
