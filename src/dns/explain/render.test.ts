import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderReport } from './render.ts';
import type { QueryReport, ReportQuestion } from './report.ts';

const RESOLV_CONF = 'search shop.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n';

const base = { server: '10.96.0.10', transport: 'udp', answers: [] } as const;
const missing = (name: string, type: string, ms: number): ReportQuestion => ({
  ...{ ...base, name, type, outcome: 'nxdomain', rcode: 'NXDOMAIN', ms },
  served: {
    plugin: 'kubernetes',
    trail: [{ plugin: 'kubernetes', text: 'there is no Service org/example' }],
    took: 0.1,
  },
});

const REPORTS: Readonly<Record<string, QueryReport>> = {
  'outside.txt': {
    name: 'www.example.org',
    types: ['A', 'AAAA'],
    from: { kind: 'pod', node: 'node01', namespace: 'shop', pod: 'client' },
    resolver: { resolvConf: RESOLV_CONF, source: 'file', libc: 'musl' },
    steps: [
      {
        name: 'www.example.org.svc.cluster.local.',
        search: 'svc.cluster.local',
        outcome: 'nxdomain',
        questions: ['A', 'AAAA'].map((type) => missing('www.example.org.svc.cluster.local.', type, 0.412)),
      },
      {
        name: 'www.example.org.',
        outcome: 'found',
        questions: [
          {
            ...{ ...base, name: 'www.example.org.', type: 'A', outcome: 'found', rcode: 'NOERROR', ms: 23.4 },
            answers: ['www.example.org. 300 IN CNAME lb.example.net.', 'lb.example.net. 60 IN A 192.0.2.7'],
            served: {
              plugin: 'forward',
              source: '192.0.2.53:53',
              trail: [
                { plugin: 'cache', text: 'does not have it' },
                { plugin: 'forward', text: '192.0.2.53:53 answered NOERROR in 22.9 ms' },
              ],
              took: 23.1,
            },
          },
          {
            ...{ ...base, name: 'www.example.org.', type: 'AAAA', outcome: 'silence', ms: 5000 },
            error: 'no answer within 5 s',
          },
        ],
      },
    ],
    endings: { glibc: { verdict: 'found', tried: 2 }, musl: { verdict: 'EAI_AGAIN', tried: 2 } },
    hints: [
      { failure: 'F27', text: '2 of 4 questions were for names that nobody meant', remedy: 'write www.example.org.' },
    ],
  },
  'server.txt': {
    name: '_http._tcp.web.shop.svc.cluster.local.',
    types: ['SRV'],
    from: { kind: 'server', node: 'node02' },
    steps: [
      {
        name: '_http._tcp.web.shop.svc.cluster.local.',
        outcome: 'nodata',
        questions: [
          {
            ...{ ...base, name: '_http._tcp.web.shop.svc.cluster.local.', type: 'SRV', outcome: 'nodata' },
            ...{ rcode: 'NOERROR', ms: 0.7 },
          },
        ],
      },
    ],
    endings: { glibc: { verdict: 'EAI_NODATA', tried: 1 }, musl: { verdict: 'EAI_NODATA', tried: 1 } },
    hints: [],
  },
};

for (const [file, report] of Object.entries(REPORTS)) {
  test(`the report reads as in testdata/${file}`, () => {
    const path = join(import.meta.dirname, 'testdata', file);
    const text = renderReport(report);
    if (process.env['UPDATE_GOLDEN']) writeFileSync(path, text);
    assert.equal(text, readFileSync(path, 'utf8'));
  });
}
