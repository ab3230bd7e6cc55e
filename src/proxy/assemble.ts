/** Prepares the machine, and opens what writes the rules of one address family. */
import { exec as realExec } from '../host/exec.ts';
import { openConntrack } from '../host/netlink/conntrack.ts';
import { sysctl as realSysctl } from '../host/sysctl.ts';
import type { Family } from '../lib/ip.ts';
import { defaultIpvsSettings, type Backend, type BackendContext } from './backend.ts';
import { BACKENDS } from './backends.ts';
import { FlowKeeper } from './flows/flow-keeper.ts';
import { prepareKernel, type PreparedKernel } from './settings/kernel-settings.ts';
import { MODES } from './modes.ts';
import { familiesOf, type ProxyHost, type ProxyOptions } from './options.ts';

/** Settings of the kernel that both families share. */
export function prepareMachine(options: ProxyOptions): Promise<PreparedKernel> {
  const { mode, localhostNodePorts = true, conntrack, serviceNodePortRange: nodePortRange } = options;
  const byRules = localhostNodePorts && MODES[mode]?.traits('IPv4').localhostNodePorts === 'rules';
  const families = familiesOf(options);
  return prepareKernel(hostOf(options).sysctl, { families, localhostByRules: byRules, conntrack, nodePortRange });
}

export interface OpenedFamily {
  readonly backend: Backend;
  readonly flows: FlowKeeper;
}

/** Throws HostError where the mode cannot work on this machine; then nothing stays open. */
export async function openFamily(options: ProxyOptions, family: Family): Promise<OpenedFamily> {
  const host = hostOf(options);
  const backend = await host.backend({
    family,
    log: options.log,
    exec: host.exec,
    sysctl: host.sysctl,
    masqueradeBit: options.masqueradeBit ?? 14,
    ipvs: { ...defaultIpvsSettings, ...options.ipvs },
    ...(options.userspace && { userspace: options.userspace }),
  });
  try {
    return { backend, flows: new FlowKeeper(await host.conntrack(family)) };
  } catch (error) {
    await backend.stop();
    throw error;
  }
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
