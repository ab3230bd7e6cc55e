/** Objects for the tests of the controllers, and a way to wait for what they do. */
import type { TestContext } from 'node:test';
import type { Clock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { startControllers, type Controller, type Controllers } from './loop.ts';
import type { FakeClient } from '../client/fake-client.ts';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject, Namespace, Node, Pod, Service } from '../api/types.ts';

export interface PodFields {
  name: string;
  ip?: string;
  node?: string;
  labels?: Record<string, string>;
  ready?: boolean;
  deleting?: boolean;
  phase?: string;
  created?: string;
  spec?: Partial<Pod['spec']>;
  readySince?: string;
}

/** A Pod of namespace `default` that matches `app: web`, on node01, ready at 10.244.0.N. */
export function aPod(fields: PodFields): Pod {
  const { name, ip, node = 'node01', labels = { app: 'web' }, ready = true, phase = 'Running' } = fields;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels,
      creationTimestamp: fields.created ?? '2026-01-01T00:00:00Z',
      ...(fields.deleting && {
        deletionTimestamp: '2026-01-01T00:01:00Z',
        finalizers: ['test/hold'],
        deletionGracePeriodSeconds: 30,
      }),
    },
    spec: { nodeName: node, containers: [{ name: 'c', image: 'i' }], ...fields.spec },
    status: {
      phase,
      ...(ip !== undefined && { podIP: ip, podIPs: [{ ip }] }),
      conditions: [
        {
          type: 'Ready',
          status: ready ? 'True' : 'False',
          lastTransitionTime: fields.readySince ?? '2026-01-01T00:00:10Z',
        },
      ],
    },
  };
}

export function aService(spec: Partial<Service['spec']> = {}, metadata: Partial<Service['metadata']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'uid-service-web',
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...metadata,
    },
    spec: {
      clusterIP: '10.96.0.20',
      ipFamilies: ['IPv4'],
      selector: { app: 'web' },
      ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }],
      ...spec,
    },
  };
}

export function aNode(
  name: string,
  fields: { labels?: Record<string, string>; ready?: string; ip?: string } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, labels: fields.labels ?? {} },
    spec: {},
    status: {
      addresses: [{ type: 'InternalIP', address: fields.ip ?? '172.30.0.11' }],
      conditions: [{ type: 'Ready', status: fields.ready ?? 'True' }],
      allocatable: { cpu: '2', memory: '4Gi', pods: '110' },
    },
  };
}

export function aNamespace(name = 'default'): Namespace {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
}

/** Waits, woken by the kind's watch, until its objects satisfy `check`; answers them. @throws after five seconds, showing what is there. */
export async function until<T extends KubeObject>(
  client: FakeClient,
  kind: Kind<T>,
  check: (objects: T[]) => boolean,
): Promise<T[]> {
  const signal = AbortSignal.timeout(5000);
  if (check(client.all(kind))) return client.all(kind);
  for await (const _event of client.watch(kind, { signal })) if (check(client.all(kind))) return client.all(kind);
  throw new Error(`waited in vain; there are: ${JSON.stringify(client.all(kind), null, 1)}`);
}

/** Runs controllers against the fake for the length of a test. */
export function runFor(t: TestContext, client: FakeClient, controllers: Controller[], clock?: Clock): Controllers {
  const running = startControllers(controllers, { client, log: silentLog, ...(clock && { clock }) });
  t.after(() => running.stop());
  return running;
}
