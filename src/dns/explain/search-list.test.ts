import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings, type Libc } from './resolver-settings.ts';
import { candidatesOf, searchWith, verdictOf, type Candidate, type Outcome, type Verdict } from './search-list.ts';

const POD = `search shop.svc.cluster.local svc.cluster.local cluster.local lan
nameserver 10.96.0.10
options ndots:5
`;
const NODE = 'search lan\nnameserver 192.0.2.1\n';

const names = (name: string, conf: string, libc: Libc) =>
  candidatesOf(name, readSettings(conf, libc), libc).map((candidate) => candidate.name);

const through = (name: string) =>
  ['shop.svc.cluster.local.', 'svc.cluster.local.', 'cluster.local.', 'lan.'].map((suffix) => `${name}.${suffix}`);

interface Expansion {
  readonly title: string;
  readonly name: string;
  readonly conf: string;
  readonly glibc: readonly string[];
  /** As glibc where absent. */
  readonly musl?: readonly string[];
}

const EXPANSIONS: readonly Expansion[] = [
  {
    title: 'a short name goes through the list, then as it is',
    name: 'web',
    conf: POD,
    glibc: [...through('web'), 'web.'],
  },
  {
    title: 'a name outside the cluster with fewer dots than ndots goes through all of the list first',
    name: 'www.example.org',
    conf: POD,
    glibc: [...through('www.example.org'), 'www.example.org.'],
  },
  { title: 'a final dot leaves the list out', name: 'www.example.org.', conf: POD, glibc: ['www.example.org.'] },
  {
    title: 'four dots are fewer than five: even a full name of the cluster goes through the list',
    name: 'web.shop.svc.cluster.local',
    conf: POD,
    glibc: [...through('web.shop.svc.cluster.local'), 'web.shop.svc.cluster.local.'],
  },
  {
    title: 'with dots enough it is tried as it is first; glibc falls back to the list, musl does not',
    name: 'a.b.c.d.e.f',
    conf: POD,
    glibc: ['a.b.c.d.e.f.', ...through('a.b.c.d.e.f')],
    musl: ['a.b.c.d.e.f.'],
  },
  {
    title: 'one dot is enough where ndots is not set',
    name: 'www.example',
    conf: NODE,
    glibc: ['www.example.', 'www.example.lan.'],
    musl: ['www.example.'],
  },
  {
    title: 'ndots:0 tries a single label as it is first',
    name: 'web',
    conf: `${NODE}options ndots:0\n`,
    glibc: ['web.', 'web.lan.'],
    musl: ['web.'],
  },
  {
    title: 'ndots counts up to 15',
    name: 'a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p',
    conf: `${NODE}options ndots:40\n`,
    glibc: ['a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.', 'a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.lan.'],
    musl: ['a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.'],
  },
  {
    title: 'the root on the list is the name as it is, once for glibc and twice for musl',
    name: 'web',
    conf: 'search . lan\nnameserver 192.0.2.1\n',
    glibc: ['web.', 'web.lan.'],
    musl: ['web.', 'web.lan.', 'web.'],
  },
  { title: 'no list', name: 'web', conf: 'nameserver 192.0.2.1\n', glibc: ['web.'] },
  { title: 'the last search line counts', name: 'web', conf: 'search a\nsearch b\n', glibc: ['web.b.', 'web.'] },
  {
    title: 'a single label is kept from the root where the options say so; musl does not know that option',
    name: 'web',
    conf: `${NODE}options no-tld-query\n`,
    glibc: ['web.lan.'],
    musl: ['web.lan.', 'web.'],
  },
  {
    title: 'musl does not read a search line of 256 characters and more',
    name: 'web',
    conf: `search ${'a'.repeat(60)}.${'b'.repeat(60)}.c ${'d'.repeat(60)}.${'e'.repeat(60)}.c ${'f'.repeat(20)}\nnameserver 192.0.2.1\n`,
    glibc: [
      `web.${'a'.repeat(60)}.${'b'.repeat(60)}.c.`,
      `web.${'d'.repeat(60)}.${'e'.repeat(60)}.c.`,
      `web.${'f'.repeat(20)}.`,
      'web.',
    ],
    musl: ['web.'],
  },
];

for (const { title, name, conf, glibc, musl = glibc } of EXPANSIONS) {
  test(`expansion: ${title}`, () => {
    assert.deepEqual(names(name, conf, 'glibc'), glibc);
    assert.deepEqual(names(name, conf, 'musl'), musl);
  });
}

interface Search {
  readonly title: string;
  readonly name: string;
  /** What comes of the names, by their start; the others do not exist. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
  readonly glibc: readonly [tried: number, verdict: Verdict];
  readonly musl: readonly [tried: number, verdict: Verdict];
}

const SEARCHES: readonly Search[] = [
  {
    title: 'found at once',
    name: 'web',
    outcomes: { 'web.shop.svc.cluster.local.': 'found' },
    glibc: [1, 'found'],
    musl: [1, 'found'],
  },
  {
    title: 'found as it is, after the whole list',
    name: 'www.example.org',
    outcomes: { 'www.example.org.': 'found' },
    glibc: [5, 'found'],
    musl: [5, 'found'],
  },
  { title: 'found nowhere', name: 'nope', outcomes: {}, glibc: [5, 'EAI_NONAME'], musl: [5, 'EAI_NONAME'] },
  {
    title: 'a name without such records: glibc goes on and finds another, musl ends there',
    name: 'web',
    outcomes: { 'web.shop.svc.cluster.local.': 'nodata', 'web.lan.': 'found' },
    glibc: [4, 'found'],
    musl: [1, 'EAI_NODATA'],
  },
  {
    title: 'a name without such records counts for more than none',
    name: 'web',
    outcomes: { 'web.svc.cluster.local.': 'nodata' },
    glibc: [5, 'EAI_NODATA'],
    musl: [2, 'EAI_NODATA'],
  },
  {
    title: 'a failing server: glibc goes on, musl ends there',
    name: 'www.example.org',
    outcomes: { 'www.example.org.shop.svc.cluster.local.': 'servfail', 'www.example.org.': 'found' },
    glibc: [5, 'found'],
    musl: [1, 'EAI_AGAIN'],
  },
  {
    title: 'silence: glibc leaves the list and tries the name as it is',
    name: 'www.example.org',
    outcomes: { 'www.example.org.shop.svc.cluster.local.': 'silence', 'www.example.org.': 'silence' },
    glibc: [2, 'EAI_AGAIN'],
    musl: [1, 'EAI_AGAIN'],
  },
  {
    title: 'nobody there: that is the end',
    name: 'web',
    outcomes: { 'web.shop.svc.cluster.local.': 'unreachable' },
    glibc: [1, 'EAI_AGAIN'],
    musl: [1, 'EAI_AGAIN'],
  },
  {
    title: 'of a name with dots enough the first answer is the one that is told',
    name: 'a.b.c.d.e.f',
    outcomes: { 'a.b.c.d.e.f.': 'nodata' },
    glibc: [5, 'EAI_NODATA'],
    musl: [1, 'EAI_NODATA'],
  },
  {
    title: 'and glibc finds it in the list where it is not there as it is',
    name: 'a.b.c.d.e.f',
    outcomes: { 'a.b.c.d.e.f.lan.': 'found' },
    glibc: [5, 'found'],
    musl: [1, 'EAI_NONAME'],
  },
];

for (const { title, name, outcomes, ...expected } of SEARCHES) {
  test(`search: ${title}`, () => {
    const outcomeOf = (candidate: Candidate) => outcomes[candidate.name] ?? 'nxdomain';
    for (const libc of ['glibc', 'musl'] as const) {
      const tried = searchWith(candidatesOf(name, readSettings(POD, libc), libc), outcomeOf, libc);
      assert.deepEqual([tried.length, verdictOf(tried, libc)], expected[libc], libc);
    }
  });
}
