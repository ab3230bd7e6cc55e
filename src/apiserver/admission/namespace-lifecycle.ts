/** Nothing is created in a namespace that does not exist or is going away (features 8-061, 8-062). */
import { ApiError, forbiddenRequest, notFound } from '../../api/api-error.ts';
import { NAMESPACES, type Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import type { Operation } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';
import { readStored } from '../read.ts';

/**
 * The condition the commit must carry: that the namespace is still as it was seen here, so that nothing slips into one whose
 * deletion begins at the same moment. `fresh` looks past the cache. Throws NotFound or Forbidden.
 */
export async function admitNamespace(core: Core, kind: Kind, object: KubeObject, fresh = false): Promise<Operation[]> {
  const { namespace } = object.metadata;
  if (!kind.namespaced || namespace === undefined) return [];
  const key = keyOf(NAMESPACES, undefined, namespace);
  // The cache may not have seen a namespace made a moment ago.
  const cached = fresh ? undefined : core.cache.of(NAMESPACES).get(key);
  const entry = cached ?? (await readStored(core, NAMESPACES, key));
  if (!entry) throw notFound(NAMESPACES, namespace);
  if (entry.object.metadata.deletionTimestamp) throw terminating(kind, object.metadata.name, namespace);
  return [{ type: 'check', key, expect: entry.revision }];
}

function terminating(kind: Kind, name: string, namespace: string): ApiError {
  const message = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const { status } = forbiddenRequest(kind, name, message);
  return new ApiError({
    ...status,
    details: {
      ...status.details,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  });
}
