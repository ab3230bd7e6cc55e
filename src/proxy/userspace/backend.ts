/** Userspace as a proxy mode: the effects (3-127). */
import { chooseIptables, createIptables, type Iptables } from '../../host/iptables.ts';
import { openFilesLimit } from '../../host/process.ts';
import { keepOldHeapSmall, returnFreeMemory } from '../../host/process-memory.ts';
import type { TableStamps } from '../../host/xtables-info.ts';
import { stampsFor } from '../iptables/backend.ts';
import { parse } from '../iptables/parse.ts';
import { renderCleanup } from '../iptables/cleanup.ts';
import type { RuleSet } from '../iptables/rule-set.ts';
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
import { endKeepers, SocketKeeper } from './socket-keeper.ts';

export const userspaceBackend: BackendModule = {
  async create(context) {
    const { family, exec, log } = context;
    const { iptables, warnings } = await chooseIptables({ family, exec });
    for (const warning of warnings) log.warn({ family }, warning);
    log.info({ family, variant: iptables.variant }, 'using iptables');
    keepOldHeapSmall();
    const stamps = await stampsFor(iptables, context);
    // where the rules are of another network, its sockets are not ours to keep
    return userspaceBackendOf(iptables, context, stamps, stamps && new SocketKeeper(family, log));
  },

  /** In both variants: which one an older run used is not known. */
  async cleanup({ family, exec }) {
    const removed: string[] = [];
    const failures: unknown[] = [];
    if (endKeepers(family) > 0) removed.push(`sockets kept for the next relays (${family})`);
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
  keeper?: SocketKeeper,
): UserspaceBackend {
  const { proxyPortRange, udpIdleTimeout } = { ...defaultUserspaceSettings, ...userspace };
  const mostRelays = Math.floor((openFilesLimit() * 3) / 4 / FAMILIES);
  const takeSocket = keeper && ((protocol: Protocol, port: number) => keeper.take(protocol, port));
  const range = parsePortRange(proxyPortRange);
  const relays = new RelaySet({ family, log, range, udpIdleTimeout, mostRelays, takeSocket });
  return new UserspaceBackend(new PortalRules(iptables, stamps), relays, keeper);
}

/** Takes away every rule and chain of ours, and nothing else. Returns how many. Throws HostError. */
export async function cleanup(iptables: Iptables): Promise<number> {
  const text = renderCleanup(parse(await iptables.save()), isUserspaceChain);
  if (text === '') return 0;
  await iptables.restore(text);
  return text.split('\n').filter((line) => /^-[DX] /.test(line)).length;
}

type Followed = [before: ServicePort[], after: ServicePort[]];

export class UserspaceBackend implements Backend {
  readonly relays: RelaySet;
  readonly #rules: PortalRules;
  readonly #keeper: SocketKeeper | undefined;
  /** Version of the relays whose sockets are kept. */
  #kept = 0;
  /** `namespace/service` -> its ports, as the relays have them. */
  readonly #services = new Map<string, readonly ServicePort[]>();
  /** False: they have to be told everything. */
  #isFollowed = false;
  /** What the rules were made of, and they. */
  #plan: Plan | undefined;
  #wanted: RuleSet | undefined;
  #oldPorts: ReadonlyMap<string, number> | undefined;

  constructor(rules: PortalRules, relays: RelaySet, keeper?: SocketKeeper) {
    this.#rules = rules;
    this.relays = relays;
    this.#keeper = keeper;
  }

  /** Relays first, then the rules that lead to them; relays that nothing leads to any more are closed last. */
  async sync(update: PlanUpdate): Promise<SyncResult> {
    // a later proxy finds the ports of this one in its rules, and listens there again
    this.#oldPorts ??= await this.#rules.readPorts();
    const changed = this.#isFollowed ? update.changed : undefined;
    const isFull = !this.#rules.isKnown || changed === undefined;
    const [before, after] = changed ? this.#followChanged(changed, isFull) : this.#followAll(update.plan);
    const spelled = this.#spell(before);
    this.#isFollowed = false;
    await this.relays.set(after, before, this.#oldPorts);
    this.#isFollowed = true;
    const known = changed && this.#spell(after) === spelled ? this.#wanted : undefined;
    if (!known) this.#plan = update.plan;
    this.#wanted = known ?? compile(update.plan, this.relays.portOf);
    const changes = isFull || !known ? await this.#rules.write(this.#wanted) : 0;
    await this.relays.closeGone();
    this.#keepSockets();
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

  /** Rules stay, and what is opened from now on waits for the next proxy: connections that are there end with the process that relays them. */
  stop(): Promise<void> {
    this.#rules.guard.close();
    this.#keeper?.close();
    return this.relays.stop(STOP_PATIENCE);
  }

  #keepSockets(): void {
    const { relays } = this;
    if (this.#kept !== relays.version)
      this.#keeper?.keep((protocol, port) => relays.isProxyPort(protocol as Protocol, port));
    this.#kept = relays.version;
    this.#keeper?.release();
  }

  /** The Service ports to be looked at, as they were and as they are. `tryAgain`: also those that have no relay. */
  #followChanged(changed: NonNullable<PlanUpdate['changed']>, tryAgain: boolean): Followed {
    const followed: Followed = [[], []];
    for (const [key, { after }] of changed) this.#put(key, after, followed);
    const keys = new Set(tryAgain ? this.relays.refused.map((one) => `${one.namespace}/${one.service}`) : []);
    for (const key of keys) if (!changed.has(key)) this.#put(key, this.#services.get(key) ?? [], followed);
    return followed;
  }

  #followAll({ servicePorts }: Plan): Followed {
    const followed: Followed = [[], []];
    const all = Map.groupBy(servicePorts, (one) => `${one.namespace}/${one.service}`);
    for (const key of this.#services.keys()) if (!all.has(key)) this.#put(key, [], followed);
    for (const [key, ports] of all) this.#put(key, ports, followed);
    return followed;
  }

  #put(key: string, ports: readonly ServicePort[], [before, after]: Followed): void {
    before.push(...(this.#services.get(key) ?? []));
    after.push(...ports);
    if (ports.length > 0) this.#services.set(key, ports);
    else this.#services.delete(key);
  }

  /** Equal when the rules are: endpoints come and go without any. */
  #spell(ports: readonly ServicePort[]): string {
    const plan = this.#plan;
    if (!plan) return '';
    return JSON.stringify(ports.map((one) => compileService(one, contextOf(one, plan, this.relays.portOf))));
  }
}
