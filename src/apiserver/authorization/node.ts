/**
 * What a node may do, as the Node authorizer of Kubernetes decides it: read what its own Pods refer to and nothing else of that sort, write
 * its own Node and Lease, and get tokens for the service accounts of its Pods. What stands in a body (whose Pod is written, the name of a
 * new Node) is the matter of `admission/node-restriction.ts`.
 */
import { NODES, PODS, SERVICES } from '../../api/kinds.ts';
import type { User } from '../request.ts';
import type { Attributes, ResourceAttributes } from './attributes.ts';
import { ALLOWED, NO_OPINION, type Authorizer, type Decision } from './authorizer.ts';
import { NODE_LEASES, nodeNameOf } from './node-identity.ts';
import type { NodePods } from './node-pods.ts';
import { rulesAllow, type PolicyRule } from './rules.ts';

const READ = ['get', 'list', 'watch'];
const OWN_WRITES = ['get', 'create', 'update', 'patch', 'delete'];

const rule = (verbs: string[], group: string, resources: string[]): PolicyRule => ({
  verbs,
  apiGroups: [group],
  resources,
});

/**
 * What every node may do, whatever runs on it. Nodes read each other, as a kubelet here routes to the Pods of the other nodes; what the
 * proxy and DNS of a node need belongs to their own identities.
 */
export const NODE_RULES: readonly PolicyRule[] = [
  rule(['create'], 'authentication.k8s.io', ['tokenreviews']),
  rule(['create'], 'authorization.k8s.io', ['localsubjectaccessreviews', 'subjectaccessreviews']),
  rule(READ, '', [SERVICES.plural]), // their environment variables in containers
  rule([...READ, 'create', 'update', 'patch'], '', [NODES.plural]),
  rule(['update', 'patch'], '', ['nodes/status']),
  rule(['create', 'update', 'patch'], '', ['events']),
  rule(['create', 'update', 'patch'], 'events.k8s.io', ['events']),
  rule(['create', 'delete'], '', [PODS.plural]),
  rule(['update', 'patch'], '', ['pods/status']),
  rule(['create'], '', ['pods/eviction']),
  rule(['create', 'get', 'list', 'watch'], 'certificates.k8s.io', ['certificatesigningrequests']),
  rule(READ, 'node.k8s.io', ['runtimeclasses']),
  rule(READ, 'storage.k8s.io', ['csidrivers']),
  rule(['get'], 'storage.k8s.io', ['volumeattachments']),
];

const no = (reason: string): Decision => ({ allowed: false, reason });

export class NodeAuthorizer implements Authorizer {
  readonly #pods: NodePods;

  constructor(pods: NodePods) {
    this.#pods = pods;
  }

  decide(user: User, asked: Attributes): Decision {
    const node = nodeNameOf(user);
    if (node === undefined) return NO_OPINION;
    if (node === '') return no(`unknown node for user ${JSON.stringify(user.name)}`);
    const particular = asked.type === 'resource' ? this.#particular(node, asked) : undefined;
    return particular ?? (rulesAllow(NODE_RULES, asked) ? ALLOWED : NO_OPINION);
  }

  /** Undefined: a resource all nodes are treated the same in. */
  #particular(node: string, asked: ResourceAttributes): Decision | undefined {
    const { namespace, name } = asked;
    const full = `${asked.resource}${asked.group && `.${asked.group}`}`;
    switch (full) {
      case 'secrets':
        return this.#read(node, asked, READ, () => this.#pods.needsSecret(node, namespace, name));
      case 'configmaps':
        return this.#read(node, asked, READ, () => this.#pods.needsConfigMap(node, namespace, name));
      case 'persistentvolumeclaims':
        if (asked.subresource === 'status' && ['update', 'patch'].includes(asked.verb)) {
          return related(node, name !== '' && this.#pods.needsClaim(node, namespace, name));
        }
        return this.#read(node, asked, ['get'], () => this.#pods.needsClaim(node, namespace, name));
      case 'persistentvolumes':
        return this.#read(node, asked, ['get'], () => this.#pods.needsVolume(node, name));
      case 'serviceaccounts':
        return this.#token(node, asked);
      case 'pods':
        return READ.includes(asked.verb) ? this.#readPods(node, asked) : undefined;
      case 'leases.coordination.k8s.io':
        return decideLease(node, asked);
      case 'csinodes.storage.k8s.io':
        return decideCsiNode(node, asked);
      default:
        return undefined;
    }
  }

  #read(node: string, asked: ResourceAttributes, verbs: readonly string[], isNeeded: () => boolean): Decision {
    const { verb, subresource, name } = asked;
    if (!verbs.includes(verb)) {
      return no(
        verbs === READ ? 'can only read resources of this type' : 'can only get individual resources of this type',
      );
    }
    if (subresource !== '') return no(verbs === READ ? 'cannot read subresource' : 'cannot get subresource');
    if (verbs === READ && asked.namespace === '') return no('can only read namespaced object of this type');
    if (name === '') return no('No Object name found');
    return related(node, isNeeded());
  }

  #token(node: string, { verb, subresource, namespace, name }: ResourceAttributes): Decision {
    if (verb !== 'create' || name === '') return no('can only create tokens for individual service accounts');
    if (subresource !== 'token') return no('can only create token subresource of serviceaccount');
    return related(node, this.#pods.runsAs(node, namespace, name));
  }

  #readPods(node: string, { verb, subresource, namespace, name, fields }: ResourceAttributes): Decision {
    if (subresource !== '') return NO_OPINION;
    if (verb !== 'get' && fields?.get('spec.nodeName') === node) return ALLOWED;
    if (name === '') return no('can only list/watch pods with spec.nodeName field selector');
    return related(node, this.#pods.hasPod(node, namespace, name));
  }
}

function related(node: string, found: boolean): Decision {
  return found ? ALLOWED : no(`no relationship found between node '${node}' and this object`);
}

/** The name of a new one is in its body: admission looks at it. */
function decideLease(node: string, { verb, namespace, name }: ResourceAttributes): Decision {
  if (!OWN_WRITES.includes(verb)) return no('can only get, create, update, patch, or delete a node lease');
  if (namespace !== NODE_LEASES)
    return no(`can only access leases in the ${JSON.stringify(NODE_LEASES)} system namespace`);
  if (verb !== 'create' && name !== node) {
    return no('can only access node lease with the same name as the requesting node');
  }
  return ALLOWED;
}

function decideCsiNode(node: string, { verb, subresource, name }: ResourceAttributes): Decision {
  if (!OWN_WRITES.includes(verb)) return no('can only get, create, update, patch, or delete a CSINode');
  if (subresource !== '') return no('cannot authorize CSINode subresources');
  if (verb !== 'create' && name !== node)
    return no('can only access CSINode with the same name as the requesting node');
  return ALLOWED;
}
