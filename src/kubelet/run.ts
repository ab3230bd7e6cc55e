/** The kubelet of one node: registers it, sets its network up, and runs the pods that are bound to it. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NODES, PODS, SERVICES } from '../api/kinds.ts';
import type { Pod, Service } from '../api/types.ts';
import type { Client, Informer } from '../client/client.ts';
import { createEventRecorder } from '../client/events.ts';
import type { EventRecorder } from '../client/events.ts';
import { startInformer } from '../client/informer.ts';
import { createCtr } from '../host/ctr.ts';
import type { Cri } from '../host/cri/cri.ts';
import { connectCri } from '../host/cri/grpc-cri.ts';
import { Backoff } from '../lib/backoff.ts';
import { realClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { expandVariables, makeEnvironment } from './environment.ts';
import { renderHostsFile } from './hosts-file.ts';
import { createImageManager } from './images.ts';
import { startLogRotation } from './logs/index.ts';
import { readMachine } from './machine.ts';
import type { HairpinMode } from './network.ts';
import { NodeNetwork } from './node-network.ts';
import { capacityOf, KUBELET_VERSION } from './node-status.ts';
import type { MachineFacts } from './node-status.ts';
import { NodeKeeper } from './node.ts';
import { objectSource } from './object-source.ts';
import type { NodeFacts, PodContext } from './pod-context.ts';
import { PodWorker } from './pod-worker.ts';
import { createProbeManager, createRunHandler, createRunProbe } from './probes/index.ts';
import { dnsWarnings, parseResolvConf, podDns } from './resolv-conf.ts';
import type { PodDns, PodLookup } from './parts.ts';
import { createAccess, runKubeletServer, type Page } from './server/index.ts';
import { createVolumeManager, isReadOnlyVolume } from './volumes/index.ts';

export interface KubeletOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** Path of the runtime's socket, with or without `unix://`. */
  readonly runtimeEndpoint: string;
  /** The kubelet's own files; one folder per node. */
  readonly rootDir: string;
  readonly podLogsDir: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly clusterCidr: string;
  readonly hairpinMode: HairpinMode;
  /** Parent of the pods' control groups: /fairway-<cluster>/<node>. */
  readonly cgroupRoot: string;
  /** The file that pods with dnsPolicy Default get their resolver from. */
  readonly resolvConf: string;
  readonly cniConfDir: string;
  /** Where the CNI plugins are; the runtime's configuration names the same folder. */
  readonly cniBinDir: string;
  /** Where host-local keeps its addresses; below `rootDir` where absent. */
  readonly cniStateDir?: string;
  readonly serving: { readonly cert: string; readonly key: string; readonly clientCa: string };
  /** Folder of starter images for when no registry answers. */
  readonly startersDir?: string;
  /** Pages beside the kubelet's own, such as those of the node's DNS server, which know its Pods. */
  readonly pages?: (pods: PodPlaces) => ReadonlyMap<string, Page>;
  readonly log: Log;
}

/** Where the Pods of the node are, for who has to go there. */
export interface PodPlaces extends Pick<PodLookup, 'list' | 'get' | 'sandboxId' | 'container'> {
  readonly cri: Pick<Cri, 'sandboxInfo' | 'containerInfo'>;
  /** What the kubelet writes into its resolv.conf now. */
  resolverOf(pod: Pod): Promise<PodDns>;
}

/** ms after a node is ready: the first seconds of two cores belong to the first Pods, whose images are imported when they ask. */
const PRELOAD_DELAY = 3_000;

/** Returns once the node is registered and its pods are looked after. `stop` leaves the containers running. */
export async function runKubelet(options: KubeletOptions): Promise<{ stop(): Promise<void> }> {
  const { client, log, nodeName, rootDir } = options;
  const cniStateDir = options.cniStateDir ?? join(rootDir, 'cni');
  for (const directory of [rootDir, options.podLogsDir]) await mkdir(directory, { recursive: true, mode: 0o750 });
  const socket = options.runtimeEndpoint.replace(/^unix:\/\//, '');
  const cri = connectCri(socket);
  const nodes = startInformer(client, NODES, {}, log);
  const services = startInformer(client, SERVICES, {}, log);
  const pods = startInformer(client, PODS, { fieldSelector: `spec.nodeName=${nodeName}` }, log);
  const network = new NodeNetwork({ ...options, nodes, cniStateDir });
  const events = createEventRecorder(client, 'kubelet', nodeName);
  const { event, nodeWarning } = voices(events, nodeName);
  const machine = await readMachine(rootDir);
  const [version] = await Promise.all([eventually('the container runtime', () => cri.version(), log), network.start()]);
  const node = await nodeFacts(options, machine);
  const base = { client, cri, event, nodeWarning, ...ownNames(options.resolvConf), log, services, node };
  const { context, images, probes } = podContext(base, options.startersDir, socket);
  const worker = new PodWorker(context);
  const { serving, nodeIp: address } = options;
  const server = await runKubeletServer({
    cri,
    log,
    pods: worker,
    serving,
    address,
    healthzPort: HEALTHZ_PORT,
    probeCounts: () => probes.counts(),
    logsDirectory: options.podLogsDir,
    ...pagesOf(options, worker, context),
    access: createAccess(client, nodeName, realClock),
  });
  const rotation = startLogRotation({ cri, clock: realClock, log, containers: () => worker.running() });
  let preloading = () => {};
  let imageProblem = options.startersDir === undefined ? undefined : 'the sandbox image is not there yet';
  const keeper = new NodeKeeper({
    ...{ client, cri, clock: realClock, log },
    facts: { name: nodeName, ips: [address], machine, runtimeVersion: spellRuntime(version) },
    networkProblem: () => imageProblem ?? network.problem,
  });
  const sandboxImage = async () => {
    if (imageProblem === undefined) return;
    await eventually('the sandbox image', () => images.importSandbox(), log);
    imageProblem = undefined;
    preloading = realClock.after(PRELOAD_DELAY, () => void images.preload(), true);
  };
  const registration = eventually('the API server', () => keeper.register(), log);
  await Promise.all([
    sandboxImage(),
    registration.then(() => {
      keeper.start();
    }),
    pods.synced,
  ]);
  await worker.start(pods.list());
  pods.onChange((change) => {
    if (change.type === 'deleted') worker.remove(change.object);
    else worker.update(change.object);
  });
  return {
    async stop() {
      for (const informer of [pods, services, nodes]) informer.stop();
      keeper.stop();
      preloading();
      probes.stop();
      await Promise.all([worker.stop(), network.stop(), server.stop(), rotation.stop(), events.flush()]);
      cri.close();
    },
  };
}

/** How the node itself finds names, read when a pod starts: networks change under a running kubelet. */
function ownNames(resolvConf: string): Pick<PodContext, 'hostDns' | 'hostFile'> {
  return {
    hostDns: async () => parseResolvConf(await readFile(resolvConf, 'utf8').catch(() => '')),
    hostFile: () => readFile('/etc/hosts', 'utf8').catch(() => '127.0.0.1\tlocalhost\n'),
  };
}

/** How pods are spoken of in events, and the Node: as by a kubelet, by its name alone. */
function voices(events: EventRecorder, nodeName: string): Pick<PodContext, 'event' | 'nodeWarning'> {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName, uid: nodeName } };
  return {
    event: (pod, type, reason, message) => {
      events.event({ ...pod, apiVersion: 'v1', kind: 'Pod' }, type, reason, message);
    },
    nodeWarning: (reason, message) => {
      events.event(node, 'Warning', reason, message);
    },
  };
}

function pagesOf({ pages }: KubeletOptions, worker: PodWorker, context: PodContext) {
  return pages ? { pages: pages(placesOf(worker, context)) } : {};
}

function placesOf(worker: PodWorker, context: PodContext): PodPlaces {
  return {
    cri: context.cri,
    list: () => worker.list(),
    get: (namespace, name) => worker.get(namespace, name),
    sandboxId: (uid) => worker.sandboxId(uid),
    container: (uid, name, previous) => worker.container(uid, name, previous),
    resolverOf: async (pod) => podDns(pod, { ...context.node.dns, host: await context.hostDns() }),
  };
}

/** Where the machine's own supervision may ask, on loopback (7-066). */
const HEALTHZ_PORT = 10248;

type Base = Pick<PodContext, 'client' | 'cri' | 'event' | 'nodeWarning' | 'hostDns' | 'hostFile' | 'log' | 'node'> & {
  services: Informer<Service>;
};

function podContext(base: Base, startersDir: string | undefined, socket: string) {
  const { services, ...rest } = base;
  const { client, cri, event, log, node } = rest;
  const objects = objectSource(client);
  const clock = realClock;
  const runner = { cri, clock, version: KUBELET_VERSION.replace(/^v(\d+\.\d+).*/, '$1') };
  const starters = startersDir === undefined ? {} : { startersDir, ctr: createCtr(socket) };
  const images = createImageManager({ cri, event, clock, log, objects, ...starters });
  const probes = createProbeManager({ run: createRunProbe(runner), clock, event });
  const context: PodContext = {
    ...rest,
    ...{ clock, objects, images, probes },
    ...{ isReadOnlyVolume, makeEnvironment, expandVariables, podDns, dnsWarnings, renderHostsFile },
    runHandler: createRunHandler(runner),
    volumes: createVolumeManager({ directory: join(node.rootDir, 'volumes'), client, objects, clock, log }),
    servicesSynced: services.synced,
    services: () => services.list(),
  };
  return { context, images, probes };
}

async function nodeFacts(options: KubeletOptions, machine: MachineFacts): Promise<NodeFacts> {
  const { clusterDns, clusterDomain, rootDir, podLogsDir, cgroupRoot } = options;
  return {
    ...{ rootDir, podLogsDir, cgroupRoot },
    name: options.nodeName,
    ips: [options.nodeIp],
    allocatable: capacityOf(machine),
    memoryCapacity: machine.memoryBytes,
    dns: { clusterDns, clusterDomain },
  };
}

/** `containerd://1.6.20`: without what a distribution added to the version. */
function spellRuntime({ runtimeName, runtimeVersion }: Awaited<ReturnType<Cri['version']>>): string {
  return `${runtimeName}://${runtimeVersion.replace(/[~+].*$/, '').replace(/^v/, '')}`;
}

/** Asks until it is answered: at the start of a machine its parts come up in any order. */
async function eventually<T>(what: string, ask: () => Promise<T>, log: Log): Promise<T> {
  const backoff = new Backoff({ initial: 20, max: 2000 });
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (backoff.failures() === 6) log.warn({ err: error }, `waiting for ${what}`);
      const delay = backoff.next();
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}
