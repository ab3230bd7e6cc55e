/**
 * Node ports that the kernel might also give to outgoing connections: answers to those would be taken for traffic to the Service
 * (trap T26). Pure: what to write into `ip_local_reserved_ports`.
 */

interface Ports {
  readonly low: number;
  readonly high: number;
}

/**
 * `localRange` as the kernel has it (`32768<tab>60999`), `reserved` too (`8080,9000-9100` or empty), `nodePorts` as LOW-HIGH. undefined:
 * nothing is to be done, because the two do not meet, it is done already, or no port would be left for connections.
 */
export function reservedPorts(localRange: string, reserved: string, nodePorts: string): string | undefined {
  const local = rangeOf(localRange.trim().split(/\s+/));
  const wanted = rangeOf(nodePorts.split('-'));
  if (!local || !wanted || wanted.high < local.low || wanted.low > local.high) return undefined;
  if (wanted.low <= local.low && wanted.high >= local.high) return undefined;
  const known = reserved.split(',').flatMap((text) => rangeOf(text.trim().split('-')) ?? []);
  if (known.some(({ low, high }) => low <= wanted.low && high >= wanted.high)) return undefined;
  const text = `${String(wanted.low)}-${String(wanted.high)}`;
  return reserved.trim() === '' ? text : `${reserved.trim()},${text}`;
}

function rangeOf([first = '', last = first]: readonly string[]): Ports | undefined {
  const [low, high] = [Number(first), Number(last)];
  return /^\d+$/.test(first) && /^\d+$/.test(last) && low <= high ? { low, high } : undefined;
}
