/** Which shared libraries programs need, so that an image can carry exactly those. */
import type { Exec } from '../../host/exec.ts';

/**
 * Paths of libraries in `ldd` output, the program loader among them, each once, sorted. Throws an Error that names a missing library.
 * A statically linked program needs none.
 */
export function parseLdd(output: string): string[] {
  const paths = new Set<string>();
  for (const line of output.split('\n')) {
    const missing = /^\s*(\S+) => not found/.exec(line)?.[1];
    if (missing !== undefined) throw new Error(`the shared library ${missing} is not installed`);
    const path = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line)?.[1];
    if (path !== undefined) paths.add(path);
  }
  return [...paths].sort();
}

/** The libraries of the given programs. One `ldd` call for all of them. */
export async function librariesOf(programs: readonly string[], run: Exec): Promise<string[]> {
  if (programs.length === 0) return [];
  const { stdout } = await run('ldd', programs);
  return parseLdd(stdout);
}
