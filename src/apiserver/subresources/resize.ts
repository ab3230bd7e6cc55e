/** pods/resize, which kubectl speaks of since 1.32 and nothing here carries out: the kubelet changes no container that runs. */
import { ApiError } from '../../api/api-error.ts';
import { PODS } from '../../api/kinds.ts';
import type { ResourceInfo } from '../routes.ts';

/** Throws NotFound that says why, in place of a path that leads nowhere. */
export function refuseResize({ kind, name = '', subresource }: ResourceInfo): void {
  if (kind !== PODS || (subresource as string | undefined) !== 'resize') return;
  throw new ApiError({
    code: 404,
    reason: 'NotFound',
    message:
      'pods/resize is not served here: resources are fixed while a container runs; change them in the template, or make the Pod anew',
    details: { name, kind: 'pods' },
  });
}
