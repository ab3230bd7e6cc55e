/** What one run of a probe gave. `error` means it could not be run, which says nothing about the container (7-010). */
export interface Outcome {
  readonly result: 'success' | 'failure' | 'error';
  /** For events: what went wrong, or what is odd about a success. */
  readonly output: string;
  readonly warning?: boolean;
}

/** Bytes of a command's or a server's answer that are looked at. */
export const MAX_OUTPUT = 10 * 1024;

export function failure(output: string): Outcome {
  return { result: 'failure', output };
}

export function succeeded(output = ''): Outcome {
  return { result: 'success', output };
}

export function errored(output: string): Outcome {
  return { result: 'error', output };
}

/** A socket error in the words people search for: `dial tcp 10.0.0.1:80: connect: connection refused`. */
export function dialError(address: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words: Record<string, string> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ECONNRESET: 'read: connection reset by peer',
    ETIMEDOUT: 'i/o timeout',
    EADDRNOTAVAIL: 'connect: cannot assign requested address',
  };
  return `dial tcp ${address}: ${words[code] ?? (error instanceof Error ? error.message : String(error))}`;
}
