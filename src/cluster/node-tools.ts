/**
 * A node's own folder of tools, first on the PATH of everything that runs on it: containerd, its network plugins, the agent and
 * `fairway node exec`. It settles one question for all of them: which of the two iptables is *the* iptables there. Rules written through
 * one are invisible to the other, so a node must have one answer: legacy where it exists, because the nft one needs minutes for
 * thousands of Services (docs/performance.md).
 */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeLayout } from './layout.ts';

const LEGACY = '/usr/sbin/xtables-legacy-multi';
const NAMES = ['iptables', 'ip6tables'].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The PATH on a node. Fixed, so that a part is not started anew because the shell of `up` had another one. */
export function nodePath(node: NodeLayout): string {
  return `${node.toolsDir}:${SYSTEM_PATH}`;
}

export function ensureNodeTools(node: NodeLayout): void {
  mkdirSync(node.toolsDir, { recursive: true, mode: 0o755 });
  if (!existsSync(LEGACY)) return;
  for (const name of NAMES) {
    const link = join(node.toolsDir, name);
    if (!existsSync(link)) symlinkSync(LEGACY, link);
  }
}
