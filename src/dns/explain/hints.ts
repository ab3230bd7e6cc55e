/** What is slow or wrong about a look-up, and what to do about it, by the numbers of the failure catalogue (F26, F27, F31, F33). Pure. */
import type { QueryReport, ReportQuestion, ReportResolver } from './report.ts';

export interface Hint {
  /** `F27`; absent where the catalogue has no row for it. */
  readonly failure?: string;
  readonly text: string;
  readonly remedy?: string;
}

/** What the hints are told by besides the report. */
export interface Surroundings {
  /** Zones that the DNS server answers from the cluster: `cluster.local`. */
  readonly zones: readonly string[];
  /** The addresses of Service kube-dns; empty where there is none. */
  readonly clusterDns: readonly string[];
  /** Namespaces that have a Service of the name's first label; only looked for where nothing was found. */
  readonly elsewhere: readonly string[];
}

type Told = Omit<QueryReport, 'hints'>;

export function hintsOf(report: Told, around: Surroundings): Hint[] {
  return [
    ...unreachable(report, around),
    ...otherServer(report, around),
    ...otherSuffix(report, around),
    ...unsynced(report),
    ...stale(report),
    ...wastedQuestions(report, around),
    ...libraries(report),
    ...ring(report),
    ...elsewhere(report, around),
    ...otherFile(report),
  ];
}

const all = (report: Told): ReportQuestion[] => report.steps.flatMap(({ questions }) => questions);
const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;

const hasClusterSearch = ({ resolvConf }: ReportResolver): boolean => /^search .*\bsvc\./m.test(resolvConf);

function unreachable(report: Told, { clusterDns }: Surroundings): Hint[] {
  const failed = all(report).filter(({ outcome }) => outcome === 'silence' || outcome === 'unreachable');
  return [...new Set(failed.map(({ server }) => server))].map((server) => {
    const why = failed.find((one) => one.server === server)?.error ?? '';
    return {
      failure: 'F26',
      text: `${server} does not answer: ${why}`,
      remedy: clusterDns.includes(server)
        ? 'see whether Service kube-system/kube-dns has endpoints on this node, and whether the proxy runs: kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns'
        : `nothing in the cluster answers at ${server}: see what the nameserver lines of the resolv.conf come from`,
    };
  });
}

/** Only where the cluster's DNS is meant: a Pod with dnsPolicy Default, or a node, asks others on purpose. */
function otherServer({ resolver, from, steps }: Told, { clusterDns }: Surroundings): Hint[] {
  const servers = [...new Set(steps.flatMap(({ questions }) => questions.map(({ server }) => server)))];
  if (!resolver || clusterDns.length === 0 || servers.some((server) => clusterDns.includes(server))) return [];
  const isForCluster = hasClusterSearch(resolver);
  const who = `${servers.join(', ')}, not Service kube-dns (${clusterDns.join(', ')})`;
  if (isForCluster) {
    return [
      {
        failure: 'F26',
        text: `the resolv.conf has the search list of the cluster and asks ${who}`,
        remedy: 'give the kubelets --cluster-dns with the address of kube-dns; Pods get it when they are made anew',
      },
    ];
  }
  if (from.kind === 'server') return [];
  return [
    {
      text: `names are asked of ${who}: names of the cluster are not known there`,
      remedy: 'for a Pod: dnsPolicy ClusterFirst, or ClusterFirstWithHostNet where it is on the network of its node',
    },
  ];
}

function otherSuffix({ resolver, name }: Told, { zones }: Surroundings): Hint[] {
  if (zones.length === 0) return [];
  const searched = [...(resolver?.resolvConf.matchAll(/(?<=[\s.])svc\.(\S+)/g) ?? [])].map(([, domain = '']) => domain);
  const asked = /\.svc\.(.+?)\.?$/.exec(name)?.[1];
  const wrong = [...new Set([...searched, ...(asked === undefined ? [] : [asked])])].filter(
    (domain) => !zones.some((zone) => zone.toLowerCase() === domain.toLowerCase().replace(/\.$/, '')),
  );
  return wrong.map((domain) => ({
    failure: 'F33',
    text: `names are completed with ${domain}, and this DNS server answers for ${zones.join(', ')}`,
    remedy: `write ${zones[0] ?? ''} in --cluster-domain of the kubelets and in the kubernetes line of the Corefile, or ${domain} in both`,
  }));
}

function unsynced(report: Told): Hint[] {
  const isSo = all(report).some(({ served }) => served?.trail.some(({ text }) => text.includes('not yet listed')));
  return isSo
    ? [
        {
          failure: 'F31',
          text: 'the DNS server has not yet listed the cluster and answers SERVFAIL until it has',
          remedy: 'see whether it reaches the API server: its log, and /ready on port 8181',
        },
      ]
    : [];
}

function stale(report: Told): Hint[] {
  const old = all(report).filter(({ served }) => served?.source?.includes('stale') === true);
  return old.slice(0, 1).map(({ served }) => ({
    text: `an answer from the cache is ${served?.source ?? 'stale'}: the upstream servers do not answer, and serve_stale lets it stand`,
    remedy:
      'see the upstream servers: the forward line of the Corefile, and coredns_forward_healthcheck_failures_total',
  }));
}

/** The name was complete, and the search list was gone through all the same (kubernetes/kubernetes#14051). */
function wastedQuestions({ name, steps, endings }: Told, { zones }: Surroundings): Hint[] {
  const at = steps.findIndex(({ search, outcome }) => search === undefined && outcome === 'found');
  if (at < 1 || endings.glibc.verdict !== 'found' || name.endsWith('.')) return [];
  const wasted = steps.slice(0, at).flatMap(({ questions }) => questions);
  const cost = steps.slice(0, at).reduce((sum, { questions }) => sum + slowest(questions), 0);
  const inCluster = zones.some((zone) => name.toLowerCase().endsWith(`.${zone}`));
  const short = inCluster ? ` or ${name.split('.').slice(0, 2).join('.')}` : '';
  const dots = name.split('.').length - 1;
  return [
    {
      failure: 'F27',
      text: `${String(wasted.length)} of ${String(wasted.length + (steps[at]?.questions.length ?? 0))} questions (${ms(cost)}) were for names that nobody meant: ${name} has ${dots === 1 ? '1 dot' : `${String(dots)} dots`}, fewer than ndots, so the search list comes first`,
      remedy: `write ${name}. with the final dot${short}, or give the Pod dnsConfig.options ndots: "${String(Math.max(1, dots))}"`,
    },
  ];
}

const slowest = (questions: readonly ReportQuestion[]): number => Math.max(0, ...questions.map((one) => one.ms));

function libraries({ endings, resolver }: Told): Hint[] {
  const { glibc, musl } = endings;
  if (glibc.verdict === musl.verdict) return [];
  const own = resolver?.libc;
  return [
    {
      text: `images with glibc and with musl (Alpine) end differently here: ${glibc.verdict} and ${musl.verdict}${own ? `; this Pod has ${own}` : ''}`,
      remedy:
        'musl stops at the first name that is there without such records and at the first failure, and never searches for a name with ndots dots; glibc goes on: write the complete name',
    },
  ];
}

/** Aliases that lead back to one another have no address at their end: Services of type ExternalName, mostly. */
function ring(report: Told): Hint[] {
  const rings = all(report).flatMap(({ answers }) => ringOf(answers) ?? []);
  return [...new Set(rings)].slice(0, 1).map((way) => ({
    text: `these aliases lead in a ring, and to no address: ${way}`,
    remedy: 'let one of them lead to a name that has an address: spec.externalName, where they are Services',
  }));
}

/** @param answers in the words of a zone file */
function ringOf(answers: readonly string[]): string | undefined {
  const words = answers.map((text) => text.toLowerCase().split(/\s+/));
  const targets = new Map(
    words.filter(([, , , type]) => type === 'cname').map(([name = '', , , , to = '']) => [name, to]),
  );
  const [first = ''] = targets.keys();
  const way = [first];
  for (let at = targets.get(first); at !== undefined; at = targets.get(at)) {
    const isClosed = way.includes(at);
    way.push(at);
    if (isClosed) return way.join(' → ');
  }
  return undefined;
}

function elsewhere({ name, from, resolver, steps, endings }: Told, around: Surroundings): Hint[] {
  if (endings.glibc.verdict === 'found' || around.elsewhere.length === 0) return [];
  const [service = ''] = name.split('.');
  const [zone = 'cluster.local'] = around.zones;
  const wasAsked = (namespace: string) => steps.some((one) => one.name === `${service}.${namespace}.svc.${zone}.`);
  const others = around.elsewhere.filter((namespace) => namespace !== from.namespace && !wasAsked(namespace));
  const [nearest] = others;
  if (nearest === undefined) return [];
  // Without the search list of the cluster nothing shorter than the whole name is complete.
  const isSearched = resolver !== undefined && hasClusterSearch(resolver);
  return [
    {
      text: `there is a Service ${service} in ${others.length === 1 ? 'namespace' : 'namespaces'} ${others.join(', ')}`,
      remedy: isSearched
        ? `a Service of another namespace is asked for with it: ${service}.${nearest}`
        : `without the search list of the cluster it is asked for by its whole name: ${service}.${nearest}.svc.${zone}`,
    },
  ];
}

function otherFile({ resolver }: Told): Hint[] {
  if (resolver?.expected === undefined) return [];
  return [
    {
      text: `the Pod's resolv.conf is not what the kubelet writes now: ${resolver.expected.trim().replaceAll('\n', '; ')}`,
      remedy: 'a Pod keeps the file it was made with: make it anew to have the new one',
    },
  ];
}
