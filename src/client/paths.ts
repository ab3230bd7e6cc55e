/** URLs of the Kubernetes API. Pure; every part is escaped. */
import type { Kind } from '../api/kinds.ts';
import type { ListOptions, WatchOptions } from './client.ts';

const escape = encodeURIComponent;

/** `/api/v1/namespaces/default/pods`, or `/api/v1/pods` over all namespaces. */
export function collectionPath(kind: Kind, namespace?: string): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced && namespace !== undefined ? `/namespaces/${escape(namespace)}` : '';
  return `${root}${scope}/${kind.plural}`;
}

/** @throws Error without a name: the path would be that of the whole collection. */
export function objectPath(kind: Kind, name: string, namespace?: string, subresource?: string): string {
  if (name === '') throw new Error(`a ${kind.kind} needs a name to be addressed`);
  if (kind.namespaced && !namespace) throw new Error(`${kind.kind} ${name} needs a namespace to be addressed`);
  return `${collectionPath(kind, namespace)}/${escape(name)}${subresource ? `/${subresource}` : ''}`;
}

/** `?labelSelector=app%3Dweb&limit=500`, or '' where nothing is asked. */
export function listQuery(options: ListOptions & WatchOptions, watch = false): string {
  const query = new URLSearchParams();
  if (watch) query.set('watch', 'true');
  if (options.labelSelector) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector) query.set('fieldSelector', options.fieldSelector);
  if (options.limit !== undefined) query.set('limit', String(options.limit));
  if (options.continue) query.set('continue', options.continue);
  if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion);
  if (options.allowWatchBookmarks) query.set('allowWatchBookmarks', 'true');
  if (options.timeoutSeconds !== undefined) query.set('timeoutSeconds', String(options.timeoutSeconds));
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
