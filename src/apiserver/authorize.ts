/** Who may do what, in one table (features 8-094, 8-099). RBAC is another `Authorizer` in the same place. */
import { ApiError } from '../api/api-error.ts';
import {
  CONFIG_MAPS,
  ENDPOINTS,
  ENDPOINT_SLICES,
  EVENTS,
  EVENTS_V1,
  INGRESSES,
  INGRESS_CLASSES,
} from '../api/kinds.ts';
import { LEASES, NAMESPACES, NODES, PODS, SECRETS, SERVICES, SERVICE_ACCOUNTS, SERVICE_CIDRS } from '../api/kinds.ts';
import { resourceNameOf, type Kind } from '../api/kinds.ts';
import type { User } from './request.ts';
import type { RequestInfo, ResourceInfo } from './routes.ts';

/** True: allowed. False: this one does not know of a reason to allow it. */
export interface Authorizer {
  allows(user: User, info: RequestInfo): boolean;
}

const publicPaths = ['/healthz', '/livez', '/readyz', '/version'];
const discoveryPaths = ['/api', '/apis', '/openapi', '/openid', '/.well-known', ...publicPaths];
const reviews = ['selfsubjectreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews'];

const isUnder = (path: string, roots: readonly string[]) =>
  roots.some((root) => path === root || path.startsWith(`${root}/`));

const read = ['get', 'list', 'watch', 'head'];
const write = ['create', 'update', 'patch', 'delete'];

/** What the agents of nodes (kubelet, proxy, dns) do: resource[/subresource] -> verbs. */
const nodeRules = new Map<string, readonly string[]>();
function allow(kinds: readonly Kind[], verbs: readonly string[], subresource = ''): void {
  for (const kind of kinds) nodeRules.set(`${resourceNameOf(kind)}${subresource && `/${subresource}`}`, verbs);
}
allow([SERVICES, ENDPOINTS, ENDPOINT_SLICES, NAMESPACES, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, SERVICE_CIDRS], read);
allow([INGRESSES, INGRESS_CLASSES], read);
allow([NODES], [...read, ...write]);
allow([NODES], ['get', 'update', 'patch'], 'status');
allow([PODS], [...read, 'delete']);
allow([PODS], ['get', 'update', 'patch'], 'status');
allow([EVENTS, EVENTS_V1], ['create', 'update', 'patch']);
allow([LEASES], [...read, ...write]);
allow([SERVICE_ACCOUNTS], ['create'], 'token');

const NODE_PREFIX = 'system:node:';
const NODE_LEASES = 'kube-node-lease';

/** The node a user is the agent of; undefined for everybody else, and for an administrator in any guise. */
export function nodeNameOf({ name, groups }: User): string | undefined {
  if (!groups.includes('system:nodes') || groups.includes('system:masters')) return undefined;
  return name.startsWith(NODE_PREFIX) ? name.slice(NODE_PREFIX.length) : '';
}

function nodeMay(user: User, { resource, group, verb, namespace, name, subresource }: ResourceInfo): boolean {
  const full = `${resource}${group && `.${group}`}${subresource ? `/${subresource}` : ''}`;
  if (!nodeRules.get(full)?.includes(verb)) return false;
  // A node writes no other node, nor its heartbeat, nor the lease by which others elect a leader.
  const own = nodeNameOf(user);
  if ((resource !== 'nodes' && resource !== 'leases') || read.includes(verb)) return true;
  if (resource === 'leases' && namespace !== NODE_LEASES) return false;
  if (verb === 'create') return true; // the name is in the body, and what is there is not overwritten
  return own !== '' && name === own;
}

export const builtInRules: Authorizer = {
  allows(user, info) {
    if (user.groups.includes('system:masters')) return true;
    if (info.type === 'path') {
      if (isUnder(info.path, publicPaths)) return true;
      return user.groups.includes('system:authenticated') && (info.path === '/' || isUnder(info.path, discoveryPaths));
    }
    if (!user.groups.includes('system:authenticated')) return false;
    if (info.verb === 'create' && reviews.includes(info.resource)) return true;
    return user.groups.includes('system:nodes') && nodeMay(user, info);
  },
};

/** The refusal in Kubernetes' words. */
export function forbidden(user: User, info: RequestInfo): ApiError {
  const who = `User ${JSON.stringify(user.name)}`;
  if (info.type === 'path') {
    return new ApiError({
      code: 403,
      reason: 'Forbidden',
      message: `forbidden: ${who} cannot ${info.verb} path ${JSON.stringify(info.path)}`,
      details: {},
    });
  }
  const { verb, resource, group, namespace, name = '', subresource } = info;
  const full = `${resource}${subresource ? `/${subresource}` : ''}`;
  const scope = namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  const title = `${resource}${group && `.${group}`}${name && ` ${JSON.stringify(name)}`}`;
  return new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${title} is forbidden: ${who} cannot ${verb === 'head' ? 'get' : verb} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${scope}`,
    details: { ...(name && { name }), ...(group && { group }), kind: resource },
  });
}
