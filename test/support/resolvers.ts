/** An image with the resolvers of both C libraries: getent and a program of ours linked with glibc, the same program linked with musl, and dig. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildStarters } from '../../src/cluster/images/index.ts';

export const RESOLVERS_IMAGE = 'docker.io/library/resolvers:latest';

/** Builds the image; returns its archive and how to take everything away again. Throws with what is not installed. */
export async function buildResolvers(): Promise<{ archive: string; remove: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'fw-resolvers-'));
  const [glibc, musl] = [join(folder, 'resolve-glibc'), join(folder, 'resolve-musl')];
  compile(glibc, []);
  compileMusl(musl);
  await buildStarters(folder, {
    catalogue: [
      {
        name: 'resolvers',
        images: [RESOLVERS_IMAGE],
        anyTag: false,
        preload: false,
        packages: ['bind9-dnsutils', 'libc-bin', 'busybox-static'],
        programs: ['/usr/bin/getent', '/usr/bin/dig', '/bin/bash', glibc],
        copies: { 'usr/bin/resolve-musl': musl },
        links: { 'usr/bin/resolve-glibc': glibc },
        busybox: true,
        cmd: ['sleep', '3600'],
      },
    ],
  });
  return {
    archive: join(folder, 'resolvers.tar'),
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
}

const SOURCE = join(import.meta.dirname, 'resolve.c');

function compile(
  target: string,
  flags: readonly string[],
  objects: readonly string[] = [],
  behind: readonly string[] = [],
): void {
  const compiler = ['gcc', 'tcc'].find((name) => isThere(name));
  if (compiler === undefined)
    throw new Error('no C compiler; run: make test (it installs one), or apt-get install tcc');
  execFileSync(compiler, [...flags, '-o', target, ...objects, SOURCE, ...behind]);
}

/** Statically with musl's own headers and objects, which any compiler can: Debian has no program that is linked with musl. */
function compileMusl(target: string): void {
  const triple = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-musl`;
  const lib = (name: string) => `/usr/lib/${triple}/${name}`;
  compile(
    target,
    ['-static', '-nostdlib', '-nostdinc', `-I/usr/include/${triple}`],
    [lib('crt1.o'), lib('crti.o')],
    [lib('libc.a'), lib('crtn.o')],
  );
}

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
