/** The contents of one starter's layer: what is read from the machine and what is written here, as tar entries in a stable order. */
import { BUSYBOX, type StarterDefinition } from './catalogue.ts';
import { groups, nameServiceSwitch, users } from './starter-files.ts';
import type { TarEntry } from './tar.ts';

/** What the layer takes from the machine. Paths are absolute, on the machine. */
export interface Sources {
  /** Path in the image -> where it is read on the machine. Must be there. */
  readonly files: ReadonlyMap<string, string>;
  /** Names of busybox's applets. */
  readonly applets: readonly string[];
}

/** Files that are taken along where they exist: the resolver's modules of an older libc, and the common terminals. */
export function optionalSources(libraries: readonly string[]): string[] {
  const libc = libraries.find((path) => path.endsWith('/libc.so.6'));
  if (libc === undefined) return [];
  const directory = libc.slice(0, libc.lastIndexOf('/'));
  return [
    `${directory}/libnss_files.so.2`,
    `${directory}/libnss_dns.so.2`,
    ...['d/dumb', 'l/linux', 's/screen', 'v/vt100', 'x/xterm', 'x/xterm-256color'].map(
      (name) => `/lib/terminfo/${name}`,
    ),
  ];
}

/** Path in the image -> path on the machine, of everything the definition asks for but optional files and libraries. */
export function requiredSources(definition: StarterDefinition): Map<string, string> {
  const files = new Map<string, string>(Object.entries(definition.copies ?? {}));
  for (const program of definition.programs) files.set(program.slice(1), program);
  if (definition.busybox) files.set(BUSYBOX.slice(1), BUSYBOX);
  return files;
}

/** The entries of the layer; `read` gives the bytes of a file of the machine, `note` is the text of /etc/fairway-starter. */
export function layerEntries(
  definition: StarterDefinition,
  sources: Sources,
  pause: Uint8Array,
  note: string,
  read: (path: string) => Uint8Array,
): TarEntry[] {
  const entries = new Map<string, TarEntry>();
  const put = (entry: TarEntry) => entries.set(entry.path, entry);
  const text = (path: string, content: string, mode = 0o644) =>
    put({ path, mode, type: 'file', content: Buffer.from(content) });
  const link = (path: string, target: string) => put({ path, mode: 0o777, type: 'symlink', target });

  text('etc/fairway-starter', note);
  if (definition.pause) put({ path: 'pause', mode: 0o755, type: 'file', content: pause });
  else {
    text('etc/passwd', users);
    text('etc/group', groups);
    text('etc/nsswitch.conf', nameServiceSwitch);
    for (const path of ['root', 'home', 'var/run', 'usr/bin', 'usr/sbin', 'sbin']) {
      put({ path, mode: path === 'root' ? 0o700 : 0o755, type: 'directory' });
    }
    put({ path: 'tmp', mode: 0o1777, type: 'directory' });
  }
  if (definition.busybox) {
    for (const applet of sources.applets) if (applet !== 'busybox') link(`bin/${applet}`, 'busybox');
    link('usr/bin/env', '../../bin/env');
  }
  for (const path of definition.directories ?? []) put({ path, mode: 0o755, type: 'directory' });
  for (const [path, content] of Object.entries(definition.files ?? {})) {
    if (typeof content === 'string') text(path, content);
    else text(path, content.executable, 0o755);
  }
  for (const [path, source] of sources.files) put({ path, mode: 0o755, type: 'file', content: read(source) });
  for (const [path, target] of Object.entries(definition.links ?? {})) link(path, target);
  return withParents(entries);
}

/** Sorted by path, with every parent directory that is not there yet; a directory comes before what is in it. */
function withParents(entries: Map<string, TarEntry>): TarEntry[] {
  for (const path of [...entries.keys()]) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (!entries.has(parent)) entries.set(parent, { path: parent, mode: 0o755, type: 'directory' });
    }
  }
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
