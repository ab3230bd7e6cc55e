/** The fields of KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1 (3-152..3-176), with kube-proxy's names. Durations are ms. */

export const API_VERSION = 'kubeproxy.config.k8s.io/v1alpha1';
export const KIND = 'KubeProxyConfiguration';

export interface KubeProxyConfiguration {
  readonly bindAddress: string;
  /** `ip:port`; '': none (by a flag only; in a file it is the default). */
  readonly healthzBindAddress: string;
  readonly metricsBindAddress: string;
  readonly bindAddressHardFail: boolean;
  readonly enableProfiling: boolean;
  readonly showHiddenMetricsForVersion: string;
  readonly featureGates: Readonly<Record<string, boolean>>;
  readonly clientConnection: {
    readonly kubeconfig: string;
    readonly acceptContentTypes: string;
    readonly contentType: string;
    readonly qps: number;
    readonly burst: number;
  };
  readonly logging: unknown;
  readonly hostnameOverride: string;
  /** '': this program's default. */
  readonly mode: string;
  readonly iptables: RuleSettings & { readonly localhostNodePorts: boolean; readonly snatNodeInternalIP: boolean };
  readonly nftables: RuleSettings;
  readonly ipvs: Periods & {
    readonly scheduler: string;
    readonly excludeCIDRs: readonly string[];
    readonly strictARP: boolean;
    readonly tcpTimeout: number;
    readonly tcpFinTimeout: number;
    readonly udpTimeout: number;
  };
  readonly winkernel: unknown;
  readonly detectLocalMode: string;
  readonly detectLocal: { readonly bridgeInterface: string; readonly interfaceNamePrefix: string };
  /** One CIDR, or one of each family separated by a comma. */
  readonly clusterCIDR: string;
  /** CIDRs and the words `primary`, `localhost`, `all`; empty: the mode's default. */
  readonly nodePortAddresses: readonly string[];
  readonly oomScoreAdj: number;
  readonly conntrack: {
    readonly maxPerCore: number;
    readonly min: number;
    readonly tcpEstablishedTimeout: number;
    readonly tcpCloseWaitTimeout: number;
    /** undefined: where the kernel lets us (trap T4). */
    readonly tcpBeLiberal: boolean | undefined;
    readonly udpTimeout: number;
    readonly udpStreamTimeout: number;
  };
  readonly configSyncPeriod: number;
  readonly portRange: string;
  readonly udpIdleTimeout: number;
  readonly windowsRunAsService: boolean;
}

export interface Periods {
  readonly syncPeriod: number;
  readonly minSyncPeriod: number;
}

export interface RuleSettings extends Periods {
  readonly masqueradeBit: number;
  readonly masqueradeAll: boolean;
}

/** What a value may be. */
export type Scalar = 'string' | 'boolean' | 'int' | 'float' | 'duration';
/** `switches`: name -> boolean; `anything` is taken as it is. */
export type Shape = Scalar | 'strings' | 'switches' | 'anything' | { readonly [field: string]: Shape };

const periods = { syncPeriod: 'duration', minSyncPeriod: 'duration' } as const;
const rules = { masqueradeBit: 'int', masqueradeAll: 'boolean', ...periods } as const;

/** Every field there is; all others are unknown. */
export const SHAPE: Readonly<Record<keyof KubeProxyConfiguration, Shape>> = {
  bindAddress: 'string',
  healthzBindAddress: 'string',
  metricsBindAddress: 'string',
  bindAddressHardFail: 'boolean',
  enableProfiling: 'boolean',
  showHiddenMetricsForVersion: 'string',
  featureGates: 'switches',
  clientConnection: {
    kubeconfig: 'string',
    acceptContentTypes: 'string',
    contentType: 'string',
    qps: 'float',
    burst: 'int',
  },
  logging: 'anything',
  hostnameOverride: 'string',
  mode: 'string',
  iptables: { ...rules, localhostNodePorts: 'boolean', snatNodeInternalIP: 'boolean' },
  nftables: rules,
  ipvs: {
    ...periods,
    scheduler: 'string',
    excludeCIDRs: 'strings',
    strictARP: 'boolean',
    tcpTimeout: 'duration',
    tcpFinTimeout: 'duration',
    udpTimeout: 'duration',
  },
  winkernel: 'anything',
  detectLocalMode: 'string',
  detectLocal: { bridgeInterface: 'string', interfaceNamePrefix: 'string' },
  clusterCIDR: 'string',
  nodePortAddresses: 'strings',
  oomScoreAdj: 'int',
  conntrack: {
    maxPerCore: 'int',
    min: 'int',
    tcpEstablishedTimeout: 'duration',
    tcpCloseWaitTimeout: 'duration',
    tcpBeLiberal: 'boolean',
    udpTimeout: 'duration',
    udpStreamTimeout: 'duration',
  },
  configSyncPeriod: 'duration',
  portRange: 'string',
  udpIdleTimeout: 'duration',
  windowsRunAsService: 'boolean',
};

/** Fields that were told, by name, nested as in the file; their values fit SHAPE. */
export interface Told {
  readonly [field: string]: unknown;
}

/** What is wrong with a field. `fatal`: nothing sensible can be done without it; else the rest is served (see README.md). */
export interface ConfigProblem {
  /** `iptables.syncPeriod` */
  readonly field: string;
  readonly problem: string;
  readonly fatal: boolean;
}

/** One line, whatever a file says: without what a terminal would obey. */
export function renderProblem({ field, problem }: ConfigProblem): string {
  return (field === '' ? problem : `${field}: ${problem}`).replaceAll(/\p{Cc}+/gu, '?');
}
