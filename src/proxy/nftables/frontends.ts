/** Where a ServicePort is reached: the keys under which the maps know it. */
import { addressBytes, portBytes, protocolBytes } from './bytes.ts';
import type { ServicePort } from '../plan/types.ts';

export type FrontendKind = 'clusterIP' | 'externalIP' | 'loadBalancerIP' | 'nodePort';

export interface Frontend {
  /** Bytes of address, protocol and port; of protocol and port for a node port. */
  readonly key: string;
  readonly kind: FrontendKind;
}

/** Each key once: what a Service names twice is the first of cluster IP, external IP, load balancer IP. */
export function frontendsOf(service: ServicePort): readonly Frontend[] {
  const { clusterIP, externalIPs, loadBalancerIPs, nodePort, protocol, port } = service;
  const tail = protocolBytes(protocol) + portBytes(port);
  const found: Frontend[] = [{ key: addressBytes(clusterIP) + tail, kind: 'clusterIP' }];
  const add = (key: string, kind: FrontendKind) => {
    if (!found.some((one) => one.key === key)) found.push({ key, kind });
  };
  for (const ip of externalIPs) add(addressBytes(ip) + tail, 'externalIP');
  for (const ip of loadBalancerIPs) add(addressBytes(ip) + tail, 'loadBalancerIP');
  if (nodePort !== undefined) add(protocolBytes(protocol) + portBytes(nodePort), 'nodePort');
  return found;
}
