/** What a proxy is told, and the PlanOptions that follow from it. */
import type { Node } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import type { Conntrack } from '../host/conntrack.ts';
import type { Exec } from '../host/exec.ts';
import type { Sysctl } from '../host/sysctl.ts';
import type { Clock } from '../lib/clock.ts';
import { parseCidr } from '../lib/cidr.ts';
import { familyOf, type Family } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import type { Backend, BackendContext, IpvsSettings, ProxyMode, UserspaceSettings } from './backend.ts';
import type { Cleaned, CleanupOptions } from './cleanup.ts';
import type { ConntrackSettings } from './settings/conntrack-settings.ts';
import { MODES } from './modes.ts';
import { defaultPlanOptions, type LocalDetector, type PlanOptions } from './plan/types.ts';

/** How the proxy tells Pods from others (3-160, 3-161). */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR' | 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface'; readonly bridgeInterface: string }
  | { readonly mode: 'InterfaceNamePrefix'; readonly interfaceNamePrefix: string };

export interface ProxyOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** The node's addresses, the primary first, of one family or both (3-028). */
  readonly nodeIps: readonly string[];
  readonly mode: ProxyMode;
  /** Source range of Pods, one for each family, separated by a comma. Absent: no Pod is told by its address (3-162). */
  readonly clusterCidr?: string;
  /** Default ClusterCIDR. */
  readonly detectLocal?: DetectLocal;
  readonly masqueradeAll?: boolean;
  /** 0-31, default 14 (3-044). */
  readonly masqueradeBit?: number;
  /** CIDRs, or `primary`; empty is all (3-163). */
  readonly nodePortAddresses?: readonly string[];
  /** Default true (3-166). */
  readonly localhostNodePorts?: boolean;
  /** Where cluster IPs come from, where the API has no ServiceCIDR objects or before they were seen. */
  readonly serviceClusterIpRange?: string;
  /** LOW-HIGH. */
  readonly serviceNodePortRange?: string;
  /** ms between the end of a sync and the next; default 0: the pace follows how long syncs take. */
  readonly minSyncPeriod?: number;
  /** ms between looks at the whole rule set, default 30 s. */
  readonly syncPeriod?: number;
  /** ms between looks for a foreign flush; default 1 s where the kernel tells of one, else 100 ms. */
  readonly flushCheckPeriod?: number;
  /** `ip:port`; '' for none. Default 0.0.0.0:10256. */
  readonly healthzBindAddress?: string;
  /** `ip:port`; '' for none. Default 127.0.0.1:10249. */
  readonly metricsBindAddress?: string;
  /** Told when a port cannot be had; absent: it is tried again (3-156). */
  readonly onBindFailure?: (error: Error) => void;
  /** Rules for externalIPs; default true (3-022). */
  readonly allowExternalIPs?: boolean;
  /** What `/configz` tells (3-147). */
  readonly config?: unknown;
  readonly ipvs?: Partial<IpvsSettings>;
  readonly userspace?: Partial<UserspaceSettings>;
  readonly conntrack?: Partial<ConntrackSettings>;
  readonly log: Log;
  readonly clock?: Clock;
  /** The machine, where it is not the one this process is on. */
  readonly host?: Partial<ProxyHost>;
}

/** What of the machine a proxy touches. */
export interface ProxyHost {
  readonly exec: Exec;
  readonly sysctl: Sysctl;
  readonly conntrack: (family: Family) => Promise<Conntrack>;
  /** In place of the mode's own. */
  readonly backend: (context: BackendContext) => Promise<Backend>;
  /** Takes away what other modes left. With a `backend` of its own a machine has nothing to clean but by this. */
  readonly cleanup: (options: CleanupOptions) => Promise<Cleaned>;
}

/** Those of the node's addresses and of the Pods' ranges; IPv4 where neither says (3-028, 3-029). */
export function familiesOf({ nodeIps, clusterCidr }: Pick<ProxyOptions, 'nodeIps' | 'clusterCidr'>): readonly Family[] {
  const found = [...nodeIps.map(familyOf), ...rangesIn(clusterCidr).map((range) => parseCidr(range)?.family)];
  const families = [...new Set(found.filter((one) => one !== undefined))];
  return families.length > 0 ? families : ['IPv4'];
}

const rangesIn = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

/** What planning one family needs to know beyond `ProxyOptions`. */
export interface PlanCircumstances {
  readonly family: Family;
  readonly dropInvalid: boolean;
  /** As last seen: `podCIDRs` tell Pods in mode NodeCIDR. */
  readonly node?: Node | undefined;
  /** Of ServiceCIDR objects. */
  readonly serviceCIDRs?: readonly string[];
}

type Told = Pick<
  ProxyOptions,
  | 'mode'
  | 'clusterCidr'
  | 'detectLocal'
  | 'masqueradeAll'
  | 'masqueradeBit'
  | 'nodePortAddresses'
  | 'localhostNodePorts'
  | 'serviceClusterIpRange'
  | 'serviceNodePortRange'
  | 'allowExternalIPs'
>;

/** Throws RangeError where an option makes no sense. */
export function planOptionsOf(options: Told, circumstances: PlanCircumstances): PlanOptions {
  const { family, dropInvalid, serviceCIDRs = [] } = circumstances;
  const mode = MODES[options.mode];
  if (!mode) throw new RangeError(`mode: there is no proxy mode "${options.mode}"`);
  const traits = mode.traits(family);
  const ranges = [...serviceCIDRs, ...rangesIn(options.serviceClusterIpRange)];
  return {
    ...defaultPlanOptions,
    ...traits,
    family,
    detectLocal: detectorOf(options, circumstances),
    masqueradeAll: options.masqueradeAll ?? false,
    masqueradeBit: options.masqueradeBit ?? defaultPlanOptions.masqueradeBit,
    nodePortAddresses: options.nodePortAddresses ?? [],
    localhostNodePorts: (options.localhostNodePorts ?? true) ? traits.localhostNodePorts : 'off',
    dropInvalid,
    allowExternalIPs: options.allowExternalIPs ?? true,
    serviceCIDRs: [...new Set(ranges.filter((range) => parseCidr(range)?.family === family))],
    nodePortRange: options.serviceNodePortRange,
  };
}

function detectorOf(options: Told, { family, node }: PlanCircumstances): LocalDetector {
  const detect = options.detectLocal ?? { mode: 'ClusterCIDR' };
  const byRange = (ranges: readonly string[]): LocalDetector => {
    const cidr = ranges.find((range) => parseCidr(range)?.family === family);
    return cidr === undefined ? { by: 'nothing' } : { by: 'clusterCIDR', cidr };
  };
  switch (detect.mode) {
    case 'ClusterCIDR': {
      const ranges = rangesIn(options.clusterCidr);
      const bad = ranges.find((range) => parseCidr(range) === undefined);
      if (bad !== undefined) throw new RangeError(`clusterCidr: "${bad}" is no range such as 10.244.0.0/16`);
      return byRange(ranges);
    }
    case 'NodeCIDR': {
      const { podCIDRs, podCIDR } = node?.spec ?? {};
      return byRange(podCIDRs ?? (podCIDR === undefined ? [] : [podCIDR]));
    }
    case 'BridgeInterface':
      return { by: 'interface', name: detect.bridgeInterface, prefix: false };
    case 'InterfaceNamePrefix':
      return { by: 'interface', name: detect.interfaceNamePrefix, prefix: true };
  }
}
