/**
 * An image with one layer as an OCI image layout inside a tar: what `ctr images import`, `docker load` and `podman load` read.
 * Pure: the same layer and configuration give the same bytes.
 */
import { createHash } from 'node:crypto';
import { tar, type TarEntry } from './tar.ts';

export interface ImageConfig {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** `NAME=value`. */
  readonly env?: readonly string[];
  readonly workingDir?: string;
  readonly stopSignal?: string;
  /** `80/tcp`. */
  readonly ports?: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageArchive {
  /** To be written one after the other. */
  readonly pieces: readonly Uint8Array[];
  /** Digest of the manifest: `sha256:…`. */
  readonly digest: string;
}

const EPOCH = '1970-01-01T00:00:00Z';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** `names` are full image names; `architecture` is the OCI one (`amd64`, `arm64`). */
export function imageArchive(
  names: readonly string[],
  architecture: string,
  entries: readonly TarEntry[],
  config: ImageConfig,
): ImageArchive {
  const layer = blob('application/vnd.oci.image.layer.v1.tar', tar(entries));
  const settings = blob('application/vnd.oci.image.config.v1+json', [
    json({
      created: EPOCH,
      architecture,
      os: 'linux',
      config: {
        ...(config.entrypoint && { Entrypoint: config.entrypoint }),
        ...(config.cmd && { Cmd: config.cmd }),
        ...(config.env && { Env: config.env }),
        ...(config.workingDir !== undefined && { WorkingDir: config.workingDir }),
        ...(config.stopSignal !== undefined && { StopSignal: config.stopSignal }),
        ...(config.ports && { ExposedPorts: Object.fromEntries(config.ports.map((port) => [port, {}])) }),
        Labels: config.labels,
      },
      rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] },
      history: [{ created: EPOCH, created_by: 'fairway image starters' }],
    }),
  ]);
  const manifest = blob(MANIFEST, [
    json({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: settings.descriptor,
      layers: [layer.descriptor],
      annotations: config.labels,
    }),
  ]);
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: names.map((name) => ({
      ...manifest.descriptor,
      platform: { architecture, os: 'linux' },
      annotations: {
        'io.containerd.image.name': name,
        'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
      },
    })),
  };
  const file = (path: string, content: Uint8Array): TarEntry => ({ path, mode: 0o644, type: 'file', content });
  const directory = (path: string): TarEntry => ({ path, mode: 0o755, type: 'directory' });
  const pieces = tar([
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
    file('index.json', json(index)),
    directory('blobs'),
    directory('blobs/sha256'),
    ...[manifest, settings, layer].map(({ descriptor, content }) =>
      file(`blobs/${descriptor.digest.replace(':', '/')}`, content),
    ),
  ]);
  return { pieces, digest: manifest.descriptor.digest };
}

function blob(mediaType: string, pieces: readonly Uint8Array[]) {
  const content = pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  return { descriptor: { mediaType, digest, size: content.length }, content };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
