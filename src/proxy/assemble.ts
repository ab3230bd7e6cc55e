/** Prepares the machine and puts together the proxies of all address families. */
import { exec as realExec } from '../host/exec.ts';
import { openConntrack } from '../host/netlink/conntrack.ts';
import { sysctl as realSysctl } from '../host/sysctl.ts';
import type { Family } from '../lib/ip.ts';
import { defaultIpvsSettings, type Backend, type BackendContext } from './backend.ts';
import { BACKENDS } from './backends.ts';
import { FamilyProxy } from './family-proxy.ts';
import { FlowKeeper } from './flow-keeper.ts';
import { prepareKernel } from './kernel-settings.ts';
import { MODES } from './modes.ts';
import { familiesOf, type ProxyHost, type ProxyOptions } from './options.ts';
import type { PlanFollower, PlanNode, PlanOptions } from './plan/types.ts';
import { LoopbackRelays } from './userspace/loopback.ts';

/** Throws HostError where the mode cannot work on this machine. `followersOf`: what else is to be told of a family's updates. */
export async function assemble(
  options: ProxyOptions,
  node: PlanNode,
  planOptions: (family: Family, dropInvalid: boolean) => PlanOptions,
  followersOf: (family: Family, planOptions: PlanOptions) => readonly PlanFollower[] = () => [],
): Promise<readonly FamilyProxy[]> {
  const { log, mode, localhostNodePorts = true } = options;
  const host = hostOf(options);
  const families = familiesOf(options);
  const byRules = localhostNodePorts && MODES[mode]?.traits('IPv4').localhostNodePorts === 'rules';
  const { conntrack, serviceNodePortRange: nodePortRange } = options;
  const needs = { families, localhostByRules: byRules, conntrack, nodePortRange };
  const { dropInvalid, warnings } = await prepareKernel(host.sysctl, needs);
  const proxies: FamilyProxy[] = [];
  for (const family of families) {
    const backend = await host.backend({
      family,
      log,
      exec: host.exec,
      sysctl: host.sysctl,
      masqueradeBit: options.masqueradeBit ?? 14,
      ipvs: { ...defaultIpvsSettings, ...options.ipvs },
      ...(options.userspace && { userspace: options.userspace }),
    });
    const flows = new FlowKeeper(await host.conntrack(family));
    const own = planOptions(family, dropInvalid);
    const loopback = new LoopbackRelays({ log, ...(options.clock && { clock: options.clock }) });
    const followers = [loopback, ...followersOf(family, own)];
    proxies.push(new FamilyProxy({ family, node, options: own, backend, flows, loopback, followers }));
  }
  // once: what fails above is tried again from the start
  for (const warning of warnings) log.warn({}, warning);
  return proxies;
}

function hostOf({ mode, host = {} }: ProxyOptions): Omit<ProxyHost, 'cleanup'> {
  const { exec = realExec, sysctl = realSysctl } = host;
  return {
    exec,
    sysctl,
    conntrack: host.conntrack ?? ((family) => Promise.resolve(openConntrack(family))),
    backend: host.backend ?? ((context) => backendOf(mode, context)),
  };
}

async function backendOf(mode: ProxyOptions['mode'], context: BackendContext): Promise<Backend> {
  const load = BACKENDS[mode];
  if (!load) throw new RangeError(`mode: there is no proxy mode "${mode}"`);
  return (await load()).create(context);
}
