/**
 * The background processes of a cluster: planned purely from its configuration, started under `bin/supervise`, and left alone by a
 * second `up` unless their command differs.
 */
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { addressAt, parseCidr } from '../lib/cidr.ts';
import { formatIp } from '../lib/ip.ts';
import { containerdCommand } from '../host/containerd.ts';
import { isAlive, startDetached, stopProcess } from '../host/process.ts';
import { proxyModeOf, type ClusterConfig } from './config.ts';
import { etcdPrefixOf, SQLITE } from './datastore.ts';
import { API_PORT, CNI_BIN_DIR, type Layout, type NodeLayout } from './layout.ts';
import { nodePath } from './node-tools.ts';
import { pkiPaths } from './certificates.ts';
import type { ProcessRecord } from './state.ts';

/** The checkout this runs from. */
export const ROOT = join(import.meta.dirname, '..', '..');

export interface Part {
  readonly name: string;
  readonly command: readonly string[];
  readonly logFile: string;
}

const flags = (values: Record<string, string | undefined>): string[] =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));

const fairway = join(ROOT, 'bin', 'fairway');
export const SUPERVISE = join(ROOT, 'bin', 'supervise');

/** The tenth address of each service range: where Pods find DNS. */
export function clusterDnsIps(serviceClusterIpRange: string): string[] {
  return serviceClusterIpRange.split(',').map((range) => nthAddress(range, 10n));
}

/** The first address of the first service range: the `kubernetes` Service (feature 1-098). */
export function firstAddress(serviceClusterIpRange: string): string {
  return nthAddress(serviceClusterIpRange.split(',')[0] ?? '', 1n);
}

function nthAddress(range: string, n: bigint): string {
  const cidr = parseCidr(range);
  if (!cidr) throw new Error(`${range} is not a CIDR`);
  return formatIp(addressAt(cidr, n));
}

export function serverPart(layout: Layout, config: ClusterConfig): Part {
  const pki = pkiPaths(layout.pki);
  return part(layout, 'server', [
    fairway,
    'server',
    ...flags({
      'data-dir': join(layout.dir, 'server'),
      datastore: config.datastore,
      'datastore-cafile': config.datastoreCafile || undefined,
      'datastore-certfile': config.datastoreCertfile || undefined,
      'datastore-keyfile': config.datastoreKeyfile || undefined,
      'etcd-prefix': config.datastore === SQLITE ? undefined : etcdPrefixOf(layout.name),
      'bind-address': layout.lan.hostIp,
      'secure-port': String(API_PORT),
      'advertise-address': layout.lan.hostIp,
      'client-ca-file': pki.ca,
      'tls-cert-file': pki.cert('apiserver'),
      'tls-private-key-file': pki.key('apiserver'),
      'kubelet-client-certificate': pki.cert('apiserver-kubelet-client'),
      'kubelet-client-key': pki.key('apiserver-kubelet-client'),
      'service-account-signing-key-file': pki.serviceAccountKey,
      'service-cluster-ip-range': config.serviceClusterIpRange,
      'service-node-port-range': config.serviceNodePortRange,
      'cluster-cidr': config.clusterCidr,
      'cluster-domain': config.clusterDomain,
      'audit-log-path': config.auditLogPath || undefined,
      'audit-policy-file': config.auditPolicyFile || undefined,
      'log-dir': layout.logs,
    }),
  ]);
}

export function containerdPart(layout: Layout, node: NodeLayout): Part {
  return part(layout, `${node.name}-containerd`, [
    'env',
    `PATH=${nodePath(node)}`,
    'nsenter',
    `--net=${node.namespacePath}`,
    ...containerdCommand(node.name, node.containerdConfig),
  ]);
}

export function agentPart(layout: Layout, node: NodeLayout, config: ClusterConfig): Part {
  const pki = pkiPaths(layout.pki);
  return part(layout, node.name, [
    'env',
    `PATH=${nodePath(node)}`,
    'nsenter',
    `--net=${node.namespacePath}`,
    fairway,
    'agent',
    ...flags({
      kubeconfig: node.kubeconfig,
      'proxy-kubeconfig': node.proxyKubeconfig,
      'dns-kubeconfig': node.dnsKubeconfig,
      'node-name': node.name,
      'node-ip': node.ip,
      'data-dir': node.dir,
      'container-runtime-endpoint': `unix://${node.containerdSocket}`,
      'client-ca-file': pki.ca,
      'tls-cert-file': pki.cert(`${node.name}-kubelet`),
      'tls-private-key-file': pki.key(`${node.name}-kubelet`),
      'cluster-cidr': config.clusterCidr,
      // Pods have IPv4 alone: a second server that they cannot reach would only cost them time.
      'cluster-dns': clusterDnsIps(config.serviceClusterIpRange)[0],
      'cluster-domain': config.clusterDomain,
      'hairpin-mode': config.hairpinMode,
      'proxy-mode': proxyModeOf(config, node.name),
      'service-cluster-ip-range': config.serviceClusterIpRange,
      'service-node-port-range': config.serviceNodePortRange,
      'cni-conf-dir': node.cniConfDir,
      'cni-bin-dir': CNI_BIN_DIR,
      'cgroup-root': `/${layout.cgroup}/${node.name}`,
      'starters-dir': layout.starters,
    }),
  ]);
}

function part(layout: Layout, name: string, command: string[]): Part {
  return { name, command, logFile: join(layout.logs, `${name}.log`) };
}

/** Starts `part` unless it runs already with the same command; one with another command is stopped first. */
export async function ensurePart(part: Part, recorded: ProcessRecord | undefined): Promise<ProcessRecord> {
  if (recorded && isAlive(recorded)) {
    if (recorded.command.join('\0') === part.command.join('\0')) return recorded;
    await stopProcess(recorded);
  }
  mkdirSync(join(part.logFile, '..'), { recursive: true, mode: 0o750 });
  const id = startDetached(SUPERVISE, [part.name, ...part.command], part.logFile);
  return { ...id, command: part.command };
}

export async function stopPart(recorded: ProcessRecord | undefined, grace?: number): Promise<void> {
  if (recorded) await stopProcess(recorded, grace);
}
