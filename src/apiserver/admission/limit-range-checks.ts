/** What of a Pod or a claim breaks a LimitRange, in Kubernetes' words. Pure. */
import { podResources, type ResourceList } from '../../api/pod-resources.ts';
import { compareQuantities, parseQuantity } from '../../api/quantity.ts';
import type { Core, LimitRange, PersistentVolumeClaim, Pod } from '../../api/types.ts';

interface Asked {
  readonly requests: ResourceList;
  readonly limits: ResourceList;
}

export function checkPodLimits({ spec }: Pod, range: LimitRange): string[] {
  const of = (container: Core.Container): Asked => ({
    requests: container.resources?.requests ?? {},
    limits: container.resources?.limits ?? {},
  });
  return (range.spec?.limits ?? []).flatMap((item) => {
    if (item.type === 'Container') {
      return [...spec.containers, ...(spec.initContainers ?? [])].flatMap((container) => check(item, of(container)));
    }
    if (item.type !== 'Pod') return [];
    return check(item, { requests: podResources(spec, 'requests'), limits: podResources(spec, 'limits') });
  });
}

/** Of claims only the request counts. */
export function checkClaimLimits({ spec }: PersistentVolumeClaim, range: LimitRange): string[] {
  const asked = { requests: spec?.resources?.requests ?? {}, limits: {} };
  const items = (range.spec?.limits ?? []).filter(({ type }) => type === 'PersistentVolumeClaim');
  return items.flatMap((item) => [
    ...eachOf(item.min).flatMap(([name, least]) => minimum(item.type, name, least, asked)),
    ...eachOf(item.max).flatMap(([name, most]) => maximumRequest(item.type, name, most, asked)),
  ]);
}

function check(item: Core.LimitRangeItem, asked: Asked): string[] {
  return [
    ...eachOf(item.min).flatMap(([name, least]) => minimum(item.type, name, least, asked)),
    ...eachOf(item.max).flatMap(([name, most]) => maximum(item.type, name, most, asked)),
    ...eachOf(item.maxLimitRequestRatio).flatMap(([name, most]) => ratio(item.type, name, most, asked)),
  ];
}

const eachOf = (list: ResourceList | undefined): [string, string][] => Object.entries(list ?? {}).sort();

function minimum(type: string, name: string, least: string, { requests, limits }: Asked): string[] {
  const what = `minimum ${name} usage per ${type} is ${least}`;
  const [request, limit] = [requests[name], limits[name]];
  if (request === undefined) return [`${what}.  No request is specified`];
  if (compareQuantities(request, least) < 0) return [`${what}, but request is ${request}`];
  return limit !== undefined && compareQuantities(limit, least) < 0 ? [`${what}, but limit is ${limit}`] : [];
}

function maximum(type: string, name: string, most: string, { requests, limits }: Asked): string[] {
  const what = `maximum ${name} usage per ${type} is ${most}`;
  const [request, limit] = [requests[name], limits[name]];
  if (limit === undefined) return [`${what}.  No limit is specified`];
  if (compareQuantities(limit, most) > 0) return [`${what}, but limit is ${limit}`];
  return request !== undefined && compareQuantities(request, most) > 0 ? [`${what}, but request is ${request}`] : [];
}

function maximumRequest(type: string, name: string, most: string, { requests }: Asked): string[] {
  const what = `maximum ${name} usage per ${type} is ${most}`;
  const request = requests[name];
  if (request === undefined) return [`${what}.  No request is specified`];
  return compareQuantities(request, most) > 0 ? [`${what}, but request is ${request}`] : [];
}

function ratio(type: string, name: string, most: string, { requests, limits }: Asked): string[] {
  const what = `${name} max limit to request ratio per ${type} is ${most}`;
  const [request, limit] = [valueOf(requests[name]), valueOf(limits[name])];
  if (!request) return [`${what}, but no request is specified or request is 0`];
  if (!limit) return [`${what}, but no limit is specified or limit is 0`];
  const given = limit / request;
  return given > valueOf(most) ? [`${what}, but provided ratio is ${given.toFixed(6)}`] : [];
}

const valueOf = (text: string | undefined): number =>
  text === undefined ? 0 : Number(parseQuantity(text)?.nanos ?? 0n) / 1e9;
