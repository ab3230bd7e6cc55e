/** `reload [INTERVAL] [JITTER]`: looks whether the Corefile has changed, and takes it (feature 4-056). */
import type { Directive } from '../corefile/directive.ts';
import { expectArgs, expectDuration, refuse } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';

export interface ReloadOptions {
  /** ms; 0: never. */
  readonly intervalMs: number;
  /** ms at most to add or take off. */
  readonly jitterMs: number;
}

export const reloadPlugin: Plugin = {
  name: 'reload',
  setup([directive]) {
    if (!directive) throw new Error('set up without a directive');
    parseReload(directive);
    return {};
  },
};

/** @throws CorefileError */
export function parseReload(directive: Directive): ReloadOptions {
  const [interval, jitter] = expectArgs(directive, 0, 2, 'an interval and a jitter');
  const intervalMs = interval === undefined ? 30_000 : expectDuration(directive, interval);
  if (intervalMs > 0 && intervalMs < 2000) refuse(directive, 'the interval is at least 2s');
  if (jitter === undefined) return { intervalMs, jitterMs: Math.min(15_000, intervalMs / 2) };
  const jitterMs = expectDuration(directive, jitter);
  if (jitterMs < 1000) refuse(directive, 'the jitter is at least 1s');
  return { intervalMs, jitterMs: Math.min(jitterMs, intervalMs / 2) };
}
