/** Clusters of any size for the benches of nftables mode, and the proxy at work on them. */
import type { KubeObject } from '../src/api/types.ts';
import { ENDPOINT_SLICES, SERVICES } from '../src/api/kinds.ts';
import { createNfTables, type NfTables, type SetChange } from '../src/host/netlink/nf-tables.ts';
import { createNfRules } from '../src/host/netlink/nf-rules.ts';
import { createNft, type Nft } from '../src/host/nft.ts';
import { silentLog } from '../src/lib/log.ts';
import { nftablesBackendOf } from '../src/proxy/nftables/backend.ts';
import { runProxy, type RunningProxy } from '../src/proxy/run.ts';
import { GeneratedClient } from './generated-client.ts';

export const ipOf = (at: number, low: number): string =>
  `10.${String(low + Math.floor(at / 65_000))}.${String(Math.floor((at % 65_000) / 250))}.${String((at % 250) + 1)}`;

export function serviceOf(at: number): KubeObject {
  const spec = { clusterIP: ipOf(at, 96), ports: [{ name: 'http', port: 80, protocol: 'TCP' }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: `s${String(at)}`, namespace: 'bench' }, ...{ spec } };
}

/** `generation` moves the last endpoint. */
export function sliceOf(at: number, endpoints: number, generation = 0): KubeObject {
  const labels = { 'kubernetes.io/service-name': `s${String(at)}` };
  const ips = Array.from({ length: endpoints }, (_, number) => ipOf(at * endpoints + number, 128));
  if (generation > 0) ips[endpoints - 1] = ipOf(at, generation % 2 === 0 ? 240 : 241);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `s${String(at)}-x`, namespace: 'bench', labels },
    ...{
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'elsewhere', conditions: { ready: true } })),
    },
  };
}

export interface Written {
  readonly changes: readonly SetChange[];
}

/** A proxy on a cluster of SERVICES times ENDPOINTS, through the real kernel. */
export class NftablesBench {
  readonly services: number;
  readonly endpoints: number;
  readonly client: GeneratedClient;
  readonly nft: Nft = createNft();
  #live: () => void = () => undefined;
  #tables: NfTables | undefined;
  #proxy: RunningProxy | undefined;
  #written: (written: Written) => void = () => undefined;
  #generation = 0;

  constructor(services: number, endpoints: number, extra: readonly KubeObject[] = []) {
    this.services = services;
    this.endpoints = endpoints;
    this.client = new GeneratedClient(function* (kind) {
      for (let at = 0; at < services; at++) yield kind === SERVICES ? serviceOf(at) : sliceOf(at, endpoints);
      yield* extra.filter((one) => one.kind === (kind === SERVICES ? 'Service' : 'EndpointSlice'));
    });
  }

  /** Resolves when the proxy's next commit is live. */
  nextWrite(): Promise<Written> {
    return new Promise((resolve) => (this.#written = resolve));
  }

  /** Resolves when packets are let in again. */
  nextLive(): Promise<void> {
    return new Promise((resolve) => (this.#live = resolve));
  }

  get tables(): NfTables {
    return (this.#tables ??= createNfTables());
  }

  /** Returns the milliseconds from when the lists were there to rules in force. */
  async start(): Promise<number> {
    const real = this.tables;
    let begin = 0;
    const nft: Nft = {
      ...this.nft,
      load: async (text) => {
        await this.nft.load(text);
        if (text.includes(' hook ')) this.#live();
      },
    };
    const watched: NfTables = {
      commit: async (family, table, changes, ruleset) => {
        await real.commit(family, table, changes, ruleset);
        if (ruleset?.made?.some(({ name }) => name === 'nat-prerouting')) this.#live();
        this.#written({ changes });
      },
      dump: (...args) => real.dump(...args),
      sets: (...args) => real.sets(...args),
      chains: (...args) => real.chains(...args),
      hasTable: (...args) => real.hasTable(...args),
      monitor: (onChange) => real.monitor(onChange),
      close: () => {
        // kept for the next start
      },
    };
    this.#proxy = runProxy({
      client: this.client,
      nodeName: 'bench',
      nodeIps: ['172.30.0.11'],
      mode: 'nftables',
      clusterCidr: '10.128.0.0/9',
      healthzBindAddress: '',
      metricsBindAddress: '',
      log: silentLog,
      host: {
        backend: ({ family }) => {
          begin = performance.now();
          return Promise.resolve(nftablesBackendOf(family, nft, watched, createNfRules()));
        },
      },
    });
    await this.#proxy.synced;
    return performance.now() - begin;
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop();
    this.#proxy = undefined;
  }

  async clear(): Promise<void> {
    await this.nft.load('add table ip kube-proxy\ndelete table ip kube-proxy\n');
  }

  close(): void {
    this.#tables?.close();
  }

  /** One Service has one endpoint more, or less again. */
  scale(): void {
    this.#generation++;
    const at = (Math.floor((this.#generation - 1) / 2) * 37) % this.services;
    this.client.change(ENDPOINT_SLICES, sliceOf(at, this.endpoints + (this.#generation % 2 === 0 ? 0 : 1)));
  }

  /** One endpoint of one Service is another. */
  change(): void {
    this.#generation++;
    const at = (this.#generation * 37) % this.services;
    this.client.change(ENDPOINT_SLICES, sliceOf(at, this.endpoints, Math.floor(this.#generation / this.services) + 1));
  }
}

export const timed = async <T>(task: () => Promise<T>): Promise<{ ms: number; result: T }> => {
  const start = performance.now();
  const result = await task();
  return { ms: performance.now() - start, result };
};
