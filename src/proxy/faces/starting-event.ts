/** What a proxy says on its Node when it begins (3-031, 3-110). */
import { apiVersionOf, NODES } from '../../api/kinds.ts';
import type { EventRecorder } from '../../client/events.ts';
import type { ProxyMode } from '../backend.ts';

/** As the kubelet does, the name stands in for the uid: `kubectl describe node` looks for it so. */
export function sayStarting(recorder: EventRecorder, nodeName: string, mode: ProxyMode): void {
  const node = { apiVersion: apiVersionOf(NODES), kind: NODES.kind, metadata: { name: nodeName, uid: nodeName } };
  recorder.event(node, 'Normal', 'Starting', 'Starting kube-proxy.');
  if (mode !== 'ipvs') return;
  const message =
    'Kubernetes deprecates the ipvs mode of kube-proxy (KEP-5495); nftables mode serves all that it serves.';
  recorder.event(node, 'Warning', 'IPVSDeprecation', message);
}
