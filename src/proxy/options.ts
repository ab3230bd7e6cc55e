/** What a proxy is told, and the PlanOptions that follow from it. */
import type { Client } from '../client/client.ts';
import type { Conntrack } from '../host/conntrack.ts';
import type { Iptables } from '../host/iptables.ts';
import type { Sysctl } from '../host/sysctl.ts';
import type { Clock } from '../lib/clock.ts';
import { parseCidr } from '../lib/cidr.ts';
import type { Log } from '../lib/log.ts';
import { defaultPlanOptions, type PlanOptions } from './plan/types.ts';

export interface ProxyOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** The node's addresses, the primary first. */
  readonly nodeIps: readonly string[];
  readonly mode: 'iptables';
  /** Source range of Pods: who is not in it is masqueraded on the way to a cluster IP. Absent: nobody is (3-162). */
  readonly clusterCidr?: string;
  readonly masqueradeAll?: boolean;
  readonly nodePortAddresses?: readonly string[];
  /** Default true (3-166). */
  readonly localhostNodePorts?: boolean;
  /** ms between the end of a sync and the next; default 0: the pace follows how long syncs take. */
  readonly minSyncPeriod?: number;
  /** ms between looks at the whole rule set, default 30 s. */
  readonly syncPeriod?: number;
  /** ms between looks for a foreign flush, default 1 s. */
  readonly flushCheckPeriod?: number;
  /** `ip:port`; '' for none. Default 0.0.0.0:10256. */
  readonly healthzBindAddress?: string;
  /** `ip:port`; '' for none. Default 127.0.0.1:10249. */
  readonly metricsBindAddress?: string;
  readonly log: Log;
  readonly clock?: Clock;
  /** The machine, where it is not the one this process is on. */
  readonly host?: ProxyHost;
}

export interface ProxyHost {
  readonly iptables: Iptables;
  readonly conntrack: Conntrack;
  readonly sysctl: Sysctl;
}

/** Throws RangeError where `clusterCidr` is none. */
export function planOptionsOf(
  options: Pick<ProxyOptions, 'clusterCidr' | 'masqueradeAll' | 'nodePortAddresses' | 'localhostNodePorts'>,
  dropInvalid: boolean,
): PlanOptions {
  const { clusterCidr, masqueradeAll = false, nodePortAddresses = [], localhostNodePorts = true } = options;
  const cidr = clusterCidr?.split(',').find((one) => parseCidr(one.trim())?.family === 'IPv4');
  if (clusterCidr !== undefined && clusterCidr !== '' && cidr === undefined) {
    throw new RangeError(`clusterCidr: "${clusterCidr}" holds no IPv4 range such as 10.244.0.0/16`);
  }
  return {
    ...defaultPlanOptions,
    detectLocal: cidr === undefined ? { by: 'nothing' } : { by: 'clusterCIDR', cidr: cidr.trim() },
    masqueradeAll,
    nodePortAddresses,
    localhostNodePorts,
    dropInvalid,
  };
}
