/**
 * Builds the starter images (`fairway image starters`) into a directory: one archive each, and the list `starters.json` that the kubelet
 * reads. Incremental: what was made from the same files and by the same definition is left as it is, which takes milliseconds.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exec, HostError, type Exec } from '../../host/exec.ts';
import { STARTERS_FILE, type Starter } from '../../kubelet/starters.ts';
import { BUSYBOX, CATALOGUE, type StarterDefinition } from './catalogue.ts';
import { layerEntries, optionalSources, requiredSources } from './layer.ts';
import { librariesOf } from './libraries.ts';
import { imageArchive } from './oci.ts';
import { pauseProgram } from './pause.ts';

/** A starter cannot be built here; the message says which package to install. */
export class StarterError extends Error {
  override name = 'StarterError';
}

/** One line of `starters.json`: what the kubelet reads, and what the archive was made from. */
export interface BuiltStarter extends Starter {
  /** Of the image's manifest. */
  readonly digest: string;
  /** Installed packages it was made from, with versions. */
  readonly packages: Readonly<Record<string, string>>;
  /** Says whether the archive is up to date: a hash of the definition, and size and time of every file it was made from. */
  readonly madeFrom: { readonly definition: string; readonly files: Readonly<Record<string, string>> };
}

export interface BuildReport {
  readonly starter: BuiltStarter;
  /** False where it was up to date. */
  readonly built: boolean;
}

export interface BuildOptions {
  /** Names of the catalogue; all where absent. */
  readonly names?: readonly string[];
  readonly run?: Exec;
  readonly catalogue?: readonly StarterDefinition[];
}

/** Raised when the way an archive is made changes, so that old ones are made anew. */
const FORMAT = 1;

/** Builds what is not up to date. Throws StarterError for an unknown name or a missing package, after the others were built. */
export async function buildStarters(directory: string, options: BuildOptions = {}): Promise<BuildReport[]> {
  const { run = exec, catalogue = CATALOGUE } = options;
  const wanted = options.names ?? catalogue.map((definition) => definition.name);
  const unknown = wanted.filter((name) => !catalogue.some((definition) => definition.name === name));
  if (unknown.length > 0) {
    const known = catalogue.map((definition) => definition.name).join(', ');
    throw new StarterError(`no starter image is called ${unknown.join(', ')}; there are: ${known}`);
  }
  await mkdir(directory, { recursive: true });
  const before = await readBuilt(directory);
  const reports: BuildReport[] = [];
  const failures: StarterError[] = [];
  for (const definition of catalogue.filter(({ name }) => wanted.includes(name))) {
    const old = before.find((starter) => starter.name === definition.name);
    try {
      if (old && (await isUpToDate(directory, definition, old))) reports.push({ starter: old, built: false });
      else reports.push({ starter: await build(directory, definition, run), built: true });
    } catch (error) {
      if (!(error instanceof StarterError)) throw error;
      failures.push(error);
    }
  }
  const made = reports.map((report) => report.starter);
  const kept = before.filter(
    ({ name }) =>
      !made.some((starter) => starter.name === name) && catalogue.some((definition) => definition.name === name),
  );
  const all = [...made, ...kept].sort((a, b) => rank(catalogue, a.name) - rank(catalogue, b.name));
  if (reports.some((report) => report.built) || kept.length + made.length !== before.length) {
    await replace(join(directory, STARTERS_FILE), [Buffer.from(`${JSON.stringify({ starters: all }, null, 1)}\n`)]);
  }
  if (failures.length > 0) throw new StarterError(failures.map((failure) => failure.message).join('\n'));
  return reports;
}

/** The order of the catalogue is the order of preloading: the sandbox first. */
function rank(catalogue: readonly StarterDefinition[], name: string): number {
  return catalogue.findIndex((definition) => definition.name === name);
}

/** The starters built before; none where the list is missing or unreadable (they are then built anew). */
async function readBuilt(directory: string): Promise<BuiltStarter[]> {
  try {
    const { starters } = JSON.parse(await readFile(join(directory, STARTERS_FILE), 'utf8')) as {
      starters: BuiltStarter[];
    };
    return starters.filter(({ madeFrom, file }) => typeof madeFrom.definition === 'string' && typeof file === 'string');
  } catch {
    return [];
  }
}

function definitionHash(definition: StarterDefinition): string {
  return createHash('sha256')
    .update(JSON.stringify([FORMAT, process.arch, definition]))
    .digest('hex');
}

async function isUpToDate(directory: string, definition: StarterDefinition, old: BuiltStarter): Promise<boolean> {
  if (old.madeFrom.definition !== definitionHash(definition)) return false;
  const stamps = await Promise.all(
    Object.entries(old.madeFrom.files).map(async ([path, stamp]) => (await stampOf(path)) === stamp),
  );
  return stamps.every(Boolean) && (await stampOf(join(directory, old.file))) !== undefined;
}

/** Size and time of change, following links; undefined where there is no such file. */
async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { size, mtimeMs } = await stat(path);
    return `${String(size)} ${String(mtimeMs)}`;
  } catch {
    return undefined;
  }
}

async function build(directory: string, definition: StarterDefinition, run: Exec): Promise<BuiltStarter> {
  const { files, stamps } = await findSources(definition, run);
  const applets = definition.busybox ? (await run(BUSYBOX, ['--list'])).stdout.split('\n').filter(Boolean).sort() : [];
  const packages = await installedPackages(definition.packages, run);
  const made = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  const note = `This is a starter image of Fairway, called ${definition.name}. It stands in for ${definition.images.join(', ')}
where no registry can be reached, and is made from packages of this machine's distribution:
${made.map((line) => `  ${line}\n`).join('') || '  (none)\n'}`;
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  const entries = layerEntries(definition, { files, applets }, pauseProgram(architecture), note, (path) =>
    readFileSync(path),
  );
  const { entrypoint, cmd, ports, stopSignal } = definition;
  const archive = imageArchive(definition.images, architecture === 'x64' ? 'amd64' : 'arm64', entries, {
    ...(entrypoint && { entrypoint }),
    ...(cmd && { cmd }),
    ...(ports && { ports }),
    ...(stopSignal !== undefined && { stopSignal }),
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    labels: { 'io.fairway.starter': 'true', 'io.fairway.starter.packages': made.join(', ') },
  });
  const file = `${definition.name}.tar`;
  await replace(join(directory, file), archive.pieces);
  const { name, images, anyTag, preload } = definition;
  const madeFrom = { definition: definitionHash(definition), files: stamps };
  return { name, file, images, anyTag, preload, digest: archive.digest, packages, madeFrom };
}

async function findSources(definition: StarterDefinition, run: Exec) {
  const files = requiredSources(definition);
  const missing: string[] = [];
  for (const path of files.values()) if ((await stampOf(path)) === undefined) missing.push(path);
  if (missing.length > 0) {
    throw new StarterError(
      `the starter image ${definition.name} needs ${missing.join(', ')}: install the package ${packageOf(definition, missing)} (apt-get install ${packageOf(definition, missing)})`,
    );
  }
  const libraries = await librariesOf(definition.programs, run).catch((cause: unknown) => {
    const why = cause instanceof HostError ? cause.message : String(cause);
    throw new StarterError(`the starter image ${definition.name} cannot be built: ${why}`, { cause });
  });
  for (const path of libraries) files.set(path.slice(1), path);
  const stamps: Record<string, string> = {};
  for (const path of optionalSources(libraries)) {
    if ((await stampOf(path)) !== undefined) files.set(path.slice(1), path);
  }
  for (const path of files.values()) stamps[path] = (await stampOf(path)) ?? '';
  return { files, stamps };
}

/** busybox is a package of its own; everything else comes from the definition's first one. */
function packageOf(definition: StarterDefinition, missing: readonly string[]): string {
  return missing.every((path) => path === BUSYBOX) ? 'busybox-static' : (definition.packages[0] ?? 'of that file');
}

/** Installed ones of the named packages with their versions; none where the machine has no dpkg. */
async function installedPackages(names: readonly string[], run: Exec): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  if (names.length === 0) return found;
  // All of them rather than the named: asking for one that is not installed is a failure to dpkg-query.
  const query = ['-W', '-f', '${Package} ${Version} ${db:Status-Status}\\n'];
  const { stdout } = await run('dpkg-query', query).catch(() => ({ stdout: '' }));
  for (const line of stdout.split('\n')) {
    const [name, version, status] = line.split(' ');
    if (name !== undefined && version !== undefined && status === 'installed' && names.includes(name)) {
      found[name] = version;
    }
  }
  return found;
}

/** Writes beside the file and renames, so that a reader never sees half of it. */
async function replace(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.${String(process.pid)}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o644);
    try {
      for (const piece of pieces) await handle.writeFile(piece);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
