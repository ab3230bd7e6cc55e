/** A copy held against what the API says. Pure. */
import type { KubeObject } from '../../api/types.ts';

/** `UID RESOURCE-VERSION`: another object, or the same in another state, has another. */
export type Version = string;

export interface Difference {
  /** `NAMESPACE/NAME`, or `/NAME` where there are no namespaces. */
  readonly key: string;
  /** Absent: not there. */
  readonly api: Version | undefined;
  readonly copy: Version | undefined;
}

export const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;

export const versionOf = ({ metadata }: KubeObject): Version =>
  `${metadata.uid ?? ''} ${metadata.resourceVersion ?? ''}`;

/**
 * What differs and may not just be newer than what was listed.
 * @param copy of the same part of the objects as the list
 * @param list `isWhole`: what is not in it is not there; `listedAt`: its resourceVersion
 */
export function differences(
  api: ReadonlyMap<string, Version>,
  copy: readonly KubeObject[],
  list: { readonly listedAt: string; readonly isWhole: boolean },
): Difference[] {
  const found: Difference[] = [];
  const seen = new Set<string>();
  for (const object of copy) {
    const key = keyOf(object);
    const [listed, own] = [api.get(key), versionOf(object)];
    seen.add(key);
    if (listed === own || (listed === undefined && !list.isWhole)) continue;
    // The copy is ahead of a list that was read a moment ago.
    if (numberOf(object.metadata.resourceVersion) > numberOf(list.listedAt)) continue;
    found.push({ key, api: listed, copy: own });
  }
  for (const [key, version] of api) if (!seen.has(key)) found.push({ key, api: version, copy: undefined });
  return found;
}

/** Versions of one server count up (KEP-5504); one that is no number is compared with nothing. */
const numberOf = (version: string | undefined): number =>
  version !== undefined && /^\d+$/.test(version) ? Number(version) : Number.NaN;
