/** Puts an image archive into one node's containerd: `fairway image load FILE.tar`. */
import { stat } from 'node:fs/promises';
import { createCtr } from '../../host/ctr.ts';
import type { Exec } from '../../host/exec.ts';

/**
 * Imports a docker or OCI archive through the containerd behind `nodeSocket`. Resolves to the names of the images it brought.
 * Throws an Error where the file cannot be read, HostError where containerd refuses it.
 */
export async function loadImage(nodeSocket: string, file: string, run?: Exec): Promise<string[]> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new Error(`cannot read the image archive ${file}`, { cause });
  });
  if (!found.isFile()) throw new Error(`${file} is not a file; an image archive is what "docker save" writes`);
  return createCtr(nodeSocket, run).importImage(file);
}
