/** Why a connection could not be made, in the words Kubernetes' programs have for it. */

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'connect: connection reset by peer',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
};

/** `dial tcp 10.244.0.2:80: connect: connection refused`; what is no error of connecting keeps its own text. `address` is `host:port`. */
export function dialError(address: string, error: Error): string {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error.message === 'i/o timeout') return `dial tcp ${address}: i/o timeout`;
  if (syscall !== 'connect' || code === undefined) return error.message;
  return `dial tcp ${address}: ${reasons[code] ?? error.message}`;
}
