/**
 * The list of starter images in a directory: small images built on this machine that stand in for a registry that cannot be
 * reached. `fairway image starters` writes it, the kubelet reads it; this is what they agree on.
 */
import { formatImageReference, parseImageReference, repositoryOf } from './image-reference.ts';

/** The image of every pod's sandbox: `sandbox_image` of containerd. */
export const SANDBOX_IMAGE = 'fairway.local/pause:1';

/** Name of the list in the starters' directory. */
export const STARTERS_FILE = 'starters.json';

export interface Starter {
  /** Short name, for people: `nginx`. */
  readonly name: string;
  /** The image archive (OCI layout in a tar), a plain file name in the same directory. */
  readonly file: string;
  /** Full names under which the archive is imported. */
  readonly images: readonly string[];
  /** It also stands in for other tags of the same repositories, never for a digest. */
  readonly anyTag: boolean;
  /** Import it as soon as the node is up, before anybody asks. */
  readonly preload: boolean;
}

/** The starters a `starters.json` lists. Throws an Error that says what is wrong with it. */
export function parseStarters(text: string): Starter[] {
  const raw: unknown = JSON.parse(text);
  const list = raw !== null && typeof raw === 'object' && 'starters' in raw ? raw.starters : undefined;
  if (!Array.isArray(list)) throw new Error(`${STARTERS_FILE} has no list of starters`);
  return list.map((item: unknown): Starter => {
    const entry = (item ?? {}) as Partial<Record<keyof Starter, unknown>>;
    const { name, file, images } = entry;
    if (typeof name !== 'string' || typeof file !== 'string' || !/^[\w.-]+$/.test(file) || !Array.isArray(images)) {
      throw new Error(`${STARTERS_FILE} has an entry without a name, a plain file name or images`);
    }
    return {
      name,
      file,
      images: images.filter((image): image is string => typeof image === 'string'),
      anyTag: entry.anyTag === true,
      preload: entry.preload === true,
    };
  });
}

/** The starter that may stand in for `image`, and which of its own names that is; undefined where there is none. */
export function findStarter(
  starters: readonly Starter[],
  image: string,
): { starter: Starter; importedAs: string } | undefined {
  const wanted = parseImageReference(image);
  if (!wanted || wanted.digest !== undefined) return undefined;
  const exact = formatImageReference(wanted);
  for (const starter of starters) {
    if (starter.images.includes(exact)) return { starter, importedAs: exact };
  }
  for (const starter of starters) {
    if (!starter.anyTag) continue;
    const importedAs = starter.images.find((name) => {
      const own = parseImageReference(name);
      return own !== undefined && repositoryOf(own) === repositoryOf(wanted);
    });
    if (importedAs !== undefined) return { starter, importedAs };
  }
  return undefined;
}
