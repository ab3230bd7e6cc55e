/**
 * `/dns/query` on the kubelet's port: one name looked up from where a Pod is, or the node, and what the node's DNS server did for it. The look-up is
 * a process of its own in the Pod's network namespace: its packets take the way of the Pod's packets, rules of the proxy included.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SERVICES } from '../api/kinds.ts';
import type { Client } from '../client/client.ts';
import {
  candidatesOf,
  hintsOf,
  readSettings,
  renderResolvConf,
  stepsOf,
  type Libc,
  type Lookup,
  type QueryReport,
  type ResolverSettings,
  type Surroundings,
} from '../dns/explain/index.ts';
import { isAskable } from '../dns/explain/ask.ts';
import type { JobRequest } from '../dns/explain/lookup-process.ts';
import type { ReportFrom, ReportResolver } from '../dns/explain/report.ts';
import type { RunningDns } from '../dns/run.ts';
import type { QueryRecord } from '../dns/query-log/tap.ts';
import { TYPE } from '../dns/wire/message.ts';
import { parseType, typeName } from '../dns/wire/record-text.ts';
import { exec, type Exec } from '../host/exec.ts';
import type { PodPlaces } from '../kubelet/run.ts';
import { Refusal } from '../kubelet/server/index.ts';
import { placeOf } from './pod-resolver.ts';

export interface DnsQueryOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** Where the node's DNS server listens. */
  readonly address: string;
  readonly resolvConf: string;
  readonly exec?: Exec;
}

interface Asked {
  readonly name: string;
  readonly types: readonly number[];
  readonly from: ReportFrom;
  readonly networkNamespace?: string;
  readonly resolver?: ReportResolver;
  readonly settings: Readonly<Record<Libc, ResolverSettings>>;
}

const LOOKUP = join(import.meta.dirname, '..', 'dns', 'explain', 'lookup-process.ts');
/** Types of one look-up: as many questions go out at once. */
const MOST_TYPES = 8;

/** @throws Refusal */
export async function explainQuery(
  dns: RunningDns,
  pods: PodPlaces,
  query: URLSearchParams,
  options: DnsQueryOptions,
): Promise<QueryReport> {
  const asked = await askedBy(query, pods, options);
  const names = new Set(
    (['glibc', 'musl'] as const).flatMap((libc) =>
      candidatesOf(asked.name, asked.settings[libc], libc).map(({ name }) => name.toLowerCase()),
    ),
  );
  const records: QueryRecord[] = [];
  const stop = dns.runtime.tap.listen({
    wants: ({ name, type }) => asked.types.includes(type) && names.has(name.toLowerCase()),
    hear: (record) => {
      if (records.length < MOST_RECORDS) records.push(record);
    },
  });
  let lookup: Lookup;
  try {
    lookup = await runLookup(asked, options.exec ?? exec);
  } finally {
    stop();
  }
  const report = {
    name: asked.name,
    types: asked.types.map(typeName),
    from: asked.from,
    ...(asked.resolver && { resolver: asked.resolver }),
    steps: stepsOf(lookup, records),
    endings: lookup.endings,
  };
  return { ...report, hints: hintsOf(report, await surroundings(dns, asked, lookup, options.client)) };
}

/** Others may ask for the same names meanwhile. */
const MOST_RECORDS = 1000;

async function askedBy(query: URLSearchParams, pods: PodPlaces, options: DnsQueryOptions): Promise<Asked> {
  const name = query.get('name') ?? '';
  if (!isAskable(name)) throw new Refusal(400, `invalid name ${JSON.stringify(name)}`);
  const types = (query.get('type') ?? 'A,AAAA').split(',').map((text) => {
    const type = parseType(text);
    if (type === undefined || type === TYPE.AXFR || type === TYPE.IXFR || type === TYPE.OPT)
      throw new Refusal(400, `invalid type ${JSON.stringify(text)}`);
    return type;
  });
  if (types.length > MOST_TYPES) throw new Refusal(400, `more than ${String(MOST_TYPES)} types`);
  const base = { types: [...new Set(types)], name };
  const node = options.nodeName;
  switch (query.get('from') ?? 'server') {
    case 'pod': {
      const [namespace, podName] = [query.get('namespace') ?? 'default', query.get('pod') ?? ''];
      const pod = pods.get(namespace, podName);
      if (!pod) throw new Refusal(404, `pod "${podName}" of namespace "${namespace}" is not on node ${node}`);
      const place = await placeOf(pods, pod);
      const hostNetwork = pod.spec.hostNetwork === true;
      const from = { kind: 'pod', node, namespace, pod: podName, ...(hostNetwork && { hostNetwork }) } as const;
      return { ...base, ...place, from, settings: settingsOf(place.resolver.resolvConf) };
    }
    case 'node': {
      const resolvConf = await readFile(options.resolvConf, 'utf8').catch(() => '');
      const resolver = { resolvConf, source: 'file' } as const;
      return { ...base, from: { kind: 'node', node }, resolver, settings: settingsOf(resolvConf) };
    }
    case 'server': {
      const own = renderResolvConf({ servers: [options.address], searches: [], options: [] });
      const complete = name.endsWith('.') ? name : `${name}.`;
      return { ...base, name: complete, from: { kind: 'server', node }, settings: settingsOf(own) };
    }
    default:
      throw new Refusal(400, 'from is pod, node or server');
  }
}

const settingsOf = (text: string): Asked['settings'] => ({
  glibc: readSettings(text, 'glibc'),
  musl: readSettings(text, 'musl'),
});

async function runLookup({ name, types, settings, networkNamespace }: Asked, run: Exec): Promise<Lookup> {
  const request: JobRequest = { name, types, settings };
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', LOOKUP];
  const [file = '', ...args] =
    networkNamespace === undefined ? program : ['nsenter', `--net=${networkNamespace}`, ...program];
  const { stdout } = await run(file, args, { input: JSON.stringify(request), timeout: LOOKUP_MS, maxOutput: 4 << 20 });
  return JSON.parse(stdout) as Lookup;
}

/** ms. Servers that say nothing take their time for each name. */
const LOOKUP_MS = 120_000;

async function surroundings(dns: RunningDns, asked: Asked, lookup: Lookup, client: Client): Promise<Surroundings> {
  const [clusterDns, elsewhere] = await Promise.all([
    addressesOfClusterDns(client).catch(() => []),
    lookup.endings.glibc.verdict === 'found'
      ? []
      : namespacesWith(client, asked.name.split('.')[0] ?? '').catch(() => []),
  ]);
  return { zones: dns.clusterZones(), clusterDns, elsewhere };
}

async function addressesOfClusterDns(client: Client): Promise<string[]> {
  // Listed, because a DNS server may list Services and not get one.
  const { items } = await client.list(SERVICES, { namespace: 'kube-system', fieldSelector: 'metadata.name=kube-dns' });
  return items.flatMap(({ spec }) => spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]));
}

async function namespacesWith(client: Client, service: string): Promise<string[]> {
  const { items } = await client.list(SERVICES, { fieldSelector: `metadata.name=${service}`, limit: 20 });
  return items.map(({ metadata }) => metadata.namespace ?? '').sort();
}
