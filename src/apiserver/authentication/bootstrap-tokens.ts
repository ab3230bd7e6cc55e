/**
 * Bootstrap tokens, `abcdef.0123456789abcdef`: what a machine that is to become a node shows first. Each is a Secret in kube-system, which
 * says until when and for what it is good. Pure.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../api/types.ts';
import type { User } from '../request.ts';

export const BOOTSTRAP_NAMESPACE = 'kube-system';
export const BOOTSTRAP_TYPE = 'bootstrap.kubernetes.io/token';

const FORMAT = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const BOOTSTRAPPERS = 'system:bootstrappers';

/** Undefined: not such a token. */
export function parseBootstrapToken(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret] = FORMAT.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

export const bootstrapSecretName = (id: string): string => `bootstrap-token-${id}`;

/** Whose token it is; undefined where the Secret does not make it good. `now` in milliseconds since the epoch. */
export function bootstrapUser(stored: Secret, id: string, secret: string, now: number): User | undefined {
  const { type, metadata, data = {} } = stored;
  const text = (field: string) => Buffer.from(data[field] ?? '', 'base64').toString();
  if (type !== BOOTSTRAP_TYPE || metadata.deletionTimestamp !== undefined) return undefined;
  if (!equalInConstantTime(text('token-secret'), secret) || text('token-id') !== id) return undefined;
  if (isExpired(text('expiration'), now) || text('usage-bootstrap-authentication') !== 'true') return undefined;
  const extra = text('auth-extra-groups');
  const groups = extra === '' ? [] : [...new Set(extra.split(','))].sort();
  if (!groups.every((group) => GROUP.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [BOOTSTRAPPERS, ...groups, 'system:authenticated'] };
}

/** RFC 3339; '' is never, and what cannot be read has passed. */
export function isExpired(expiration: string, now: number): boolean {
  if (expiration === '') return false;
  const at = Date.parse(expiration);
  return !(at > now);
}

/** How much of it is right must not show in the time it takes. */
function equalInConstantTime(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
