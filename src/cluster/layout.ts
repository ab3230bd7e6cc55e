/** Where everything of one cluster is: folders, addresses, namespace and link names. Pure; nothing here touches the machine. */
import { join } from 'node:path';
import { sha256Base32 } from '../lib/hash.ts';

export interface NodeLayout {
  readonly name: string;
  readonly ip: string;
  readonly namespace: string;
  readonly namespacePath: string;
  readonly dir: string;
  /** Images and container file systems. */
  readonly containerdRoot: string;
  /** Sockets and what a reboot may take. Short: a socket's path has at most 107 bytes. */
  readonly containerdState: string;
  readonly containerdSocket: string;
  readonly cniConfDir: string;
  /** First on the PATH there. */
  readonly toolsDir: string;
  readonly containerdConfig: string;
  /** Of the kubelet; its proxy and its DNS have identities of their own, so that each may do what it needs and no more. */
  readonly kubeconfig: string;
  readonly proxyKubeconfig: string;
  readonly dnsKubeconfig: string;
}

export interface Layout {
  readonly name: string;
  readonly index: number;
  readonly dir: string;
  readonly stateFile: string;
  readonly lockFile: string;
  readonly pki: string;
  readonly logs: string;
  readonly database: string;
  readonly kubeconfig: string;
  /** Shared by all clusters of a data directory. */
  readonly starters: string;
  /**
   * The part of every cgroup hierarchy this cluster lives in. Named after its folder too: hierarchies are shared by all network and mount
   * namespaces of a machine, so clusters of one name may meet there, and `down` kills what is in it.
   */
  readonly cgroup: string;
  readonly lan: {
    readonly namespace: string;
    readonly namespacePath: string;
    /** The host's end of the veth into the LAN. */
    readonly hostLink: string;
    readonly prefix: string;
    readonly hostIp: string;
    /** The LAN namespace's own address: the machine outside the cluster that `lan exec` plays. */
    readonly lanIp: string;
  };
  readonly apiServer: string;
  node(index: number): NodeLayout;
}

export const API_PORT = 6443;
/** So many addresses a LAN has for them, and more would be slow to look at. */
export const MAX_NODES = 50;
export const CNI_BIN_DIR = '/usr/lib/cni';
export const DEFAULT_DATA_DIR = '/var/lib/fairway';

/** `index` tells clusters on one host apart: LAN 172.30.INDEX.0/24, link fairwayINDEX. */
export function layoutOf(name: string, dataDir: string, index: number): Layout {
  const dir = join(dataDir, name);
  const prefix = `172.30.${String(index)}`;
  const lanNamespace = `fairway-${name}-lan`;
  return {
    name,
    index,
    dir,
    stateFile: join(dir, 'state.json'),
    lockFile: join(dir, 'lock'),
    pki: join(dir, 'pki'),
    logs: join(dir, 'logs'),
    database: join(dir, 'server', 'state.db'),
    kubeconfig: join(dir, 'kubeconfig'),
    starters: join(dataDir, 'starters'),
    cgroup: `fairway-${name}-${sha256Base32(dir, 8).toLowerCase()}`,
    lan: {
      namespace: lanNamespace,
      namespacePath: `/run/netns/${lanNamespace}`,
      hostLink: `fairway${String(index)}`,
      prefix: `${prefix}.0/24`,
      hostIp: `${prefix}.1`,
      lanIp: `${prefix}.2`,
    },
    apiServer: `https://${prefix}.1:${String(API_PORT)}`,
    node(number) {
      const node = nodeName(number);
      const namespace = `fairway-${name}-${node}`;
      const nodeDir = join(dir, 'nodes', node);
      return {
        name: node,
        ip: `${prefix}.${String(10 + number)}`,
        namespace,
        namespacePath: `/run/netns/${namespace}`,
        dir: nodeDir,
        containerdRoot: join(nodeDir, 'containerd'),
        containerdState: join(nodeDir, 'run'),
        containerdSocket: join(nodeDir, 'run', 'containerd.sock'),
        cniConfDir: join(nodeDir, 'cni'),
        toolsDir: join(nodeDir, 'bin'),
        containerdConfig: join(nodeDir, 'containerd.toml'),
        kubeconfig: join(nodeDir, 'kubeconfig'),
        proxyKubeconfig: join(nodeDir, 'kube-proxy.kubeconfig'),
        dnsKubeconfig: join(nodeDir, 'kube-dns.kubeconfig'),
      };
    },
  };
}

/** node01, node02, … */
export function nodeName(number: number): string {
  return `node${String(number).padStart(2, '0')}`;
}
