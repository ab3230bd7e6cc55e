/**
 * CRI over gRPC on a unix socket. Messages are turned into the plain values of `cri.ts` in `messages.ts`; here is only the wire.
 */
import { readFileSync } from 'node:fs';
import { CriError } from './cri.ts';
import type { ContainerConfig, Cri, CriCode, ExecOutput, RegistryAuth, SandboxConfig, StreamRequest } from './cri.ts';
import * as messages from './messages.ts';
import { parseProto } from '../grpc/proto.ts';
import type { ProtoFile } from '../grpc/proto.ts';
import { Codec } from '../grpc/codec.ts';
import { unixChannel, type GrpcChannel } from '../grpc/channel.ts';
import { GrpcError } from '../grpc/grpc-error.ts';

const SECOND = 1000;
/** A sandbox or container that takes longer than this is stuck; pulling an image may take long (the kubelet's own two limits). */
const CALL_TIMEOUT = 120 * SECOND;
const PULL_TIMEOUT = 3600 * SECOND;

/** Connects with the first call and reconnects by itself. `endpoint` is the path of the runtime's socket. */
export function connectCri(endpoint: string): Cri {
  const file = parseProto(readFileSync(new URL('runtime.proto', import.meta.url), 'utf8'));
  const channel = unixChannel(endpoint);
  const caller = (service: string) => callerOf(channel, file, service);
  return assemble(caller('RuntimeService'), caller('ImageService'), () => {
    channel.close();
  });
}

type Call = <T>(name: string, request?: object, timeout?: number) => Promise<T>;

function callerOf(channel: GrpcChannel, file: ProtoFile, service: string): Call {
  const codec = new Codec(file);
  return async <T>(name: string, request: object = {}, timeout = CALL_TIMEOUT) => {
    const types = file.services.get(service)?.get(name);
    if (!types) throw new Error(`runtime.proto has no call ${name}`);
    const message = codec.encode(types.request, request);
    try {
      return codec.decode(
        types.response,
        await channel.call(`/${file.package}.${service}/${name}`, message, timeout),
      ) as T;
    } catch (error) {
      if (error instanceof GrpcError) throw new CriError(name, CODES[error.code] ?? 'Unknown', error.message, error);
      throw error;
    }
  };
}

/** By number, from 1: 0 is OK. */
const CODES: readonly (CriCode | undefined)[] = [
  undefined,
  'Cancelled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

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
    sandboxInfo: async (id: string) =>
      messages.runtimeInfo((await call<messages.WireInfo>('PodSandboxStatus', { id, verbose: true })).info),
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
    containerInfo: async (id: string) =>
      messages.runtimeInfo((await call<messages.WireInfo>('ContainerStatus', { id, verbose: true })).info),
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
    portForward: (podSandboxId: string, port: readonly number[] = []) => url('PortForward', { podSandboxId, port }),
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
