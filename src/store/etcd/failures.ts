/**
 * What an answer of etcd means for the one who asked: is it certain that nothing was done, is it worth asking again, and in what words is it
 * told. Texts are etcd's own (rpctypes/error.go), because people search for them. Pure.
 */
import { GRPC, type GrpcError } from '../../host/grpc/grpc-error.ts';
import { StoreError } from '../store-error.ts';

/**
 * `again`: nothing was done, another member or a later moment may do better. `doubt`: it may have been done, or may yet be.
 * `final`: nothing was done, and asking again will not help.
 */
export type Outcome = 'again' | 'doubt' | 'final';

/** Refused before anything was proposed to the other members. */
const NOT_DONE =
  /no leader|too many requests|not capable|raft member not found|member not found|unhealthy|rpc not supported/;
/** The proposal was on its way: what became of it is not known to the member that answers. */
const IN_DOUBT = /timed out|leader changed|stopped|not leader/;

export function outcomeOf(error: GrpcError): Outcome {
  if (error.unsent) return 'again';
  // Without an answer of the server itself the request may be on its way still.
  if (!error.answered) return 'doubt';
  if (NOT_DONE.test(error.message)) return 'again';
  if (IN_DOUBT.test(error.message)) return 'doubt';
  if (error.code === GRPC.unavailable || error.code === GRPC.deadlineExceeded) return 'doubt';
  return CANCELLED.has(error.code) ? 'doubt' : 'final';
}
/** Cancelled and unknown: ended by a member that goes down. */
const CANCELLED: ReadonlySet<number> = new Set([1, GRPC.unknown, GRPC.internal]);

export const isCompacted = (error: unknown): boolean => textOf(error).includes('required revision has been compacted');
export const isFuture = (error: unknown): boolean => textOf(error).includes('required revision is a future revision');

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}

/** A refusal for good. */
export function refused(error: GrpcError, endpoints: string): StoreError {
  const text = error.message;
  if (/database space exceeded/.test(text)) {
    return new StoreError(
      'full',
      `${text}: the datastore at ${endpoints} takes no writes until it has space again: compact and defragment it (etcdctl compact, etcdctl defrag) or raise --quota-backend-bytes, then run etcdctl alarm disarm`,
      error,
    );
  }
  if (/request is too large/.test(text)) {
    return new StoreError(
      'too-large',
      `${text}: the datastore takes at most its --max-request-bytes (1.5 MiB by itself)`,
      error,
    );
  }
  if (/authentication|permission denied|auth token|user name/.test(text)) {
    return new StoreError(
      'unwritable',
      `${text}: the datastore at ${endpoints} refuses this client certificate`,
      error,
    );
  }
  return new StoreError('io', `${text} (datastore ${endpoints})`, error);
}

/** Nothing was done: nobody could be asked in time. */
export function unavailable(endpoints: string, cause: unknown): StoreError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(
    'unavailable',
    `the datastore at ${endpoints} cannot be reached or has no leader: ${why}`,
    cause,
  );
}

/** It may have been done, or may yet be. */
export function inDoubt(cause: GrpcError): StoreError {
  const why = cause.answered ? cause.message : `etcdserver: request timed out: ${cause.message}`;
  return new StoreError(
    'unknown',
    `${why}: whether the write was carried out is not known; read before writing again`,
    cause,
  );
}
