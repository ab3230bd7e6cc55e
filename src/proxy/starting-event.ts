/** The event on the Node that says a proxy begins (3-031). */
import { EVENTS } from '../api/kinds.ts';
import type { Client } from '../client/client.ts';
import { timestamp, type Clock } from '../lib/clock.ts';

/** Throws what the client throws: nothing depends on it. */
export async function sayStarting(client: Client, nodeName: string, clock: Clock): Promise<void> {
  const now = timestamp(clock.now());
  await client.create(EVENTS, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${nodeName}.proxy.${clock.now().toString(16)}`, namespace: 'default' },
    involvedObject: { kind: 'Node', name: nodeName, uid: nodeName },
    type: 'Normal',
    reason: 'Starting',
    message: 'Starting kube-proxy.',
    source: { component: 'kube-proxy', host: nodeName },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    reportingComponent: 'kube-proxy',
    reportingInstance: nodeName,
  });
}
