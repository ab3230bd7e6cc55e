/**
 * The plugins there are, in the one order in which they stand in a chain: CoreDNS' own (its plugin.cfg), whatever the order in the file. Those
 * without a `Plugin` are known by name, so that a Corefile that uses one is told so and a typo is told apart.
 */
import type { Plugin } from '../plugin.ts';
import { autopathPlugin } from './autopath/plugin.ts';
import { whoamiPlugin } from './whoami.ts';
import { hostsPlugin } from './hosts/plugin.ts';
import { templatePlugin } from './template/plugin.ts';
import { minimalPlugin } from './minimal.ts';
import { headerPlugin } from './header.ts';
import { rewritePlugin } from './rewrite/plugin.ts';
import { anyPlugin } from './any.ts';
import { aclPlugin } from './acl.ts';
import { dns64Plugin } from './dns64.ts';
import { localPlugin } from './local.ts';
import { logPlugin } from './log/plugin.ts';
import { debugPlugin } from './debug.ts';
import { bufsizePlugin } from './bufsize.ts';
import { nsidPlugin } from './nsid.ts';
import { cancelPlugin } from './cancel.ts';
import { metadataPlugin } from './metadata.ts';
import { rootPlugin } from './root.ts';
import { cachePlugin } from './cache/plugin.ts';
import { errorsPlugin } from './errors/plugin.ts';
import { forwardPlugin } from './forward/plugin.ts';
import { healthPlugin } from './health.ts';
import { kubernetesPlugin } from './kubernetes/plugin.ts';
import { loadbalancePlugin } from './loadbalance/plugin.ts';
import { chaosPlugin } from './chaos.ts';
import { bindPlugin } from './bind.ts';
import { loopPlugin } from './loop/plugin.ts';
import { prometheusPlugin } from './prometheus.ts';
import { readyPlugin } from './ready.ts';
import { reloadPlugin } from './reload.ts';

/** Name, and the plugin or why there is none. */
type Row = readonly [name: string, plugin: Plugin | string];

const ROWS: readonly Row[] = [
  ['root', rootPlugin],
  ['metadata', metadataPlugin],
  ['geoip', 'not served by Fairway'],
  ['cancel', cancelPlugin],
  ['tls', 'not served by Fairway: it serves DNS over UDP and TCP only'],
  ['quic', 'not served by Fairway: it serves DNS over UDP and TCP only'],
  ['timeouts', 'not served by Fairway'],
  ['multisocket', 'not served by Fairway'],
  ['reload', reloadPlugin],
  ['nsid', nsidPlugin],
  ['bufsize', bufsizePlugin],
  ['bind', bindPlugin],
  ['debug', debugPlugin],
  ['trace', 'not served by Fairway'],
  ['ready', readyPlugin],
  ['health', healthPlugin],
  ['pprof', 'not served by Fairway: it is a profiler for Go'],
  ['prometheus', prometheusPlugin],
  ['errors', errorsPlugin],
  ['log', logPlugin],
  ['dnstap', 'not served by Fairway'],
  ['local', localPlugin],
  ['dns64', dns64Plugin],
  ['acl', aclPlugin],
  ['any', anyPlugin],
  ['chaos', chaosPlugin],
  ['loadbalance', loadbalancePlugin],
  ['tsig', 'not served by Fairway'],
  ['cache', cachePlugin],
  ['rewrite', rewritePlugin],
  ['header', headerPlugin],
  ['dnssec', 'not served by Fairway'],
  ['autopath', autopathPlugin],
  ['minimal', minimalPlugin],
  ['template', templatePlugin],
  ['transfer', 'not served by Fairway'],
  ['hosts', hostsPlugin],
  ['route53', 'not served by Fairway'],
  ['azure', 'not served by Fairway'],
  ['clouddns', 'not served by Fairway'],
  ['k8s_external', 'not served by Fairway'],
  ['kubernetes', kubernetesPlugin],
  ['file', 'not served by Fairway'],
  ['auto', 'not served by Fairway'],
  ['secondary', 'not served by Fairway'],
  ['etcd', 'not served by Fairway'],
  ['loop', loopPlugin],
  ['forward', forwardPlugin],
  ['grpc', 'not served by Fairway'],
  ['erratic', 'not served by Fairway'],
  ['whoami', whoamiPlugin],
  ['on', 'not served by Fairway: it would start programs'],
  ['sign', 'not served by Fairway'],
  ['view', 'not served by Fairway'],
  ['nomad', 'not served by Fairway'],
  // Of older versions.
  ['federation', 'CoreDNS dropped it in 1.7, and Kubernetes with it: remove it'],
  ['proxy', 'CoreDNS replaced it in 1.5: write forward in its place'],
];

/** Names of all that are known, in their order. */
export const plugins: readonly string[] = ROWS.map(([name]) => name);

/** The plugin called so, or why there is none; undefined: nobody knows the name. */
export function findPlugin(name: string): Plugin | string | undefined {
  return ROWS.find(([known]) => known === name)?.[1];
}

/** Where a plugin stands in the chain. */
export function rankOf(name: string): number {
  return ROWS.findIndex(([known]) => known === name);
}

export const servedPlugins: readonly Plugin[] = ROWS.flatMap(([, plugin]) =>
  typeof plugin === 'string' ? [] : [plugin],
);
