/**
 * Where in a range the server picks by itself: the upper band at random, the lower one only when that is full, so that numbers
 * people choose by hand, who like low ones, seldom collide (features 1-099, 1-122).
 */

/** Offsets [0, size) of a range; `dynamicFrom` is where the upper band begins. */
export interface Band {
  readonly size: number;
  readonly dynamicFrom: number;
}

/** Cluster IPs: the lower band is a sixteenth, at least 16, at most 256; none in a range of 16 or fewer. */
export function addressBand(size: number): Band {
  return { size, dynamicFrom: offsetOf(size, 16, 256) };
}

/** Node ports: a thirty-second, at least 16, at most 128. */
export function portBand(size: number): Band {
  return { size, dynamicFrom: offsetOf(size, 32, 128) };
}

function offsetOf(size: number, divisor: number, most: number): number {
  return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / divisor)), most);
}

/** A free offset, or undefined when the range is full. `random(n)` gives an integer in [0, n). */
export function pickFree(
  { size, dynamicFrom }: Band,
  isTaken: (offset: number) => boolean,
  random: (below: number) => number,
): number | undefined {
  return scan(dynamicFrom, size - dynamicFrom, isTaken, random) ?? scan(0, dynamicFrom, isTaken, random);
}

/** Circular, from a random start. */
function scan(
  from: number,
  length: number,
  isTaken: (offset: number) => boolean,
  random: (below: number) => number,
): number | undefined {
  if (length <= 0) return undefined;
  const start = random(length);
  for (let step = 0; step < length; step++) {
    const offset = from + ((start + step) % length);
    if (!isTaken(offset)) return offset;
  }
  return undefined;
}
