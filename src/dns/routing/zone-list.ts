/** Which names lie in which zones, and `fallthrough`. Pure. Zones are lower case with the final dot. */
import type { Directive } from '../corefile/directive.ts';
import { zonesOf } from '../corefile/server-key.ts';

/** @param name any case, with the final dot */
export function isInZone(name: string, zone: string): boolean {
  if (zone === '.') return true;
  const lower = name.toLowerCase();
  if (!lower.endsWith(zone)) return false;
  const before = lower.length - zone.length;
  return before === 0 || (lower.charAt(before - 1) === '.' && !isEscaped(lower, before - 1));
}

/** The longest of them that the name is in. */
export function longestZone(zones: readonly string[], name: string): string | undefined {
  return zones
    .filter((zone) => isInZone(name, zone))
    .reduce<string | undefined>(
      (best, zone) => (best === undefined || zone.length > best.length ? zone : best),
      undefined,
    );
}

/** A dot that a backslash has made part of its label. */
function isEscaped(name: string, at: number): boolean {
  let first = at;
  while (first > 0 && name.charAt(first - 1) === '\\') first--;
  return (at - first) % 2 === 1;
}

/** Zones that arguments of a directive name; those of the block where there are none. @throws CorefileError */
export function zoneArgs({ place }: Directive, args: readonly string[], block: readonly string[]): readonly string[] {
  return args.length === 0 ? block : args.flatMap((arg) => zonesOf(arg, place));
}

/** Names whose absence is for the next plugin to answer: all below these zones. */
export type Fallthrough = (name: string) => boolean;

export const noFallthrough: Fallthrough = () => false;

/** `fallthrough [ZONES...]`; without zones it is for every name. @throws CorefileError */
export function parseFallthrough(option: Directive): Fallthrough {
  const zones = zoneArgs(option, option.args, ['.']);
  return (name) => zones.some((zone) => isInZone(name, zone));
}
