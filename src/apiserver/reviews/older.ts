/** Reviews of clients older than Kubernetes 1.19, and of kubectl 1.27: the same questions in their v1beta1, answered in it. */
import { badRequest } from '../../api/api-error.ts';
import type { ParsedBody } from '../../api/json.ts';
import type { Review, ReviewObject } from './review.ts';

export interface Older {
  /** The row whose schema and answer it has. */
  readonly present: Review;
  /** For the Warning header. */
  readonly deprecated: string;
}

const VERSION = 'v1beta1';

/** `[since, until]`: the minor releases of Kubernetes 1 in which it was deprecated and in which it was gone. */
export function olderReview(present: Review, [since, until]: readonly [number, number]): Review {
  const { group, kind, version } = present;
  const life = `is deprecated in v1.${String(since)}+, unavailable in v1.${String(until)}+`;
  const deprecated = `${group}/${VERSION} ${kind} ${life}; use ${group}/${version} ${kind}`;
  return { ...present, version: VERSION, older: { present, deprecated } };
}

/** A body as the present version has it. `group` became `groups`. Throws BadRequest for a body of another version. */
export function toPresent(body: ParsedBody, { group, older }: Review): ParsedBody {
  const { value } = body;
  if (!older || typeof value !== 'object' || value === null) return body;
  const { apiVersion, spec, ...rest } = value as { apiVersion?: unknown; spec?: unknown };
  const own = `${group}/${VERSION}`;
  if (apiVersion !== undefined && apiVersion !== own) {
    const given = typeof apiVersion === 'string' ? apiVersion : '';
    throw badRequest(`the API version in the data (${given}) does not match the expected API version (${own})`);
  }
  return {
    ...body,
    value: {
      ...rest,
      apiVersion: `${group}/${older.present.version}`,
      ...(spec !== undefined && { spec: rename(spec, 'group', 'groups') }),
    },
  };
}

export function fromPresent(review: ReviewObject, { group, version, older }: Review): ReviewObject {
  if (!older) return review;
  const { spec, ...rest } = review;
  const renamed = spec && (rename(spec, 'groups', 'group') as ReviewObject['spec']);
  return { ...rest, apiVersion: `${group}/${version}`, ...(renamed && { spec: renamed }) };
}

function rename(spec: unknown, from: string, to: string): unknown {
  if (typeof spec !== 'object' || spec === null || !Object.hasOwn(spec, from)) return spec;
  return Object.fromEntries(Object.entries(spec).map(([key, value]) => [key === from ? to : key, value as unknown]));
}
