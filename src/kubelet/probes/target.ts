/** Where a probe goes. Pure. */
import type { Core } from '../../api/types.ts';

/** The port of an action: a number, a number as text, or the name of a port of the container (7-014). Throws an Error. */
export function resolvePort(port: string | number, container: Core.Container): number {
  const number = typeof port === 'number' ? port : /^\d+$/.test(port) ? Number(port) : undefined;
  const found = number ?? container.ports?.find(({ name }) => name === port)?.containerPort;
  if (found === undefined) throw new Error(`couldn't find port: ${String(port)} in container "${container.name}"`);
  if (found < 1 || found > 65535) throw new Error(`invalid port number: ${String(port)}`);
  return found;
}
