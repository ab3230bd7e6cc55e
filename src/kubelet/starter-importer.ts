/** Brings starter images into the node's runtime. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cri, Image } from '../host/cri/cri.ts';
import type { Ctr } from '../host/ctr.ts';
import type { Clock } from '../lib/clock.ts';
import { formatImageReference, parseImageReference } from './image-reference.ts';
import { findStarter, parseStarters, STARTERS_FILE, type Starter } from './starters.ts';

export interface StarterImporter {
  /** The starters there are now; none where the directory has no list. Throws an Error for a list that cannot be read. */
  list(): Promise<Starter[]>;
  /** Imports the starter that stands in for `image` under that name, if there is one. */
  import(image: string): Promise<Image | undefined>;
}

export interface StarterImporterOptions {
  readonly directory: string;
  readonly cri: Pick<Cri, 'imageStatus'>;
  readonly ctr: Ctr;
  readonly clock: Clock;
}

export const noStarters: StarterImporter = {
  list: () => Promise.resolve([]),
  import: () => Promise.resolve(undefined),
};

export function createStarterImporter({ directory, cri, ctr, clock }: StarterImporterOptions): StarterImporter {
  /** One import of an archive at a time; others that want it wait for the same one. */
  const busy = new Map<string, Promise<void>>();

  const list = async () => {
    const text = await readFile(join(directory, STARTERS_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return text === undefined ? [] : parseStarters(text);
  };

  /** The runtime hears of a new image a moment after it is there. */
  const appears = async (name: string): Promise<Image> => {
    for (let waited = 0; ; waited += 10) {
      const image = await cri.imageStatus(name);
      if (image) return image;
      if (waited >= 5000) throw new Error(`the runtime does not list ${name}, which was imported`);
      await new Promise<void>((resolve) => void clock.after(10, resolve));
    }
  };

  const importOnce = (file: string, name: string): Promise<void> => {
    const running = busy.get(file);
    if (running) return running;
    const started = (async () => {
      if (!(await cri.imageStatus(name))) await ctr.importImage(join(directory, file));
    })().finally(() => busy.delete(file));
    busy.set(file, started);
    return started;
  };

  return {
    list,
    async import(image) {
      const reference = parseImageReference(image);
      const found = findStarter(await list(), image);
      if (!reference || !found) return undefined;
      const { starter, importedAs } = found;
      await importOnce(starter.file, importedAs);
      const present = await appears(importedAs);
      const name = formatImageReference(reference);
      if (name === importedAs) return present;
      await ctr.tagImage(importedAs, name);
      return appears(name);
    },
  };
}
