/** The lines of the audit log: `audit.k8s.io/v1` Events, one for each stage of a request. Pure. */
import type { Attributes } from '../authorization/attributes.ts';
import type { User } from '../request.ts';
import { userInfo } from '../reviews/users.ts';
import type { Level, Stage } from './policy.ts';

/** All that is known of a request by the time a stage is reached. */
export interface AuditRecord {
  readonly level: Level;
  readonly id: string;
  /** As it came, with its query. */
  readonly uri: string;
  readonly asked: Attributes;
  readonly user: User;
  readonly impersonated?: User | undefined;
  readonly sourceIps: readonly string[];
  readonly userAgent?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly received: number;
  readonly target?: Target | undefined;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly responseStatus?: object | undefined;
  readonly requestObject?: unknown;
  readonly responseObject?: unknown;
}

/** What the object of a create is called, which its path does not say. */
export interface Target {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** `at` in milliseconds since the epoch. */
export function auditEvent(record: AuditRecord, stage: Stage, at: number): object {
  const { level, id, uri, asked, user, impersonated, sourceIps, userAgent, received, annotations = {} } = record;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level,
    auditID: id,
    stage,
    requestURI: uri,
    verb: asked.verb,
    user: userInfo(user),
    ...(impersonated && { impersonatedUser: userInfo(impersonated) }),
    sourceIPs: sourceIps,
    ...(userAgent !== undefined && { userAgent }),
    ...(asked.type === 'resource' && { objectRef: objectRef(asked, record.target) }),
    ...(record.responseStatus && { responseStatus: record.responseStatus }),
    ...(record.requestObject !== undefined && { requestObject: record.requestObject }),
    ...(record.responseObject !== undefined && { responseObject: record.responseObject }),
    requestReceivedTimestamp: microTime(received),
    stageTimestamp: microTime(at),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

function objectRef(asked: Extract<Attributes, { type: 'resource' }>, target: Target = {}): object {
  const { resource, group, version, subresource } = asked;
  const name = asked.name || target.name;
  const namespace = asked.namespace || target.namespace;
  return {
    resource,
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(target.uid && { uid: target.uid }),
    ...(group && { apiGroup: group }),
    apiVersion: version,
    ...(target.resourceVersion && { resourceVersion: target.resourceVersion }),
    ...(subresource && { subresource }),
  };
}

const microTime = (at: number): string => new Date(at).toISOString().replace('Z', '000Z');

/** The proxies it came through, as they say, and last the address of the connection. */
export function sourceIpsOf(headers: Readonly<Record<string, string | undefined>>, remote: string): string[] {
  const forwarded = (headers['x-forwarded-for'] ?? '').split(',');
  const all = [...forwarded, headers['x-real-ip'] ?? '', remote].map((each) => each.trim());
  return [...new Set(all.filter((each) => each !== ''))];
}

/** Metadata of the managed fields is most of many an object, and of interest to few. */
export function withoutManagedFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { metadata, items, ...rest } = value as { metadata?: unknown; items?: unknown };
  const { managedFields: _fields, ...meta } = (metadata ?? {}) as { managedFields?: unknown };
  return {
    ...rest,
    ...(metadata !== undefined && { metadata: meta }),
    ...(items !== undefined && { items: Array.isArray(items) ? items.map(withoutManagedFields) : items }),
  };
}
