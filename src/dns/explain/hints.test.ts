import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hintsOf, type Surroundings } from './hints.ts';
import type { QueryReport, ReportQuestion, ReportStep } from './report.ts';
import type { Outcome, Verdict } from './search-list.ts';

const CLUSTER =
  'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n';
const around: Surroundings = { zones: ['cluster.local'], clusterDns: ['10.96.0.10'], elsewhere: [] };

type Report = Omit<QueryReport, 'hints'>;

function step(
  name: string,
  search: string | undefined,
  outcome: Outcome,
  more: Partial<ReportQuestion> = {},
): ReportStep {
  const base = { name, server: '10.96.0.10', transport: 'udp', outcome, answers: [], ms: 2 } as const;
  const questions = ['A', 'AAAA'].map((type) => ({ ...base, type, ...more }));
  return { name, outcome, questions, ...(search !== undefined && { search }) };
}

function report(change: Partial<Report> & { verdict?: Verdict; musl?: Verdict } = {}): Report {
  const { verdict = 'found', musl = verdict, ...rest } = change;
  return {
    name: 'web',
    types: ['A', 'AAAA'],
    from: { kind: 'pod', node: 'node01', namespace: 'shop', pod: 'client' },
    resolver: { resolvConf: CLUSTER, source: 'file' },
    steps: [step('web.shop.svc.cluster.local.', 'shop.svc.cluster.local', 'found')],
    endings: { glibc: { verdict, tried: 1 }, musl: { verdict: musl, tried: 1 } },
    ...rest,
  };
}

const wasted = (name: string) => [
  ...['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'].map((search) =>
    step(`${name}.${search}.`, search, 'nxdomain'),
  ),
  step(`${name}.`, undefined, 'found'),
];

interface Case {
  readonly title: string;
  readonly report: Report;
  readonly around?: Partial<Surroundings>;
  readonly hints: readonly (readonly [failure: string | undefined, text: RegExp, remedy: RegExp])[];
}

const CASES: readonly Case[] = [
  { title: 'nothing to say', report: report(), hints: [] },
  {
    title: 'a name outside the cluster that goes through the whole list',
    report: report({ name: 'www.example.org', steps: wasted('www.example.org') }),
    hints: [
      ['F27', /^6 of 8 questions \(6\.0 ms\)/, /^write www\.example\.org\. with the final dot, or .* ndots: "2"$/],
    ],
  },
  {
    title: 'a full name of the cluster has a shorter one',
    report: report({ name: 'web.shop.svc.cluster.local', steps: wasted('web.shop.svc.cluster.local') }),
    hints: [['F27', /has 4 dots/, / or web\.shop, /]],
  },
  {
    title: 'a name of one label found as it is: one dot is the fewest that helps',
    report: report({ name: 'localnet', steps: wasted('localnet') }),
    hints: [['F27', /has 0 dots/, /ndots: "1"/]],
  },
  {
    title: 'the DNS of the cluster does not answer',
    report: report({
      verdict: 'EAI_AGAIN',
      steps: [
        step('web.shop.svc.cluster.local.', 'shop.svc.cluster.local', 'silence', { error: 'no answer within 5 s' }),
      ],
    }),
    hints: [['F26', /^10\.96\.0\.10 does not answer: no answer within 5 s$/, /kube-dns has endpoints/]],
  },
  {
    title: 'the kubelet writes another address than that of kube-dns',
    report: report({
      verdict: 'EAI_AGAIN',
      resolver: { resolvConf: CLUSTER.replace('10.96.0.10', '10.0.0.10'), source: 'file' },
      steps: [
        step('web.shop.svc.cluster.local.', 'shop.svc.cluster.local', 'silence', {
          server: '10.0.0.10',
          error: 'silence',
        }),
      ],
    }),
    hints: [
      ['F26', /^10\.0\.0\.10 does not answer/, /^nothing in the cluster answers at 10\.0\.0\.10/],
      ['F26', /asks 10\.0\.0\.10, not Service kube-dns \(10\.96\.0\.10\)$/, /--cluster-dns/],
    ],
  },
  {
    title: 'a Pod that asks the resolver of its node',
    report: report({
      verdict: 'EAI_NONAME',
      resolver: { resolvConf: 'nameserver 192.0.2.53\n', source: 'file' },
      steps: [step('web.', undefined, 'nxdomain', { server: '192.0.2.53' })],
    }),
    hints: [[undefined, /^names are asked of 192\.0\.2\.53, not Service kube-dns/, /dnsPolicy ClusterFirst/]],
  },
  {
    title: 'the search list ends in another domain than the server has',
    report: report({ verdict: 'EAI_NONAME', steps: [step('web.shop.svc.cluster.local.', 'x', 'nxdomain')] }),
    around: { zones: ['cluster.test'] },
    hints: [
      ['F33', /completed with cluster\.local, and this DNS server answers for cluster\.test$/, /--cluster-domain/],
    ],
  },
  {
    title: 'a full name ends in another domain than the server has',
    report: report({ name: 'web.shop.svc.kube.test', verdict: 'EAI_NONAME', steps: [] }),
    around: { clusterDns: [] },
    hints: [['F33', /completed with kube\.test/, /cluster\.local/]],
  },
  {
    title: 'the server has not listed the cluster yet',
    report: report({
      verdict: 'EAI_AGAIN',
      steps: [
        step('web.shop.svc.cluster.local.', 'x', 'servfail', {
          served: {
            plugin: 'kubernetes',
            trail: [{ plugin: 'kubernetes', text: 'has not yet listed the cluster: SERVFAIL' }],
            took: 0.1,
          },
        }),
      ],
    }),
    hints: [['F31', /not yet listed/, /\/ready on port 8181/]],
  },
  {
    title: 'a stale answer',
    report: report({
      steps: [
        step('www.example.org.', undefined, 'found', {
          served: { plugin: 'cache', source: 'stale, 12 s too old', trail: [], took: 0.1 },
        }),
      ],
      name: 'www.example.org.',
    }),
    hints: [[undefined, /^an answer from the cache is stale, 12 s too old/, /forward line/]],
  },
  {
    title: 'the libraries end differently',
    report: report({ musl: 'EAI_AGAIN' }),
    hints: [[undefined, /glibc and with musl \(Alpine\) end differently here: found and EAI_AGAIN/, /complete name/]],
  },
  {
    title: 'the Service is in another namespace',
    report: report({ verdict: 'EAI_NONAME', steps: [step('web.shop.svc.cluster.local.', 'x', 'nxdomain')] }),
    around: { elsewhere: ['default', 'shop'] },
    hints: [[undefined, /^there is a Service web in namespace default$/, /: web\.default$/]],
  },
  {
    title: 'the Service is in a namespace, and nobody adds the rest of its name',
    report: report({
      name: 'web.shop',
      from: { kind: 'node', node: 'node01' },
      resolver: { resolvConf: 'nameserver 192.0.2.53\n', source: 'file' },
      verdict: 'EAI_NONAME',
      steps: [step('web.shop.', undefined, 'nxdomain', { server: '192.0.2.53' })],
    }),
    around: { elsewhere: ['shop'], clusterDns: [] },
    hints: [[undefined, /^there is a Service web in namespace shop$/, /whole name: web\.shop\.svc\.cluster\.local$/]],
  },
  {
    title: 'the Service was asked for by its whole name, and has no such records',
    report: report({
      name: 'web.default.svc.cluster.local.',
      verdict: 'EAI_NODATA',
      steps: [step('web.default.svc.cluster.local.', undefined, 'nodata')],
    }),
    around: { elsewhere: ['default'] },
    hints: [],
  },
  {
    title: 'an alias that leads into a ring',
    report: report({
      verdict: 'EAI_NODATA',
      steps: [
        step('web.shop.svc.cluster.local.', 'shop.svc.cluster.local', 'nodata', {
          answers: ['Web.test. 30 IN CNAME a.test.', 'a.test. 30 IN CNAME b.test.', 'b.test. 30 IN CNAME a.test.'],
        }),
      ],
    }),
    hints: [[undefined, /in a ring, .*: web\.test\. → a\.test\. → b\.test\. → a\.test\.$/, /spec\.externalName/]],
  },
  {
    title: 'an alias that leads out of the cluster is no ring',
    report: report({
      verdict: 'EAI_NODATA',
      steps: [
        step('web.shop.svc.cluster.local.', 'shop.svc.cluster.local', 'nodata', {
          answers: ['web.shop.svc.cluster.local. 30 IN CNAME www.example.org.'],
        }),
      ],
    }),
    hints: [],
  },
  {
    title: 'the file is not the one the kubelet would write',
    report: report({ resolver: { resolvConf: CLUSTER, source: 'file', expected: 'nameserver 10.0.0.10\n' } }),
    hints: [[undefined, /not what the kubelet writes now: nameserver 10\.0\.0\.10$/, /make it anew/]],
  },
];

for (const { title, hints, ...given } of CASES) {
  test(title, () => {
    const found = hintsOf(given.report, { ...around, ...given.around });
    assert.deepEqual(
      found.map(({ failure }) => failure),
      hints.map(([failure]) => failure),
      JSON.stringify(found),
    );
    for (const [at, [, text, remedy]] of hints.entries()) {
      assert.match(found[at]?.text ?? '', text);
      assert.match(found[at]?.remedy ?? '', remedy);
    }
  });
}
