/** Two connections made one: bytes go both ways, no faster than the other side takes them. */
import type { Duplex } from 'node:stream';

/** Ends of stream travel on their own, so that output still arrives after input has ended; a side that is gone takes the other with it. */
export function join(a: Duplex, b: Duplex): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    if ('setNoDelay' in from && typeof from.setNoDelay === 'function') (from as { setNoDelay(): void }).setNoDelay();
    if ('setTimeout' in from && typeof from.setTimeout === 'function')
      (from as { setTimeout(n: number): void }).setTimeout(0);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      if (!from.readableEnded) to.destroy();
    });
  }
}
