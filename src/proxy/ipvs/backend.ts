/** ipvs as a proxy mode: the effects. */
import { release } from 'node:os';
import { HostError } from '../../host/exec.ts';
import { chooseIptables, createIptables } from '../../host/iptables.ts';
import { createIpvsTools, type IpvsTools } from '../../host/ipvs-tools.ts';
import { keepOldHeapSmall, returnFreeMemory } from '../../host/process-memory.ts';
import type { Family } from '../../lib/ip.ts';
import type { Backend, BackendContext, BackendModule } from '../backend.ts';
import { IpvsApplier } from './apply.ts';
import { cleanup } from './cleanup.ts';
import { SCHEDULERS, schedulerOptions } from './settings.ts';

/** 3-123 */
const REVIEW_MS = 60_000;

export const ipvsBackend: BackendModule = {
  async create(context) {
    const { family, exec, log, ipvs } = context;
    const programs = createIpvsTools({ family, exec });
    await requireKernel(programs);
    await requireScheduler(programs, family, ipvs.scheduler);
    for (const warning of await prepareKernel(context)) log.warn({ family }, warning);
    const { tcpTimeout, tcpFinTimeout, udpTimeout } = ipvs;
    if (tcpTimeout + tcpFinTimeout + udpTimeout > 0) await programs.setTimeouts(tcpTimeout, tcpFinTimeout, udpTimeout);
    const { iptables, warnings } = await chooseIptables({ family, exec });
    for (const warning of warnings) log.warn({ family }, warning);
    log.info({ family, scheduler: ipvs.scheduler, variant: iptables.variant }, 'using ipvs');
    const { scheduler, excludeCIDRs } = ipvs;
    keepOldHeapSmall();
    const tools = await overNetlink(programs, context);
    return ipvsBackendOf(new IpvsApplier({ family, tools, iptables, scheduler, excludeCIDRs }));
  },

  cleanup: (context) => cleanup(cleanupToolsOf(context)),

  cleanupBeside: (context, inForce) => cleanup(cleanupToolsOf(context), inForce === 'iptables'),
};

export function ipvsBackendOf(applier: IpvsApplier, reviewMs = REVIEW_MS): Backend {
  let last: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task);
    last = result.catch(() => undefined);
    return result;
  };
  const watchDraining = () => {
    if (timer || applier.draining === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      // what cannot be looked at now is looked at in a minute
      void inTurn(() => applier.review().catch(() => undefined)).then(watchDraining);
    }, reviewMs).unref();
  };
  return {
    sync: (update) =>
      inTurn(async () => {
        const result = await applier.sync(update);
        watchDraining();
        // everything went through pipes, which in a large cluster is much
        if (result.kind === 'full') returnFreeMemory();
        return result;
      }),
    distrust: () => {
      applier.distrust();
    },
    isIntact: () => applier.isIntact(),
    stop: async () => {
      clearTimeout(timer);
      timer = undefined;
      await last;
      applier.close();
    },
  };
}

/** The fast way where it can be had. */
async function overNetlink(programs: IpvsTools, { family, log }: BackendContext): Promise<IpvsTools> {
  try {
    const { createIpvsNetlink } = await import('../../host/ipvs-netlink.ts');
    return createIpvsNetlink(programs, { family });
  } catch (error) {
    log.warn({ err: error, family }, 'no netlink socket to IPVS: every change starts ipvsadm and ip instead');
    return programs;
  }
}

async function requireKernel(tools: IpvsTools): Promise<void> {
  try {
    await tools.saveServers();
  } catch (error) {
    throw new HostError(
      ['ipvs'],
      'this kernel has no IPVS, or ipvsadm is missing: load the module ip_vs and install ipvsadm and ipset, or choose another proxy mode',
      undefined,
      error instanceof HostError ? error.stderr : String(error),
      error,
    );
  }
}

/** Marks nobody uses: the kernel is asked for the scheduler with a virtual server that is gone at once. Both families ask at the same time. */
const PROBES: Readonly<Record<Family, string>> = { IPv4: '-f 1526618878', IPv6: '-f 1526618879' };

async function requireScheduler(tools: IpvsTools, family: Family, name: string): Promise<void> {
  const probe = PROBES[family];
  const complaint = /^[a-z]{1,15}$/.test(name)
    ? await tools.changeServers([`-A ${probe} -s ${schedulerOptions(name)}`])
    : 'not the name of one';
  if (complaint === '') {
    await tools.changeServers([`-D ${probe}`]);
    return;
  }
  const known = `there are ${SCHEDULERS.join(', ')}`;
  throw new HostError(['ipvs'], `this kernel has no scheduler "${name}" (${known})`, undefined, complaint);
}

/** 3-113, 3-114. Sentences for the log about what could not be set: never fatal (trap T24). */
async function prepareKernel({ family, sysctl, ipvs }: BackendContext): Promise<string[]> {
  const wanted: [string, string, string][] = [
    ['net.ipv4.vs.conntrack', '1', 'packets through IPVS will not be masqueraded'],
    ['net.ipv4.vs.expire_nodest_conn', '1', 'connections to endpoints that are gone hang until they time out'],
    ['net.ipv4.vs.expire_quiescent_template', '1', 'clients with affinity stay with endpoints that are going away'],
    family === 'IPv6'
      ? ['net.ipv6.conf.all.forwarding', '1', 'nothing is forwarded to other nodes']
      : ['net.ipv4.ip_forward', '1', 'nothing is forwarded to other nodes'],
  ];
  // in between, kernels delayed connections from a port used before by a second
  if (isBetween(release(), [4, 1], [5, 9])) {
    wanted.push(['net.ipv4.vs.conn_reuse_mode', '0', 'new connections may be delayed']);
  }
  if (ipvs.strictARP) {
    wanted.push(['net.ipv4.conf.all.arp_ignore', '1', 'other links answer for the addresses of Services']);
    wanted.push(['net.ipv4.conf.all.arp_announce', '2', 'other links announce the addresses of Services']);
  }
  const warnings: string[] = [];
  for (const [name, value, consequence] of wanted) {
    if (!(await sysctl.write(name, value))) warnings.push(`${name} cannot be set to ${value}: ${consequence}`);
  }
  return warnings;
}

/** Whether a kernel release is at least `from` and below `below`. */
export function isBetween(text: string, from: readonly [number, number], below: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10));
  const number = (pair: readonly [number, number]) => pair[0] * 1000 + pair[1];
  return number([major, minor]) >= number(from) && number([major, minor]) < number(below);
}

function cleanupToolsOf({ family, exec, masqueradeBit }: BackendContext) {
  const iptables = (['legacy', 'nft'] as const).map((variant) => createIptables(variant, { family, exec }));
  return { family, tools: createIpvsTools({ family, exec }), iptables, masqueradeBit };
}
