/** Where a look-up of a Pod starts: its network namespace, the resolv.conf that it really has, and which C library its image brings. */
import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Pod } from '../api/types.ts';
import { renderResolvConf, type Libc } from '../dns/explain/index.ts';
import type { ReportResolver } from '../dns/explain/report.ts';
import type { PodPlaces } from '../kubelet/run.ts';
import { Refusal } from '../kubelet/server/index.ts';

export interface PodPlace {
  /** Absent: the node's. */
  readonly networkNamespace?: string;
  readonly resolver: ReportResolver;
}

/** @throws Refusal where the Pod does not run */
export async function placeOf(pods: PodPlaces, pod: Pod): Promise<PodPlace> {
  const { uid = '', name } = pod.metadata;
  const sandbox = pods.sandboxId(uid);
  if (sandbox === undefined) throw new Refusal(400, `pod "${name}" is not running: it has no network yet`);
  const info = await pods.cri.sandboxInfo(sandbox);
  const isOnNode = pod.spec.hostNetwork === true;
  if (!isOnNode && info.networkNamespace === undefined) {
    throw new Refusal(500, `the container runtime does not tell where the network of pod "${name}" is`);
  }
  const expected = renderResolvConf(await pods.resolverOf(pod));
  const file = info.mounts.get('/etc/resolv.conf');
  const real = file === undefined ? undefined : await readSmall(file);
  const libc = await libcOf(pods, pod);
  return {
    ...(!isOnNode && info.networkNamespace !== undefined && { networkNamespace: info.networkNamespace }),
    resolver: {
      resolvConf: real ?? expected,
      source: real === undefined ? 'computed' : 'file',
      ...(real !== undefined && linesOf(real) !== linesOf(expected) && { expected }),
      ...(libc && { libc }),
    },
  };
}

/** What a resolver makes of it: in any order of lines, without comments. */
const linesOf = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '' && !/^[#;]/.test(line))
    .sort()
    .join('\n');

const MOST_BYTES = 64 * 1024;

async function readSmall(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/** Of the first container that tells: musl's loader lies in /lib under its own name. Nothing is read but names of files. */
async function libcOf(pods: PodPlaces, { metadata, spec }: Pod): Promise<Libc | undefined> {
  for (const { name } of spec.containers) {
    const record = pods.container(metadata.uid ?? '', name);
    const info =
      record?.state === 'RUNNING' ? await pods.cri.containerInfo(record.id).catch(() => undefined) : undefined;
    if (info?.pid === undefined) continue;
    const files = [`/proc/${String(info.pid)}/root/lib`, `/proc/${String(info.pid)}/root/lib64`].flatMap(namesIn);
    if (files.some((file) => file.startsWith('ld-musl-'))) return 'musl';
    if (files.some((file) => file.startsWith('ld-linux'))) return 'glibc';
  }
  return undefined;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
