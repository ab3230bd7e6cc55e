/** The agent process of one node: kubelet, proxy and DNS in one, in the node's network namespace. Runs until it is told to stop. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHttpClient } from '../client/http-client.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { runKubelet } from '../kubelet/run.ts';
import { createLog } from '../lib/log.ts';
import { runProxy } from '../proxy/run.ts';
import type { ClusterConfig } from './config.ts';
import { dnsPages } from './dns-pages.ts';
import { runNodeDns } from './node-dns.ts';
import { untilStopped } from './until-stopped.ts';

export interface AgentOptions {
  readonly kubeconfig: string;
  /** `kubeconfig` where absent, as for DNS: it must then be allowed what these need. */
  readonly proxyKubeconfig?: string;
  readonly dnsKubeconfig?: string;
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly dataDir: string;
  readonly containerRuntimeEndpoint: string;
  readonly clientCaFile: string;
  readonly tlsCertFile: string;
  readonly tlsPrivateKeyFile: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  readonly clusterCidr: string;
  /** With commas between; empty: Pods ask whom the node asks. */
  readonly clusterDns: string;
  readonly clusterDomain: string;
  readonly cgroupRoot: string;
  readonly startersDir?: string;
  readonly resolvConf: string;
  readonly hairpinMode: ClusterConfig['hairpinMode'];
  readonly proxyMode: ClusterConfig['proxyMode'];
  readonly serviceClusterIpRange?: string;
  readonly serviceNodePortRange?: string;
}

/** Milliseconds the parts have to end. */
const STOP_MS = 1_500;

export async function runAgent(options: AgentOptions): Promise<void> {
  const logOf = (part: string) => createLog(part).child({ node: options.nodeName });
  const read = (file: string) => readFileSync(file, 'utf8');
  // The first part of the user agent is the name under which a part owns what it writes.
  const clientAs = (part: string, kubeconfig = options.kubeconfig) =>
    createHttpClient({ ...loadKubeconfig(kubeconfig), userAgent: `${part}/${options.nodeName}` });
  const client = clientAs('kubelet');
  const proxyClient = clientAs('kube-proxy', options.proxyKubeconfig);
  const dnsClient = clientAs('fairway-dns', options.dnsKubeconfig);
  // First to come and last to go: Pods that run on meanwhile have nobody else to ask.
  const dns = runNodeDns({
    client: dnsClient,
    nodeName: options.nodeName,
    addresses: [options.nodeIp],
    clusterDomain: options.clusterDomain,
    resolvConf: options.resolvConf,
    directory: join(options.dataDir, 'dns'),
    log: logOf('dns'),
  });
  const proxy = runProxy({
    client: proxyClient,
    nodeName: options.nodeName,
    nodeIps: [options.nodeIp],
    mode: options.proxyMode,
    clusterCidr: options.clusterCidr,
    ...(options.serviceClusterIpRange !== undefined && { serviceClusterIpRange: options.serviceClusterIpRange }),
    ...(options.serviceNodePortRange !== undefined && { serviceNodePortRange: options.serviceNodePortRange }),
    log: logOf('proxy'),
  });
  const dnsAt = { nodeName: options.nodeName, address: options.nodeIp, resolvConf: options.resolvConf };
  const kubelet = await runKubelet({
    client,
    nodeName: options.nodeName,
    nodeIp: options.nodeIp,
    runtimeEndpoint: options.containerRuntimeEndpoint,
    rootDir: join(options.dataDir, 'kubelet'),
    podLogsDir: join(options.dataDir, 'pod-logs'),
    clusterDns: options.clusterDns.split(',').filter((ip) => ip !== ''),
    clusterDomain: options.clusterDomain,
    hairpinMode: options.hairpinMode,
    cgroupRoot: options.cgroupRoot,
    resolvConf: options.resolvConf,
    cniConfDir: options.cniConfDir,
    cniBinDir: options.cniBinDir,
    serving: {
      cert: read(options.tlsCertFile),
      key: read(options.tlsPrivateKeyFile),
      clientCa: read(options.clientCaFile),
    },
    clusterCidr: options.clusterCidr,
    ...(options.startersDir !== undefined && { startersDir: options.startersDir }),
    pages: (pods) => new Map([['dns', dnsPages(dns, pods, { ...dnsAt, client: dnsClient })]]),
    log: logOf('kubelet'),
  });
  await untilStopped();
  // Something may be under way that does not end, such as an import: containers and rules stay as they are either way.
  setTimeout(() => process.exit(0), STOP_MS).unref();
  await Promise.all([kubelet.stop(), proxy.stop()]);
  await dns.stop();
  for (const each of [client, proxyClient, dnsClient]) each.close();
}
