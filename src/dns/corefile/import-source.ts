/** Where `import` gets its files from: the disk, or what a test says. */
import { globSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readSmallFile } from '../../lib/small-file.ts';

export interface ImportSource {
  /** The text, or undefined where there is no such file. */
  read(file: string): string | undefined;
  /** Files that match, sorted; of a pattern without wildcards at most the one. */
  glob(pattern: string): readonly string[];
  /** A pattern that is not absolute counts from the folder of the file it stands in. */
  resolve(importing: string, pattern: string): string;
}

export const diskImports: ImportSource = {
  read(file) {
    try {
      return readSmallFile(file).toString();
    } catch {
      return undefined;
    }
  },
  glob: (pattern) => globSync(pattern).sort(),
  resolve: (importing, pattern) => resolve(dirname(importing), pattern),
};

/** For a Corefile that comes from nowhere on the disk. */
export const noImports: ImportSource = {
  read: () => undefined,
  glob: () => [],
  resolve: (_, pattern) => pattern,
};
