/**
 * Which port the relay of a Service port listens on (3-131). Preferred is the one a hash of its name says, so that the next proxy,
 * and a dry run, choose the same.
 */
import { fnv1a32 } from '../../lib/hash.ts';

export interface PortRange {
  readonly low: number;
  readonly high: number;
}

/** What the kernel calls random: beyond the node ports. */
export const anyPort: PortRange = { low: 32768, high: 60999 };

/** `LOW-HIGH` or `LOW+SIZE`; '' and 0-0 are any port. Throws RangeError. */
export function parsePortRange(text: string): PortRange {
  if (text === '' || text === '0-0' || text === '0') return anyPort;
  const [, first = '', sign = '', second = ''] = /^(\d{1,5})([-+])(\d{1,5})$/.exec(text.trim()) ?? [];
  const low = Number(first);
  const high = sign === '+' ? low + Number(second) : Number(second);
  if (sign === '' || low < 1 || high > 65535 || low > high) {
    throw new RangeError(`proxyPortRange: "${text}" is no range such as 40000-40999`);
  }
  return { low, high };
}

/** Keeps the book of one protocol. */
export class ProxyPorts {
  readonly #range: PortRange;
  readonly #byKey = new Map<string, number>();
  readonly #taken = new Set<number>();

  constructor(range: PortRange) {
    this.#range = range;
  }

  portOf(key: string): number | undefined {
    return this.#byKey.get(key);
  }

  /** Books the first port that is free and not `unusable`, `before` first (what an older proxy had); undefined: there is none. */
  choose(key: string, unusable: ReadonlySet<number> = new Set(), before: number | undefined = undefined) {
    this.release(key);
    const { low, high } = this.#range;
    const size = high - low + 1;
    const start = fnv1a32(key) % size;
    const isFree = (port: number) => !this.#taken.has(port) && !unusable.has(port);
    const isOld = before !== undefined && before >= low && before <= high && isFree(before);
    for (let step = 0; step < size; step++) {
      const port = isOld ? before : low + ((start + step) % size);
      if (!isFree(port)) continue;
      this.#byKey.set(key, port);
      this.#taken.add(port);
      return port;
    }
    return undefined;
  }

  isTaken(port: number): boolean {
    return this.#taken.has(port);
  }

  release(key: string): void {
    const port = this.#byKey.get(key);
    if (port === undefined) return;
    this.#byKey.delete(key);
    this.#taken.delete(port);
  }
}
