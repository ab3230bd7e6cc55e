/**
 * Whether the kernel has what nodes and Services are made of. It is asked by trying, in a network namespace that is gone afterwards: what is
 * built in, what is a module and what may be loaded differs from machine to machine, and no file tells. About 20 ms.
 */
import { exec, HostError, type Exec } from '../host/exec.ts';
import type { ProxyMode } from './config.ts';

interface Feature {
  readonly what: string;
  /** Options of the kernel's configuration, and the modules that carry them. */
  readonly options: string;
  readonly modules: string;
  /** Tries it inside the probe's namespace. */
  readonly command: readonly [file: string, ...args: string[]];
  readonly input?: string;
}

const nat = (rule: string) => `*nat\n:FAIRWAY-PROBE - [0:0]\n-A FAIRWAY-PROBE ${rule}\nCOMMIT\n`;
const restore = (table: string): Pick<Feature, 'command' | 'input'> => ({
  command: ['iptables-restore', '--noflush'],
  input: table,
});

/** In the order they are needed, so that the first that fails is the one to name. */
export const FEATURES: readonly Feature[] = [
  {
    what: 'virtual Ethernet pairs',
    options: 'CONFIG_VETH',
    modules: 'veth',
    command: ['ip', 'link', 'add', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1'],
  },
  {
    what: 'bridges',
    options: 'CONFIG_BRIDGE',
    modules: 'bridge',
    command: ['ip', 'link', 'add', 'probe2', 'type', 'bridge'],
  },
  {
    what: 'address translation by iptables',
    options: 'CONFIG_IP_NF_NAT',
    modules: 'iptable_nat',
    ...restore(nat('-p tcp -j DNAT --to-destination 192.0.2.1:80')),
  },
  {
    what: 'masquerading',
    options: 'CONFIG_NETFILTER_XT_TARGET_MASQUERADE',
    modules: 'xt_MASQUERADE',
    ...restore(nat('-j MASQUERADE')),
  },
  {
    what: 'marks on packets',
    options: 'CONFIG_NETFILTER_XT_MARK',
    modules: 'xt_mark',
    ...restore(nat('-m mark --mark 0x4000/0x4000 -j MARK --or-mark 0x4000')),
  },
  {
    what: 'random choice of a rule',
    options: 'CONFIG_NETFILTER_XT_MATCH_STATISTIC',
    modules: 'xt_statistic',
    ...restore(nat('-m statistic --mode random --probability 0.5 -j RETURN')),
  },
  {
    what: 'comments on rules',
    options: 'CONFIG_NETFILTER_XT_MATCH_COMMENT',
    modules: 'xt_comment',
    ...restore(nat('-m comment --comment probe -j RETURN')),
  },
  {
    what: 'matching of local addresses',
    options: 'CONFIG_NETFILTER_XT_MATCH_ADDRTYPE',
    modules: 'xt_addrtype',
    ...restore(nat('-m addrtype --dst-type LOCAL -j RETURN')),
  },
  {
    what: 'matching of connection states',
    options: 'CONFIG_NETFILTER_XT_MATCH_CONNTRACK',
    modules: 'xt_conntrack',
    ...restore('*filter\n:FAIRWAY-PROBE - [0:0]\n-A FAIRWAY-PROBE -m conntrack --ctstate NEW -j REJECT\nCOMMIT\n'),
  },
];

const nft = (lines: string): Pick<Feature, 'command' | 'input'> => ({
  command: ['nft', '-f', '-'],
  input: `table ip fairway-probe {\n${lines}\n}\n`,
});

/** What a proxy mode needs beyond `FEATURES`, which the kubelet and iptables mode need anyway. */
export const MODE_FEATURES: Readonly<Record<ProxyMode, readonly Feature[]>> = {
  nftables: [
    {
      what: 'address translation by nftables',
      options: 'CONFIG_NFT_NAT',
      modules: 'nft_nat nft_masq nft_chain_nat',
      ...nft('chain nat { type nat hook postrouting priority 100; masquerade fully-random; }'),
    },
    {
      what: 'nftables maps chosen from by random numbers',
      options: 'CONFIG_NFT_NUMGEN',
      modules: 'nft_numgen',
      ...nft(
        'map ends { typeof numgen random mod 8 : ip daddr; }\nchain pick { dnat to numgen random mod 8 map @ends; }',
      ),
    },
    {
      what: 'matching of local addresses by nftables',
      options: 'CONFIG_NFT_FIB_IPV4',
      modules: 'nft_fib_ipv4 nft_fib_ipv6',
      ...nft('chain local { fib daddr type local accept; }'),
    },
  ],
  iptables: [],
  ipvs: [
    {
      what: 'dummy devices',
      options: 'CONFIG_DUMMY',
      modules: 'dummy',
      command: ['ip', 'link', 'add', 'probe3', 'type', 'dummy'],
    },
    {
      what: 'IP virtual servers',
      options: 'CONFIG_IP_VS',
      modules: 'ip_vs ip_vs_rr',
      command: ['ipvsadm', '-A', '-t', '192.0.2.1:80', '-s', 'rr'],
    },
    {
      what: 'sets of addresses',
      options: 'CONFIG_IP_SET',
      modules: 'ip_set ip_set_hash_ipport xt_set',
      command: ['ipset', 'create', 'fairway-probe', 'hash:ip,port'],
    },
  ],
  userspace: [],
};

/**
 * One sentence for the first feature that is missing, or undefined. `namespace` must not exist; it is removed again. `modes` are those
 * of the nodes.
 */
export async function probeKernel(
  namespace: string,
  env: Record<string, string>,
  modes: readonly ProxyMode[],
  run: Exec = exec,
): Promise<string | undefined> {
  try {
    await run('ip', ['netns', 'add', namespace]);
  } catch (error) {
    return sentence('network namespaces', 'CONFIG_NET_NS', undefined, error);
  }
  try {
    const features = [...FEATURES, ...new Set(modes.flatMap((mode) => MODE_FEATURES[mode]))];
    for (const { what, options, modules, command, input } of features) {
      try {
        await run('nsenter', [`--net=/run/netns/${namespace}`, ...command], {
          env,
          ...(input !== undefined && { input }),
        });
      } catch (error) {
        return sentence(what, options, modules, error);
      }
    }
    return undefined;
  } finally {
    await run('ip', ['netns', 'delete', namespace]).catch(() => undefined); // named after the cluster: `down` finds it
  }
}

function sentence(what: string, options: string, modules: string | undefined, error: unknown): string {
  const words = error instanceof HostError ? wordsOf(error.stderr) : String(error);
  const cure = modules === undefined ? 'use another kernel' : `run: modprobe ${modules}, or use a kernel built with it`;
  return `the kernel has no ${what} (${options}): ${words === '' ? 'it was refused' : words}; ${cure}`;
}

/** The first line of what a tool said, as part of a sentence of ours. */
const wordsOf = (stderr: string) => (stderr.trim().split('\n')[0] ?? '').replace(/^Error: |\.$/g, '');
