/** Userspace as a proxy mode: the effects (3-127). */
import { chooseIptables, createIptables, type Iptables } from '../../host/iptables.ts';
import { openFilesLimit } from '../../host/process.ts';
import { keepOldHeapSmall, returnFreeMemory } from '../../host/process-memory.ts';
import type { TableStamps } from '../../host/xtables-info.ts';
import { stampsFor } from '../iptables/backend.ts';
import { parse } from '../iptables/parse.ts';
import { renderCleanup } from '../iptables/cleanup.ts';
import {
  defaultUserspaceSettings,
  type Backend,
  type BackendContext,
  type BackendModule,
  type SyncResult,
} from '../backend.ts';
import type { Plan, PlanUpdate, Protocol, ServicePort } from '../plan/types.ts';
import { compile, contextOf } from './compile.ts';
import { compileService } from './compile-service.ts';
import { isUserspaceChain } from './names.ts';
import { PortalRules } from './portal-rules.ts';
import { parsePortRange } from './proxy-ports.ts';
import { RelaySet } from './relay-set.ts';

export const userspaceBackend: BackendModule = {
  async create(context) {
    const { family, exec, log } = context;
    const { iptables, warnings } = await chooseIptables({ family, exec });
    for (const warning of warnings) log.warn({ family }, warning);
    log.info({ family, variant: iptables.variant }, 'using iptables');
    keepOldHeapSmall();
    return userspaceBackendOf(iptables, context, await stampsFor(iptables, context));
  },

  /** In both variants: which one an older run used is not known. */
  async cleanup({ family, exec }) {
    const removed: string[] = [];
    const failures: unknown[] = [];
    for (const variant of ['legacy', 'nft'] as const) {
      try {
        const lines = await cleanup(createIptables(variant, { family, exec }));
        if (lines > 0) removed.push(`${String(lines)} chains and rules of relays, of iptables-${variant} (${family})`);
      } catch (error) {
        failures.push(error);
      }
    }
    // one of the two tools may be missing, and then its tables are empty
    if (failures.length > 1) throw failures[0];
    return removed;
  },
};

/** Share one process. */
const FAMILIES = 2;

/** ms for connections to end by themselves when a proxy stops: what is short is over by then. */
const STOP_PATIENCE = 500;

/** Throws RangeError on a port range that is none. */
export function userspaceBackendOf(
  iptables: Iptables,
  { family, log, userspace }: Pick<BackendContext, 'family' | 'log' | 'userspace'>,
  stamps?: TableStamps,
): UserspaceBackend {
  const { proxyPortRange, udpIdleTimeout } = { ...defaultUserspaceSettings, ...userspace };
  const mostRelays = Math.floor((openFilesLimit() * 3) / 4 / FAMILIES);
  const relays = new RelaySet({ family, log, range: parsePortRange(proxyPortRange), udpIdleTimeout, mostRelays });
  return new UserspaceBackend(new PortalRules(iptables, stamps), relays);
}

/** Takes away every rule and chain of ours, and nothing else. Returns how many. Throws HostError. */
export async function cleanup(iptables: Iptables): Promise<number> {
  const text = renderCleanup(parse(await iptables.save()), isUserspaceChain);
  if (text === '') return 0;
  await iptables.restore(text);
  return text.split('\n').filter((line) => /^-[DX] /.test(line)).length;
}

export class UserspaceBackend implements Backend {
  readonly relays: RelaySet;
  readonly #rules: PortalRules;
  /** `namespace/service` -> its ports, as the relays have them. */
  readonly #services = new Map<string, readonly ServicePort[]>();
  #plan: Plan | undefined;
  #oldPorts: ReadonlyMap<string, number> | undefined;

  constructor(rules: PortalRules, relays: RelaySet) {
    this.#rules = rules;
    this.relays = relays;
  }

  /** Relays first, then the rules that lead to them; relays that nothing leads to any more are closed last. */
  async sync(update: PlanUpdate): Promise<SyncResult> {
    // a later proxy finds the ports of this one in its rules, and listens there again
    this.#oldPorts ??= await this.#rules.readPorts();
    const isFull = !this.#rules.isKnown || update.changed === undefined;
    const [before, after] = this.#follow(update, isFull);
    const spelled = isFull ? '' : this.#spell(before);
    await this.relays.set(after, before, this.#oldPorts);
    let changes = 0;
    if (isFull || this.#spell(after) !== spelled) {
      this.#plan = update.plan;
      changes = await this.#rules.write(compile(update.plan, this.relays.portOf));
    }
    await this.relays.closeGone();
    // everything went through pipes, which in a large cluster is much
    if (isFull) returnFreeMemory();
    return { kind: isFull ? 'full' : 'partial', changes, refused: this.relays.refused };
  }

  distrust(): void {
    this.#rules.distrust();
  }

  isIntact(): Promise<boolean> {
    return this.#rules.isIntact();
  }

  watch(onTampered: () => void): () => void {
    return this.#rules.guard.watch(onTampered);
  }

  isRelayPort(protocol: Protocol, port: number): boolean {
    return this.relays.isProxyPort(protocol, port);
  }

  /** Rules stay, and lead nowhere until the next proxy listens: connections end with the process that relays them. */
  stop(): Promise<void> {
    this.#rules.guard.close();
    return this.relays.stop(STOP_PATIENCE);
  }

  /** The Service ports to be looked at, as they were and as they are. */
  #follow(update: PlanUpdate, isFull: boolean): [before: readonly ServicePort[], after: readonly ServicePort[]] {
    const before: ServicePort[] = [];
    const after: ServicePort[] = [];
    const put = (key: string, ports: readonly ServicePort[]) => {
      before.push(...(this.#services.get(key) ?? []));
      after.push(...ports);
      if (ports.length > 0) this.#services.set(key, ports);
      else this.#services.delete(key);
    };
    const changed = isFull ? undefined : update.changed;
    if (changed) for (const [key, change] of changed) put(key, change.after);
    else {
      const all = Map.groupBy(update.plan.servicePorts, (one) => `${one.namespace}/${one.service}`);
      for (const key of this.#services.keys()) if (!all.has(key)) put(key, []);
      for (const [key, ports] of all) put(key, ports);
    }
    return [before, after];
  }

  /** Equal when the rules are: endpoints come and go without any. */
  #spell(ports: readonly ServicePort[]): string {
    const plan = this.#plan;
    if (!plan) return '';
    return JSON.stringify(ports.map((one) => compileService(one, contextOf(one, plan, this.relays.portOf))));
  }
}
