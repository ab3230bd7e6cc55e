/** Which node speaks. Pure. */
import type { User } from '../request.ts';
import { MASTERS } from './authorizer.ts';

const PREFIX = 'system:node:';
export const NODES_GROUP = 'system:nodes';
/** Where nodes beat. */
export const NODE_LEASES = 'kube-node-lease';

/** The node a user is the agent of, '' for one that does not say which; undefined for everybody else, and for an administrator in any guise. */
export function nodeNameOf({ name, groups }: User): string | undefined {
  if (!groups.includes(NODES_GROUP) || groups.includes(MASTERS)) return undefined;
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
}
