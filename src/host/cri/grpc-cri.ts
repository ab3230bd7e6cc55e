/**
 * CRI over gRPC on a unix socket. Messages are turned into the plain values of `cri.ts` in `messages.ts`; here is only the wire.
 */
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { CriError } from './cri.ts';
import type { ContainerConfig, Cri, CriCode, ExecOutput, RegistryAuth, SandboxConfig, StreamRequest } from './cri.ts';
import * as messages from './messages.ts';

const SECOND = 1000;
/** A sandbox or container that takes longer than this is stuck; pulling an image may take long (the kubelet's own two limits). */
const CALL_TIMEOUT = 120 * SECOND;
const PULL_TIMEOUT = 3600 * SECOND;
const CONNECT_BACKOFF = { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 2000 };
const MAX_MESSAGE = 16 * 1024 * 1024;

type Reply = object;
type Method = (
  request: object,
  options: { deadline: number },
  callback: (error: ServiceError | null, reply: Reply) => void,
) => void;
/** A gRPC client with one method per call of the proto file. */
type Service = Record<string, Method> & { close(): void };
type ServiceConstructor = new (address: string, credentials: unknown, options: object) => Service;

/** Connects lazily and reconnects by itself. `endpoint` is the path of the runtime's socket. */
export function connectCri(endpoint: string): Cri {
  const definition = loadSync(fileURLToPath(new URL('runtime.proto', import.meta.url)), {
    longs: Number,
    enums: String,
    defaults: true,
  });
  const loaded = loadPackageDefinition(definition) as unknown as {
    runtime: { v1: { RuntimeService: ServiceConstructor; ImageService: ServiceConstructor } };
  };
  const options = { ...CONNECT_BACKOFF, 'grpc.max_receive_message_length': MAX_MESSAGE };
  const address = `unix:${endpoint}`;
  const runtime = new loaded.runtime.v1.RuntimeService(address, credentials.createInsecure(), options);
  const images = new loaded.runtime.v1.ImageService(address, credentials.createInsecure(), options);
  return assemble(callerOf(runtime), callerOf(images), () => {
    runtime.close();
    images.close();
  });
}

type Call = <T>(name: string, request?: object, timeout?: number) => Promise<T>;

function callerOf(service: Service): Call {
  return <T>(name: string, request: object = {}, timeout = CALL_TIMEOUT) =>
    new Promise<T>((resolve, reject) => {
      const method = service[name];
      if (!method) throw new Error(`runtime.proto has no call ${name}`);
      method.call(service, request, { deadline: Date.now() + timeout }, (error, reply) => {
        if (error) reject(new CriError(name, codeOf(error.code), error.details, error));
        else resolve(reply as T);
      });
    });
}

function codeOf(code: number): CriCode {
  const spelled = (status[code] ?? 'UNKNOWN').toLowerCase().split('_');
  return spelled.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('') as CriCode;
}

function assemble(runtime: Call, images: Call, close: () => void): Cri {
  return {
    ...sandboxCalls(runtime),
    ...containerCalls(runtime),
    ...streamCalls(runtime),
    ...imageCalls(images),
    close,
  };
}

function sandboxCalls(call: Call) {
  return {
    version: () => call<messages.WireVersion>('Version'),
    status: async () => (await call<{ status: messages.WireStatus }>('Status')).status.conditions,
    runPodSandbox: async (config: SandboxConfig) =>
      (await call<{ podSandboxId: string }>('RunPodSandbox', { config: messages.sandboxConfig(config) })).podSandboxId,
    stopPodSandbox: async (id: string) => {
      await call('StopPodSandbox', { id });
    },
    removePodSandbox: async (id: string) => {
      await call('RemovePodSandbox', { id });
    },
    podSandboxStatus: async (id: string) =>
      messages.sandboxStatus((await call<{ status: messages.WireSandboxStatus }>('PodSandboxStatus', { id })).status),
    listPodSandboxes: async () =>
      (await call<{ items: messages.WireSandbox[] }>('ListPodSandbox')).items.map(messages.sandbox),
  };
}

function containerCalls(call: Call) {
  return {
    createContainer: async (podSandboxId: string, config: ContainerConfig, sandbox: SandboxConfig) => {
      const request = {
        podSandboxId,
        config: messages.containerConfig(config),
        sandboxConfig: messages.sandboxConfig(sandbox),
      };
      return (await call<{ id: string }>('CreateContainer', request)).id;
    },
    startContainer: async (id: string) => {
      await call('StartContainer', { id });
    },
    stopContainer: async (containerId: string, timeoutSeconds: number) => {
      await call('StopContainer', { containerId, timeout: timeoutSeconds }, CALL_TIMEOUT + timeoutSeconds * SECOND);
    },
    removeContainer: async (id: string) => {
      await call('RemoveContainer', { id });
    },
    containerStatus: async (id: string) =>
      messages.containerStatus(
        (await call<{ status: messages.WireContainerStatus }>('ContainerStatus', { id })).status,
      ),
    listContainers: async () =>
      (await call<{ containers: messages.WireContainer[] }>('ListContainers')).containers.map(messages.container),
    reopenContainerLog: async (id: string) => {
      await call('ReopenContainerLog', { id });
    },
    execSync: (containerId: string, command: readonly string[], timeoutSeconds: number) =>
      call<ExecOutput>(
        'ExecSync',
        { containerId, cmd: command, timeout: timeoutSeconds },
        timeoutSeconds > 0 ? (timeoutSeconds + 10) * SECOND : PULL_TIMEOUT,
      ),
  };
}

function streamCalls(call: Call) {
  const url = async (name: string, request: object) => (await call<{ url: string }>(name, request)).url;
  return {
    exec: ({ command, ...request }: StreamRequest & { command: readonly string[] }) =>
      url('Exec', { ...request, cmd: command }),
    attach: (request: StreamRequest) => url('Attach', request),
    portForward: (id: string) => url('PortForward', { id }),
  };
}

function imageCalls(call: Call) {
  return {
    listImages: async () => (await call<{ images: messages.WireImage[] }>('ListImages')).images.map(messages.image),
    imageStatus: async (image: string) => {
      const reply = await call<{ image: messages.WireImage | null }>('ImageStatus', { image: { image } });
      return reply.image ? messages.image(reply.image) : undefined;
    },
    pullImage: async (image: string, auth?: RegistryAuth) => {
      const request = { image: { image }, ...(auth && { auth }) };
      return (await call<{ imageRef: string }>('PullImage', request, PULL_TIMEOUT)).imageRef;
    },
    removeImage: async (image: string) => {
      await call('RemoveImage', { image: { image } });
    },
  };
}
