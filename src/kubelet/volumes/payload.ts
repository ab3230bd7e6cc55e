/** The files of a volume that is made of objects: which there are, what is in them, and their modes. Pure but for the reads it is given. */
import type { Core, Pod } from '../../api/types.ts';
import { fieldValue, resourceValue, type DownwardContext } from '../downward.ts';
import { ContainerConfigError, VolumeError, type ObjectSource } from '../parts.ts';

export interface VolumeFile {
  readonly content: Buffer;
  /** Permission bits. */
  readonly mode: number;
}

/** Path inside the volume (with `/` for folders) -> file. */
export type Payload = Map<string, VolumeFile>;

/** A token for a pod's service account, and when it must be replaced (ms since the epoch). */
export interface ProjectedToken {
  readonly token: string;
  readonly refreshAt: number;
}

export interface PayloadContext extends DownwardContext {
  readonly objects: ObjectSource;
  /** A token that is still good, from memory or asked for. */
  readonly token: (pod: Pod, volume: string, source: Core.ServiceAccountTokenProjection) => Promise<ProjectedToken>;
}

const DEFAULT_MODE = 0o644;

/** The payload of a configMap, secret, downwardAPI or projected volume. Throws VolumeError. */
export async function volumePayload(pod: Pod, volume: Core.Volume, context: PayloadContext): Promise<Payload> {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap) return configMapFiles(pod, configMap, configMap.defaultMode ?? DEFAULT_MODE, context);
  if (secret) {
    const { secretName, ...rest } = secret;
    return secretFiles(pod, { ...rest, name: secretName ?? '' }, secret.defaultMode ?? DEFAULT_MODE, context);
  }
  if (downwardAPI) return downwardFiles(pod, downwardAPI.items, downwardAPI.defaultMode ?? DEFAULT_MODE, context);
  const files: Payload = new Map();
  const mode = projected?.defaultMode ?? DEFAULT_MODE;
  for (const source of projected?.sources ?? []) {
    for (const [path, file] of await projectedFiles(pod, volume.name, source, mode, context)) files.set(path, file);
  }
  return files;
}

async function projectedFiles(
  pod: Pod,
  volume: string,
  source: Core.VolumeProjection,
  mode: number,
  context: PayloadContext,
): Promise<Payload> {
  if (source.configMap) return configMapFiles(pod, source.configMap, mode, context);
  if (source.secret) return secretFiles(pod, source.secret, mode, context);
  if (source.downwardAPI) return downwardFiles(pod, source.downwardAPI.items, mode, context);
  if (source.serviceAccountToken) {
    const { token } = await context.token(pod, volume, source.serviceAccountToken);
    return new Map([[safePath(source.serviceAccountToken.path), { content: Buffer.from(token), mode }]]);
  }
  throw new VolumeError(
    `projected volume "${volume}" has a source of a kind that is not supported: ${Object.keys(source).join(', ')}`,
  );
}

interface KeyedSource {
  readonly name?: string;
  readonly items?: readonly Core.KeyToPath[];
  readonly optional?: boolean;
}

async function configMapFiles(
  pod: Pod,
  source: KeyedSource,
  mode: number,
  { objects }: PayloadContext,
): Promise<Payload> {
  const namespace = pod.metadata.namespace ?? 'default';
  const object = await objects.configMap(namespace, source.name ?? '');
  if (!object && source.optional !== true) throw new VolumeError(`configmap "${source.name ?? ''}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(text));
  for (const [key, text] of Object.entries(object?.binaryData ?? {})) data.set(key, Buffer.from(text, 'base64'));
  return select(data, source, mode, `configmap "${source.name ?? ''}"`);
}

async function secretFiles(pod: Pod, source: KeyedSource, mode: number, { objects }: PayloadContext): Promise<Payload> {
  const namespace = pod.metadata.namespace ?? 'default';
  const object = await objects.secret(namespace, source.name ?? '');
  if (!object && source.optional !== true) throw new VolumeError(`secret "${source.name ?? ''}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(text, 'base64'));
  return select(data, source, mode, `secret "${source.name ?? ''}"`);
}

/** All keys, or the listed ones under the listed paths. */
function select(data: ReadonlyMap<string, Buffer>, source: KeyedSource, mode: number, title: string): Payload {
  if (!source.items || source.items.length === 0) {
    return new Map([...data].map(([key, content]) => [safePath(key), { content, mode }]));
  }
  const files: Payload = new Map();
  for (const item of source.items) {
    const content = data.get(item.key);
    if (content) files.set(safePath(item.path), { content, mode: item.mode ?? mode });
    else if (source.optional !== true) throw new VolumeError(`${title} references non-existent key: ${item.key}`);
  }
  return files;
}

function downwardFiles(
  pod: Pod,
  items: readonly Core.DownwardAPIVolumeFile[] | undefined,
  mode: number,
  context: DownwardContext,
): Payload {
  const files: Payload = new Map();
  for (const item of items ?? []) {
    files.set(safePath(item.path), {
      content: Buffer.from(downwardValue(pod, item, context)),
      mode: item.mode ?? mode,
    });
  }
  return files;
}

function downwardValue(pod: Pod, item: Core.DownwardAPIVolumeFile, context: DownwardContext): string {
  const [container] = pod.spec.containers;
  try {
    if (item.fieldRef) return fieldValue(pod, item.fieldRef.fieldPath, context);
    if (item.resourceFieldRef && container) return resourceValue(pod, container, item.resourceFieldRef, context);
  } catch (cause) {
    if (cause instanceof ContainerConfigError) throw new VolumeError(cause.message, { cause });
    throw cause;
  }
  return '';
}

/** Volumes come from anybody who may create pods: a path must stay inside. Throws VolumeError. */
export function safePath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || path.startsWith('/') || parts.some((part) => part === '..' || part.includes('\0'))) {
    throw new VolumeError(`invalid path "${path}": it must be relative and must not lead out of the volume`);
  }
  if (parts[0]?.startsWith('..') === true) throw new VolumeError(`invalid path "${path}": it must not begin with ".."`);
  return parts.join('/');
}

/** Whether the kubelet mounts this volume read-only, whatever the container asks: it is written from outside. */
export function isReadOnlyVolume(volume: Core.Volume): boolean {
  return Boolean(volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected);
}
