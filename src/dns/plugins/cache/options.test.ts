import assert from 'node:assert/strict';
import test from 'node:test';
import type { Directive } from '../../corefile/directive.ts';
import { diskImports } from '../../corefile/import-source.ts';
import { parseCorefile } from '../../corefile/parse.ts';
import { parseCache, type CacheOptions } from './options.ts';

function directiveOf(text: string): Directive {
  const source = { file: 'Corefile', environment: () => undefined, imports: diskImports };
  return parseCorefile(`. {\n${text}\n}`, source)[0]?.directives[0] ?? assert.fail('no directive');
}

const usual: CacheOptions = {
  zones: ['example.org.'],
  success: { capacity: 9984, maxTtl: 3600, minTtl: 5 },
  denial: { capacity: 9984, maxTtl: 1800, minTtl: 5 },
  servfailTtl: 5,
  disabled: { success: [], denial: [] },
  keepsTtl: false,
};
const limits = (capacity: number, maxTtl: number, minTtl: number) => ({ capacity, maxTtl, minTtl });

const taken: readonly (readonly [string, Partial<CacheOptions>])[] = [
  ['cache', {}],
  ['cache 30', { success: limits(9984, 30, 5), denial: limits(9984, 30, 5) }],
  ['cache Example.com a.test', { zones: ['example.com.', 'a.test.'] }],
  ['cache 30 10.0.0.0/8', { zones: ['10.in-addr.arpa.'], success: limits(9984, 30, 5), denial: limits(9984, 30, 5) }],
  ['cache {\nsuccess 5000\ndenial 2500\n}', { success: limits(5000, 3600, 5), denial: limits(2500, 1800, 5) }],
  ['cache 30 {\nsuccess 5000 60 0\ndenial 2500 10\n}', { success: limits(5000, 60, 0), denial: limits(2500, 10, 5) }],
  ['cache {\nprefetch 10\n}', { prefetch: { amount: 10, gapMs: 60_000, percentage: 10 } }],
  ['cache {\nprefetch 10 1h 20%\n}', { prefetch: { amount: 10, gapMs: 3_600_000, percentage: 20 } }],
  ['cache {\nserve_stale\n}', { stale: { upToMs: 3_600_000, verifies: false } }],
  ['cache {\nserve_stale 1m immediate\n}', { stale: { upToMs: 60_000, verifies: false } }],
  ['cache {\nserve_stale 1m Verify\n}', { stale: { upToMs: 60_000, verifies: true } }],
  ['cache {\nservfail 0\n}', { servfailTtl: 0 }],
  ['cache {\nservfail 5m\n}', { servfailTtl: 300 }],
  ['cache {\ndisable success\n}', { disabled: { success: ['.'], denial: [] } }],
  [
    'cache {\ndisable success cluster.local\ndisable denial cluster.local a.test\n}',
    { disabled: { success: ['cluster.local.'], denial: ['cluster.local.', 'a.test.'] } },
  ],
  ['cache {\nkeepttl\n}', { keepsTtl: true }],
];
for (const [text, expected] of taken) {
  test(`${text.replaceAll('\n', ' ')}: is taken`, () => {
    assert.deepEqual(parseCache(directiveOf(text), ['example.org.']), { ...usual, ...expected });
  });
}

for (const [text, message] of [
  ['cache 0', /^Corefile:2: cache: expected a whole number from 1/],
  ['cache -5', /^Corefile:2: cache: expected a whole number from 1/],
  ['cache {\nsize 3\n}', /^Corefile:3: cache: unknown option "size", there are success, denial, prefetch, /],
  ['cache {\nsuccess\n}', /^Corefile:3: success: expected a capacity/],
  ['cache {\nsuccess many\n}', /^Corefile:3: success: expected a whole number from 1/],
  ['cache {\ndenial 10 0\n}', /^Corefile:3: denial: expected a whole number from 1/],
  ['cache {\ndenial 10 10 -1\n}', /^Corefile:3: denial: expected a whole number from 0/],
  ['cache {\nprefetch\n}', /^Corefile:3: prefetch: expected an amount/],
  ['cache {\nprefetch 1 1m 5%\n}', /^Corefile:3: prefetch: expected a whole number from 10 to 90, found "5"$/],
  ['cache {\nprefetch 1 1m 20\n}', /^Corefile:3: prefetch: expected a percentage such as 10%, found "20"$/],
  ['cache {\nserve_stale -1s\n}', /^Corefile:3: serve_stale: the time cannot be negative$/],
  ['cache {\nserve_stale 1h later\n}', /^Corefile:3: serve_stale: expected verify or immediate, found "later"$/],
  ['cache {\nservfail 6m\n}', /^Corefile:3: servfail: expected a time from 0s to 5m, found "6m"$/],
  ['cache {\ndisable all\n}', /^Corefile:3: disable: expected success or denial, found "all"$/],
  ['cache {\nkeepttl yes\n}', /^Corefile:3: keepttl: expected nothing behind it, found "yes"$/],
] as const) {
  test(`${text.replaceAll('\n', ' ')}: is refused with its line`, () => {
    assert.throws(() => parseCache(directiveOf(text), ['.']), { name: 'CorefileError', message });
  });
}
