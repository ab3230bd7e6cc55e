/** How the API server reaches the kubelet of a Pod's node: its InternalIP, its port, and the client certificate (feature 7-065). */
import { ApiError, badRequest, unavailable } from '../../api/api-error.ts';
import { NODES } from '../../api/kinds.ts';
import type { Node, Pod } from '../../api/types.ts';
import { dialError } from '../../lib/dial-error.ts';
import { joinHostPort } from '../../lib/ip.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';
import type { Backend } from './backend.ts';

/** PEM texts. */
export interface KubeletCredentials {
  readonly cert: string;
  readonly key: string;
  /** The CA that signed the kubelets' serving certificates. */
  readonly ca: string;
}

const DEFAULT_PORT = 10250;

export class Kubelets {
  readonly #core: Core;
  readonly #credentials: KubeletCredentials;

  constructor(core: Core, credentials: KubeletCredentials) {
    this.#core = core;
    this.#credentials = credentials;
  }

  /** Throws ApiError: the Pod has no node yet (400), or the node has no address (503). */
  backendOf(pod: Pod): Backend {
    const { nodeName } = pod.spec;
    if (!nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
    const node = this.#core.cache.of(NODES).get(keyOf(NODES, undefined, nodeName))?.object as Node | undefined;
    if (!node) throw unavailable(`node ${JSON.stringify(nodeName)} of the pod does not exist`);
    return this.backendOfNode(node);
  }

  /** How a Pod's own address is reached: by way of its kubelet, unless the Pod has none. A Pod on the node's network has the node's address. */
  wayTo(pod: Pod): { via?: Backend } {
    if (!pod.spec.nodeName || pod.spec.hostNetwork) return {};
    return { via: this.backendOf(pod) };
  }

  /** Throws ApiError 503 for a node without an address. */
  backendOfNode({ metadata, status }: Node): Backend {
    const { addresses = [], daemonEndpoints } = status ?? {};
    const host = (addresses.find(({ type }) => type === 'InternalIP') ?? addresses[0])?.address;
    if (host === undefined) throw unavailable(`no preferred addresses found for node ${JSON.stringify(metadata.name)}`);
    // Certificates are checked against the cluster's CA, and that they are for the address asked.
    return { host, port: daemonEndpoints?.kubeletEndpoint?.Port ?? DEFAULT_PORT, tls: this.#credentials };
  }
}

/** What the client hears when the node does not answer. */
export function unreachable({ host, port }: Backend, path: string, error: Error): ApiError {
  const address = joinHostPort(host, port);
  const reason = dialError(address, error);
  return new ApiError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: error dialing backend: https://${address}${path}: ${reason}`,
    details: { causes: [{ message: reason }] },
  });
}
