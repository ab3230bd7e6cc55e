/**
 * Which files a Corefile may name. Who starts the program may have it read any; who may only write the ConfigMap of the cluster may not read
 * files of the nodes through an agent, which runs as root.
 */
import { CorefileError } from './corefile/corefile-error.ts';
import type { Place } from './corefile/directive.ts';
import type { Runtime } from './plugin.ts';

/** What every Pod that runs a DNS server with `dnsPolicy: Default` has as well, and nothing secret is in. */
const USUAL = new Set(['/etc/resolv.conf', '/etc/hosts']);

export interface NamedFile {
  /** The plugin, and the option where there is one: `forward: tls`. */
  readonly by: string;
  /** As it would be opened. */
  readonly file: string;
  /** What to write in its place. */
  readonly instead: string;
  readonly place: Place;
}

/** To be called in `setup`, before anything is opened. @throws CorefileError */
export function expectMayRead({ readsFiles = true }: Pick<Runtime, 'readsFiles'>, named: NamedFile): void {
  const { by, file, instead, place } = named;
  if (readsFiles || USUAL.has(file)) return;
  throw new CorefileError(
    place,
    `${by}: files of the node are not read for a Corefile from the ConfigMap, but for ${[...USUAL].join(' and ')}: found ${file}; ${instead}`,
  );
}
