/**
 * Image names. `nginx` means docker.io/library/nginx:latest; two spellings of one image must compare equal, because the
 * runtime knows the full one only.
 */

export interface ImageReference {
  /** Registry host, with a port where one is written: `docker.io`. */
  readonly registry: string;
  /** Path on the registry: `library/nginx`. */
  readonly path: string;
  /** `latest` where neither tag nor digest is written; undefined where only a digest is. */
  readonly tag: string | undefined;
  /** `sha256:…`. */
  readonly digest: string | undefined;
}

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagShape = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestShape = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/;
const registryShape = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$/;

/** The parts of an image name, or undefined where it is none (the kubelet's InvalidImageName). */
export function parseImageReference(text: string): ImageReference | undefined {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !digestShape.test(digest)) return undefined;
  let name = at < 0 ? text : text.slice(0, at);
  let tag: string | undefined;
  const colon = name.lastIndexOf(':');
  if (colon > name.lastIndexOf('/')) {
    tag = name.slice(colon + 1);
    name = name.slice(0, colon);
    if (!tagShape.test(tag)) return undefined;
  }
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  // A first component is a host when it cannot be a path component of the default registry.
  const isHost = first === 'localhost' || /[.:[\]]/.test(first) || first !== first.toLowerCase();
  const registry = isHost ? (first === 'index.docker.io' ? 'docker.io' : first) : 'docker.io';
  const rest = isHost ? name.slice(slash + 1) : name;
  const path = registry === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
  if (!registryShape.test(registry) || path.length > 255) return undefined;
  if (!path.split('/').every((part) => component.test(part))) return undefined;
  return { registry, path, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** `docker.io/library/nginx`: the name without tag and digest. */
export function repositoryOf(reference: ImageReference): string {
  return `${reference.registry}/${reference.path}`;
}

/** The full name, as the runtime stores it. A digest outweighs a tag that stands beside it. */
export function formatImageReference(reference: ImageReference): string {
  const { digest, tag } = reference;
  return repositoryOf(reference) + (digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`);
}

/** Always where the tag is `latest` (or absent), else IfNotPresent: the default of `imagePullPolicy`. */
export function defaultPullPolicy(reference: ImageReference): 'Always' | 'IfNotPresent' {
  return reference.digest === undefined && reference.tag === 'latest' ? 'Always' : 'IfNotPresent';
}
