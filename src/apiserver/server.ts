/** What a running API server is made of; `handle` and the upgrades work on it. */
import type { Audit } from './audit/trail.ts';
import type { BearerTokens } from './authentication/bearer-tokens.ts';
import type { Authorizer } from './authorization/authorizer.ts';
import type { RbacAuthorizer } from './authorization/rbac.ts';
import type { Core } from './core.ts';
import type { Check } from './health.ts';
import type { Gauge, Metrics } from './metrics.ts';
import type { TokenIssuer } from './service-account-tokens.ts';
import type { Kubelets } from './streams/kubelets.ts';

export interface Server {
  readonly core: Core;
  readonly authorizer: Authorizer;
  /** The part of it that can tell what somebody holds. */
  readonly rbac: RbacAuthorizer;
  readonly tokens: TokenIssuer;
  /** Those and bootstrap tokens: whatever may follow `Authorization: Bearer`. */
  readonly bearers: BearerTokens;
  /** Undefined: nobody asked for a log. */
  readonly audit: Audit | undefined;
  readonly metrics: Metrics;
  readonly checks: readonly Check[];
  /** How the nodes are reached for logs, exec, attach and port-forward. */
  readonly kubelets: Kubelets;
  /** `172.30.0.1:6443`, as discovery tells it. */
  readonly address: string;
  gauges(): Gauge[];
}
