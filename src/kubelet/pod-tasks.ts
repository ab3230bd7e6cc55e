/** The effects behind a plan's actions: each does one thing for one pod, says so in events, and throws where it has to be tried again. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Core, Pod } from '../api/types.ts';
import type { Cri, SandboxConfig } from '../host/cri/cri.ts';
import { CriError, isCriNotFound } from '../host/cri/cri.ts';
import { containerConfig, requireNonRoot } from './container-config.ts';
import { oldStatus, restartCountOf } from './container-status.ts';
import { ContainerConfigError, ImageError, VolumeError } from './parts.ts';
import type { PodDns } from './parts.ts';
import type { Action, KillContainer, StartContainer } from './plan.ts';
import { environmentContext, podIPsOf, specOf } from './pod-context.ts';
import type { PodContext } from './pod-context.ts';
import { prepareMounts } from './pod-files.ts';
import type { PodRecord } from './pod-record.ts';
import { linuxResources } from './qos.ts';
import { nextRestart } from './restart.ts';
import { newestContainer } from './runtime-view.ts';
import type { RuntimePod } from './runtime-view.ts';
import { HostnameTooLong } from './pod-names.ts';
import { podLogDirectory, sandboxConfig } from './sandbox.ts';
import { stopContainer } from './termination.ts';

export interface TaskScope {
  readonly context: PodContext;
  readonly record: PodRecord;
  readonly runtime: () => RuntimePod;
  /** Looks at the runtime again and lets the pod be reconsidered, while the task goes on. */
  readonly refresh: () => Promise<void>;
}

/** Already told to the user; the worker only has to try again later. */
export class Reported extends Error {
  override name = 'Reported';
}

export async function perform(scope: TaskScope, action: Action): Promise<void> {
  const { cri } = scope.context;
  switch (action.do) {
    case 'mountVolumes':
      return mountVolumes(scope);
    case 'createSandbox':
      return createSandbox(scope, action.attempt, action.stop);
    case 'stopSandbox':
      return cri.stopPodSandbox(action.id);
    case 'removeSandbox':
      return removeSandbox(cri, action.id);
    case 'startContainer':
      return startContainer(scope, action);
    case 'killContainer':
      return killContainer(scope, action);
    case 'removeContainer':
      return cri.removeContainer(action.id);
  }
}

/** The runtime wants a sandbox stopped before it is removed; both may be repeated. */
export async function removeSandbox(cri: Cri, id: string): Promise<void> {
  try {
    await cri.stopPodSandbox(id);
    await cri.removePodSandbox(id);
  } catch (error) {
    if (!isCriNotFound(error)) throw error;
  }
}

async function mountVolumes({ context, record, runtime }: TaskScope): Promise<void> {
  const { pod } = record;
  try {
    const podIPs = podIPsOf(context, pod, runtime());
    record.volumes = await context.volumes.mountAll(pod, environmentContext(context, podIPs));
    record.refreshAt = context.clock.now() + VOLUME_REFRESH;
  } catch (error) {
    if (!(error instanceof VolumeError)) throw error;
    context.event(pod, 'Warning', 'FailedMount', error.message);
    throw new Reported(error.message, { cause: error });
  }
}

/** Milliseconds between two looks at a pod's ConfigMaps, Secrets and tokens. */
export const VOLUME_REFRESH = 60_000;

async function createSandbox({ context, record }: TaskScope, attempt: number, stop: readonly string[]): Promise<void> {
  const { pod } = record;
  for (const id of stop) await context.cri.stopPodSandbox(id);
  if (stop.length > 0)
    context.event(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
  const dns = { ...context.node.dns, host: await context.hostDns() };
  const config = namedOrReported(context, pod, () => sandboxConfigOf(context, pod, attempt, context.podDns(pod, dns)));
  for (const { reason, message, onNode } of context.dnsWarnings(pod, dns)) {
    if (onNode !== undefined) context.nodeWarning(reason, onNode);
    context.event(pod, 'Warning', reason, message);
  }
  await mkdir(config.logDirectory, { recursive: true, mode: 0o755 });
  try {
    await context.cri.runPodSandbox(config);
  } catch (error) {
    if (!(error instanceof CriError)) throw error;
    context.event(pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${error.details}`);
    throw new Reported(error.message, { cause: error });
  }
}

const NO_DNS: PodDns = { servers: [], searches: [], options: [] };

/** A pod with a name that no kernel takes waits, and its event says why. */
function namedOrReported<T>({ event }: PodContext, pod: Pod, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof HostnameTooLong)) throw error;
    event(pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${error.message}`);
    throw new Reported(error.message, { cause: error });
  }
}

function sandboxConfigOf({ node }: PodContext, pod: Pod, attempt: number, dns: PodDns): SandboxConfig {
  const { podLogsDir, cgroupRoot } = node;
  return sandboxConfig(pod, attempt, { podLogsDir, cgroupRoot, clusterDomain: node.dns.clusterDomain, dns });
}

async function startContainer(scope: TaskScope, action: StartContainer): Promise<void> {
  const { context, record } = scope;
  const spec = specOf(record.pod, action.name);
  if (!spec) return;
  try {
    const id = await createContainer(scope, spec, action);
    if (record.abort.signal.aborted) return;
    // Counted before the start: a command that cannot be started backs off like one that ends.
    if (action.finishedAt !== undefined)
      record.restarts.set(spec.name, nextRestart(record.restarts.get(spec.name), action.finishedAt));
    await started(scope, spec, id);
    await postStart(scope, spec, id);
  } catch (error) {
    if (record.abort.signal.aborted) return;
    const waiting = waitingOf(error);
    if (!waiting) throw error;
    record.waiting.set(spec.name, waiting);
    if (!(error instanceof ImageError))
      context.event(record.pod, 'Warning', 'Failed', `Error: ${waiting.message}`, spec.name);
    throw new Reported(waiting.message, { cause: error });
  }
}

/** The waiting state an error becomes; undefined for one that is our own fault. */
function waitingOf(error: unknown): { reason: string; message: string } | undefined {
  if (error instanceof ImageError) return { reason: error.reason, message: error.message };
  if (error instanceof ContainerConfigError || error instanceof VolumeError)
    return { reason: 'CreateContainerConfigError', message: error.message };
  if (!(error instanceof CriError)) return undefined;
  return {
    reason: error.call === 'StartContainer' ? 'RunContainerError' : 'CreateContainerError',
    message: error.details,
  };
}

async function createContainer(scope: TaskScope, spec: Core.Container, action: StartContainer): Promise<string> {
  const { context, record, runtime } = scope;
  const { pod } = record;
  const imageRef = await orAborted(record.abort.signal, context.images.ensure(pod, spec));
  await orAborted(record.abort.signal, context.servicesSynced);
  requireNonRoot(pod, spec, await context.cri.imageStatus(imageRef));
  const podIPs = podIPsOf(context, pod, runtime());
  const env = await context.makeEnvironment(pod, spec, environmentContext(context, podIPs));
  const variables = new Map(env.map(({ name, value }) => [name, value]));
  const expand = (text: string) => context.expandVariables(text, variables);
  const restartCount = nextRestartCount(pod, runtime(), spec.name);
  const volumes = record.volumes ?? new Map<string, string>();
  const mounts = await prepareMounts(context, { pod, spec, podIPs, restartCount, volumes, expand });
  const resources = linuxResources(pod, spec, context.node.memoryCapacity);
  const targetId = targetOf(pod, spec, runtime());
  const config = containerConfig(pod, spec, {
    restartCount,
    imageRef,
    env,
    expand: context.expandVariables,
    mounts,
    resources,
    seccompDir: join(context.node.rootDir, 'seccomp'),
    ...(targetId !== undefined && { targetId }),
  });
  const sandbox = runtime().sandboxes.find(({ id }) => id === action.sandboxId);
  // The runtime made the resolver's file with the sandbox.
  const shared = sandboxConfigOf(context, pod, sandbox?.metadata.attempt ?? 0, NO_DNS);
  await mkdir(join(podLogDirectory(context.node.podLogsDir, pod), spec.name), { recursive: true, mode: 0o755 });
  return context.cri.createContainer(action.sandboxId, config, shared);
}

/** The id of the container that an ephemeral one is to look into. Throws ContainerConfigError where it does not run. */
function targetOf(pod: Pod, spec: Core.Container, runtime: RuntimePod): string | undefined {
  const { targetContainerName: name } = pod.spec.ephemeralContainers?.find((one) => one.name === spec.name) ?? {};
  if (!name) return undefined;
  const found = newestContainer(runtime, name);
  if (found?.state !== 'RUNNING') throw new ContainerConfigError(`unable to find target container ${name}`);
  return found.id;
}

/** One more than the newest run; after the runtime lost them all, one more than the API server remembers. */
function nextRestartCount(pod: Pod, runtime: RuntimePod, name: string): number {
  const newest = newestContainer(runtime, name);
  if (newest) return restartCountOf(newest) + 1;
  const old = oldStatus(pod, name);
  return old === undefined ? 0 : old.restartCount + (old.containerID === undefined ? 0 : 1);
}

async function started({ context, record }: TaskScope, spec: Core.Container, id: string): Promise<void> {
  context.event(record.pod, 'Normal', 'Created', `Created container: ${spec.name}`, spec.name);
  await context.cri.startContainer(id);
  record.waiting.delete(spec.name);
  context.event(record.pod, 'Normal', 'Started', `Started container ${spec.name}`, spec.name);
}

async function postStart(scope: TaskScope, spec: Core.Container, id: string): Promise<void> {
  const hook = spec.lifecycle?.postStart;
  if (!hook) return;
  const { context, record } = scope;
  await scope.refresh();
  const podIP = podIPsOf(context, record.pod, scope.runtime())[0] ?? '';
  const target = { pod: record.pod, container: spec, containerId: id, podIP };
  const { ok, output } = await context.runHandler(hook, target, HOOK_TIMEOUT);
  if (ok) return;
  context.event(record.pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${output}`, spec.name);
  const deadline = context.clock.now() + (record.pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  await killContainer(scope, { do: 'killContainer', name: spec.name, id, deadline, message: 'FailedPostStartHook' });
}

/** A hook has no limit of its own; this one keeps a dead connection from holding a container for ever. */
const HOOK_TIMEOUT = 24 * 3600 * 1000;

async function killContainer({ context, record, runtime }: TaskScope, action: KillContainer): Promise<void> {
  const { pod } = record;
  const container = specOf(pod, action.name) ?? { name: action.name };
  const again = record.hooked.has(action.id);
  record.hooked.add(action.id);
  if (!again) context.event(pod, 'Normal', 'Killing', action.message, action.name);
  const podIP = podIPsOf(context, pod, runtime())[0] ?? '';
  const onHookFailure = (_: unknown, output: string) => {
    context.event(pod, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${output}`, action.name);
  };
  await stopContainer(
    { ...context, onHookFailure },
    { pod, container, containerId: action.id, podIP, deadline: action.deadline, preStop: !again },
  );
}

async function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => {
    aborted.reject(new Error('the pod is ending'));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
