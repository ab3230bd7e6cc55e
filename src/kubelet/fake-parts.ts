/** The pod worker's surroundings in memory, for its tests: every part answers at once and well unless told otherwise. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Core, Pod } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeCri } from '../host/cri/fake-cri.ts';
import type { Clock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { ImageError } from './parts.ts';
import type { ProbeManager, ProbeResult } from './parts.ts';
import type { PodContext } from './pod-context.ts';

/** Results are what the test says: `set('container-2', {readiness: 'success'})`. */
export class FakeProbes implements ProbeManager {
  readonly #results = new Map<string, { startup: ProbeResult; readiness: ProbeResult; liveness: ProbeResult }>();
  #handler: (uid: string) => void = () => undefined;

  set(
    uid: string,
    containerId: string,
    results: Partial<{ startup: ProbeResult; readiness: ProbeResult; liveness: ProbeResult }>,
  ): void {
    this.#results.set(containerId, { ...this.results(containerId), ...results });
    this.#handler(uid);
  }
  sync(): void {}
  results(containerId: string) {
    return (
      this.#results.get(containerId) ?? ({ startup: 'unknown', readiness: 'failure', liveness: 'success' } as const)
    );
  }
  remove(): void {}
  onResult(handler: (uid: string) => void): void {
    this.#handler = handler;
  }
  stop(): void {}
}

export interface FakeSurroundings {
  readonly context: PodContext;
  readonly client: FakeClient;
  readonly cri: FakeCri;
  readonly probes: FakeProbes;
  /** `Normal Started web`. */
  readonly events: string[];
  /** Calls of hooks: `exec web`. */
  readonly hooks: string[];
}

/** Removed when the process ends: the worker writes hosts files and logs into them until then. */
const directories: string[] = [];
process.once('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

export function fakeSurroundings(
  clock: Clock,
  pods: readonly Pod[],
  images: readonly string[] = ['web:1'],
): FakeSurroundings {
  const client = new FakeClient(pods, clock);
  const cri = new FakeCri(clock, images);
  const probes = new FakeProbes();
  const events: string[] = [];
  const hooks: string[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'fairway-kubelet-'));
  directories.push(directory);
  const context: PodContext = {
    ...{ client, cri, clock, probes, log: silentLog },
    event: (_pod, type, reason, message) => events.push(`${type} ${reason} ${message}`),
    volumes: {
      mountAll: (pod) =>
        Promise.resolve(new Map((pod.spec.volumes ?? []).map(({ name }) => [name, join(directory, name)]))),
      refresh: () => Promise.resolve(),
      subPath: ({ volumePath, subPath }) => Promise.resolve(join(volumePath, subPath)),
      cleanUp: () => Promise.resolve(),
      listPods: () => Promise.resolve([]),
    },
    isReadOnlyVolume: () => false,
    images: {
      ensure: async (_pod, { image = '' }) => {
        const found = await cri.imageStatus(image);
        if (!found) throw new ImageError('ErrImagePull', `${image} not found`);
        return image;
      },
    },
    makeEnvironment: (_pod, container) =>
      Promise.resolve((container.env ?? []).map(({ name, value = '' }) => ({ name, value }))),
    expandVariables: (text, variables) =>
      text.replace(/\$\((\w+)\)/g, (all, name: string) => variables.get(name) ?? all),
    podDns: () => ({ servers: ['10.96.0.10'], searches: [], options: [] }),
    dnsWarnings: () => [],
    hostDns: () => Promise.resolve({ servers: [], searches: [], options: [] }),
    hostFile: () => Promise.resolve('127.0.0.1 localhost\n'),
    nodeWarning: (reason, message) => events.push(`Node Warning ${reason} ${message}`),
    renderHostsFile: () => '127.0.0.1 localhost\n',
    runHandler: (handler, target) => {
      hooks.push(`${Object.keys(handler).join()} ${target.container.name}`);
      return Promise.resolve({ ok: true, output: '' });
    },
    objects: { configMap: () => Promise.resolve(undefined), secret: () => Promise.resolve(undefined) },
    servicesSynced: Promise.resolve(),
    services: () => [],
    node: {
      name: 'node01',
      ips: ['172.30.0.11'],
      allocatable: { cpu: '2', memory: '1Gi' },
      memoryCapacity: 2 ** 30,
      dns: { clusterDns: ['10.96.0.10'], clusterDomain: 'cluster.local' },
      rootDir: join(directory, 'kubelet'),
      podLogsDir: join(directory, 'logs'),
      cgroupRoot: '/fairway-test-no-such-cgroup/node01',
    },
  };
  return { context, client, cri, probes, events, hooks };
}

/** A pod bound to node01, as the API server hands it out. */
export function testPod(name: string, spec: Partial<Core.PodSpec> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: { nodeName: 'node01', restartPolicy: 'Always', containers: [{ name: 'web', image: 'web:1' }], ...spec },
    status: { phase: 'Pending' },
  };
}
