/** Takes away what proxies left on this machine, in all modes and both families, and nothing else (3-072, 3-073, traps T13, T22). */
import { exec as realExec, HostError, type Exec } from '../host/exec.ts';
import { sysctl as realSysctl, type Sysctl } from '../host/sysctl.ts';
import type { Family } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import {
  defaultIpvsSettings,
  PROXY_MODES,
  type BackendContext,
  type BackendModule,
  type IpvsSettings,
  type ProxyMode,
} from './backend.ts';
import { BACKENDS } from './backends.ts';

export interface Cleaned {
  /** What went, in words; empty: nothing was there. */
  readonly removed: readonly string[];
  /** What could not be looked for or taken away. */
  readonly failures: readonly string[];
}

export interface CleanupOptions {
  readonly log: Log;
  readonly exec?: Exec;
  readonly sysctl?: Sysctl;
  /** A mode whose rules are in force and stay, with all that it shares with others. */
  readonly inForce?: ProxyMode;
  /** As the proxies had them: what is theirs is told by the mark, and what is not by ranges (3-044, 3-124). */
  readonly masqueradeBit?: number;
  readonly ipvs?: Partial<IpvsSettings>;
  /** In place of those there are. */
  readonly backends?: Readonly<Partial<Record<ProxyMode, () => Promise<BackendModule>>>>;
}

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];
/** These call chains by the same names: what one left may be what the other uses, and each takes over or deletes the other's as it starts. */
const SHARE_CHAINS: readonly ProxyMode[] = ['iptables', 'ipvs'];

/** Never throws: what fails in one mode is told, and the others are cleaned all the same. */
export async function cleanup(options: CleanupOptions): Promise<Cleaned> {
  const { log, exec = realExec, sysctl = realSysctl, inForce, backends = BACKENDS, masqueradeBit = 14 } = options;
  const ipvs = { ...defaultIpvsSettings, ...options.ipvs };
  const removed: string[] = [];
  const failures: string[] = [];
  for (const mode of PROXY_MODES) {
    const load = backends[mode];
    if (!load || mode === inForce) continue;
    for (const family of FAMILIES) {
      const context = { family, log, exec, sysctl, masqueradeBit, ipvs };
      try {
        removed.push(...(await cleanupOf(await load(), mode, context, inForce)));
      } catch (error) {
        if (!isToolMissing(error))
          failures.push(`${mode} (${family}): ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { removed, failures };
}

async function cleanupOf(
  module: BackendModule,
  mode: ProxyMode,
  context: BackendContext,
  inForce: ProxyMode | undefined,
): Promise<readonly string[]> {
  if (inForce === undefined) return module.cleanup(context);
  if (module.cleanupBeside) return module.cleanupBeside(context, inForce);
  // better a leftover than a hole in the rules that are in force
  const shares = SHARE_CHAINS.includes(mode) && SHARE_CHAINS.includes(inForce);
  return shares ? [] : module.cleanup(context);
}

/** Without the tool that writes them no rules of that kind can be there. */
function isToolMissing(error: unknown): boolean {
  return error instanceof HostError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}
