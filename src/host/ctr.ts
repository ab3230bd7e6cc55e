/** containerd's `ctr`: the few things CRI cannot do, which is to bring images in from a file and to name them. */
import { exec, type Exec } from './exec.ts';

/** The namespace containerd keeps Kubernetes' images in. */
const NAMESPACE = 'k8s.io';

export interface Ctr {
  /** Imports an image archive (docker or OCI, in a tar) and unpacks it. Resolves to the names it brought. Throws HostError. */
  importImage(file: string): Promise<string[]>;
  /** Gives a present image one more name. Throws HostError. */
  tagImage(image: string, name: string): Promise<void>;
}

/** `socket` is containerd's unix socket. An import of a big archive may take minutes on a slow disk. */
export function createCtr(socket: string, run: Exec = exec): Ctr {
  const ctr = (args: string[], timeout: number) =>
    run('ctr', ['--address', socket, '--namespace', NAMESPACE, 'images', ...args], { timeout });
  return {
    async importImage(file) {
      const { stdout } = await ctr(['import', file], 600_000);
      return parseImported(stdout);
    },
    async tagImage(image, name) {
      await ctr(['tag', '--force', image, name], 30_000);
    },
  };
}

/** Names in the output of `ctr images import`: `unpacking NAME (DIGEST)...done`. */
export function parseImported(output: string): string[] {
  return output.split('\n').flatMap((line) => /^unpacking (\S+) \(/.exec(line)?.[1] ?? []);
}
