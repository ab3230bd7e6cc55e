/**
 * `reload [INTERVAL] [JITTER]`: whoever the Corefile comes from looks now and then whether it has changed (feature 4-056). This says how often, and
 * counts what came of it.
 */
import { createHash } from 'node:crypto';
import { Value } from '../../lib/prometheus.ts';
import { corefileText } from '../corefile/corefile-text.ts';
import type { Directive, ServerBlock } from '../corefile/directive.ts';
import { expectArgs, expectDuration, expectNoBody, expectOnce, refuse } from '../corefile/option.ts';
import type { DnsMetrics } from '../metrics.ts';
import type { Plugin } from '../plugin.ts';

export interface ReloadOptions {
  /** ms; 0: never. */
  readonly intervalMs: number;
  /** ms at most to add or take off. */
  readonly jitterMs: number;
}

export const reloadPlugin: Plugin = {
  name: 'reload',
  setup(directives) {
    parseReload(expectOnce(directives));
    return {};
  },
};

/** @throws CorefileError */
export function parseReload(directive: Directive): ReloadOptions {
  expectNoBody(directive);
  const [interval, jitter] = expectArgs(directive, 0, 2, 'an interval and a jitter');
  const intervalMs = interval === undefined ? 30_000 : expectDuration(directive, interval);
  if (intervalMs !== 0 && intervalMs < 2000) refuse(directive, 'the interval is at least 2s, or 0s for never');
  const jitterMs = jitter === undefined ? 15_000 : expectDuration(directive, jitter);
  if (jitterMs !== 0 && jitterMs < 1000) refuse(directive, 'the jitter is at least 1s, or 0s for none');
  return { intervalMs, jitterMs: Math.min(jitterMs, intervalMs / 2) };
}

/** Of the Corefile with all its imports: the same for files that differ in spaces and comments only. SHA-512, hex. */
export const corefileDigest = (blocks: readonly ServerBlock[]): string =>
  createHash('sha512').update(corefileText(blocks)).digest('hex');

/** What came of another Corefile. @param blocks what is served from now on; undefined: it was not taken */
export function countReload(metrics: DnsMetrics, blocks: readonly ServerBlock[] | undefined): void {
  const failed = metrics.add(new Value('counter', 'coredns_reload_failed_total', 'Corefiles that were not taken.'));
  if (!blocks) {
    failed.add(1);
    return;
  }
  const version = metrics.add(new Value('gauge', 'coredns_reload_version_info', 'Which Corefile is served.', []));
  version.clear();
  version.set(1, { hash: 'sha512', value: corefileDigest(blocks) });
}
