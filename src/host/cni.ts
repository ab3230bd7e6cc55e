/**
 * What containerd's network library remembers of every sandbox, in one folder for the whole machine that cannot be chosen. Removing a
 * sandbox removes it; a node taken down with its sandboxes running would leave it for ever.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const RESULTS = '/var/lib/cni/results';

/** Removes the results of the sandboxes of the containerd that keeps its state below `root` and `state`. */
export function removeCniResults(
  containerd: { readonly root: string; readonly state: string },
  results = RESULTS,
): void {
  const ids = new Set([
    ...namesIn(join(containerd.root, 'io.containerd.grpc.v1.cri', 'sandboxes')),
    ...namesIn(join(containerd.state, 'io.containerd.runtime.v2.task', 'k8s.io')),
  ]);
  for (const name of namesIn(results)) {
    // NETWORK-SANDBOX-INTERFACE
    const id = /-([0-9a-f]{64})-[^-]+$/.exec(name)?.[1];
    if (id !== undefined && ids.has(id)) rmSync(join(results, name), { force: true });
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
