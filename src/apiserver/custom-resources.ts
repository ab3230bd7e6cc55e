/**
 * There are no custom resources yet, and this says so: kubectl lists them before it judges a kind it does not know, and takes anything but a
 * list for a broken server. Not in discovery, because nothing can be done with it.
 */
import type { ResourceInfo } from './routes.ts';

/** The empty list, or undefined where something else is asked for. */
export function noCustomResources({ group, version, resource, verb, name }: ResourceInfo): object | undefined {
  if (group !== 'apiextensions.k8s.io' || version !== 'v1' || resource !== 'customresourcedefinitions')
    return undefined;
  if (verb !== 'list' || name !== undefined) return undefined;
  return {
    kind: 'CustomResourceDefinitionList',
    apiVersion: 'apiextensions.k8s.io/v1',
    metadata: { resourceVersion: '0' },
    items: [],
  };
}
