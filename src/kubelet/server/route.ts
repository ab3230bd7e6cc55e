/** The paths of the kubelet's API (feature 7-065). Pure. */

export type Route =
  | { readonly type: 'healthz' | 'metrics' | 'pods' }
  | { readonly type: 'logFiles'; readonly path: string }
  | { readonly type: 'logs'; readonly pod: PodPath; readonly container: string }
  | { readonly type: 'exec' | 'attach' | 'run'; readonly pod: PodPath; readonly container: string }
  | { readonly type: 'portForward'; readonly pod: PodPath };

export interface PodPath {
  readonly namespace: string;
  readonly name: string;
  /** Where the path names it, the pod must be this one. */
  readonly uid?: string;
}

/** undefined where nothing is served. Throws URIError for a path that is not well encoded. */
export function parseRoute(path: string): Route | undefined {
  const [first = '', ...rest] = path.split('/').slice(1).map(decodeURIComponent);
  switch (first) {
    case 'healthz':
    case 'metrics':
    case 'pods':
      return rest.every((part) => part === '') ? { type: first } : undefined;
    case 'logs':
      return rest.length > 0 ? { type: 'logFiles', path: rest.join('/') } : undefined;
    case 'containerLogs':
      return rest.length === 3 ? withContainer('logs', rest) : undefined;
    case 'exec':
    case 'attach':
    case 'run':
      return withContainer(first, rest);
    case 'portForward': {
      const [namespace, name, uid] = rest;
      if (!namespace || !name || rest.length > 3) return undefined;
      return { type: 'portForward', pod: { namespace, name, ...(uid && { uid }) } };
    }
    default:
      return undefined;
  }
}

/** `ns/pod/container` or `ns/pod/uid/container`. */
function withContainer(type: 'logs' | 'exec' | 'attach' | 'run', parts: readonly string[]): Route | undefined {
  const [namespace, name] = parts;
  const container = parts.at(-1);
  const uid = parts.length === 4 ? parts[2] : undefined;
  if (!namespace || !name || !container || parts.length < 3 || parts.length > 4) return undefined;
  return { type, pod: { namespace, name, ...(uid && { uid }) }, container };
}
