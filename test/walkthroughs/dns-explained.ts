/** `fairway dns query` and `fairway dns log` on a cluster, held to what the real resolvers of both C libraries ask. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import type { QueryReport } from '../../src/dns/explain/report.ts';
import type { LogEntry } from '../../src/dns/query-log/query-log.ts';
import { FAIRWAY, must, type Cluster } from '../support/cluster.ts';

/** Of each kind one: short, of two labels, complete, complete without the dot, missing, and outside with dots enough. */
const NAMES = [
  ...[
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc.cluster.local.',
    'kubernetes.default.svc.cluster.local',
  ],
  ...['nowhere.default.svc.cluster.local.', 'a.b.c.d.e.example.org'],
];

/** @param pod has the programs resolve-glibc and resolve-musl */
export function describeExplained(cluster: Cluster, pod: string): void {
  const report = (...args: string[]): QueryReport => {
    const { stdout, stderr } = cluster.fairway('dns query', ...args, '-o', 'json');
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout) as QueryReport;
  };

  describe('fairway dns query', () => {
    test('shows the file, the questions, who answered them out of what, and what the application gets', () => {
      const { code, stdout } = cluster.fairway('dns query', 'kubernetes', '--from', pod);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^From +Pod default/${pod} on node0\\d$`, 'm'));
      assert.match(
        stdout,
        /^resolv\.conf:\n {2}search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local\b/m,
      );
      assert.match(
        stdout,
        /^1 +kubernetes\.default\.svc\.cluster\.local\. +search \S+ +A +NOERROR +kubernetes +[\d.]+ ms +\d+ IN A 10\.96\.0\.1$/m,
      );
      assert.match(stdout, /kubernetes: .*default\/kubernetes/);
      assert.match(stdout, /^The application gets +10\.96\.0\.1$/m);
      assert.doesNotMatch(stdout, /^!/m);
    });

    test('ends with 1 where the name is not found, and with 2 where it could not be asked', () => {
      assert.equal(
        cluster.fairway('dns query', 'nowhere.default.svc.cluster.local.', '--from', `default/${pod}`).code,
        1,
      );
      const nobody = cluster.fairway('dns query', 'kubernetes', '--from', 'nobody');
      assert.deepEqual([nobody.code, nobody.stdout], [2, '']);
      assert.match(nobody.stderr, /there is no Pod nobody in namespace default, and no node of that name/);
      assert.equal(cluster.fairway('dns query', 'a..b').code, 2);
    });

    test('proposes the final dot, and the namespace that was forgotten', () => {
      const full = report('kubernetes.default.svc.cluster.local', '--from', pod);
      assert.deepEqual(
        full.hints.map(({ failure }) => failure),
        ['F27'],
      );
      const other = report('kube-dns', '--from', pod);
      assert.match(other.hints.at(-1)?.remedy ?? '', /: kube-dns\.kube-system$/);
    });

    test('says of a node, as of a Pod on its network, that it asks others than kube-dns', () => {
      const { hints } = report('kubernetes.default', '--from', 'node01');
      const told = hints.find(({ text }) => text.includes('not Service kube-dns (10.96.0.10)'));
      assert.match(told?.remedy ?? '', /ClusterFirstWithHostNet/);
    });

    test('goes straight to the DNS server of a node, by a stock kubectl too', () => {
      const direct = report('kubernetes.default.svc.cluster.local', '--node', 'node02');
      assert.deepEqual([direct.from, direct.steps.length], [{ kind: 'server', node: 'node02' }, 1]);
      const path = '/api/v1/nodes/node02/proxy/dns/query?name=kubernetes.default.svc.cluster.local.&type=A';
      const raw = JSON.parse(cluster.get('get', '--raw', path)) as QueryReport;
      assert.deepEqual(raw.steps[0]?.questions[0]?.answers, [
        'kubernetes.default.svc.cluster.local. 30 IN A 10.96.0.1',
      ]);
    });
  });

  describe('fairway dns log', () => {
    let log: ChildProcess;
    let entries: AsyncIterator<string>;
    before(async () => {
      log = spawn(FAIRWAY, ['dns', 'log', ...cluster.flags, '-f', '-o', 'json', '--pod', pod], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const linesOf = (input: ChildProcess['stdout']): Interface => createInterface({ input: input ?? process.stdin });
      entries = linesOf(log.stdout)[Symbol.asyncIterator]();
      assert.match(
        ((await once(linesOf(log.stderr), 'line')) as [string])[0],
        /listening on node0\d until interrupted/,
      );
    });
    after(async () => {
      const ended = once(log, 'exit');
      log.kill('SIGINT');
      assert.deepEqual(await ended, [0, null]);
    });

    let round = 0;
    /** What `libc` asks for on the way to `name`, each name once, and what it says in the end. */
    const resolve = async (libc: string, name: string): Promise<{ names: string[]; said: string }> => {
      round++;
      const [first, last] = ['first', 'last'].map((each) => `${each}-${String(round)}.default.svc.cluster.local.`);
      assert.ok(first !== undefined && last !== undefined);
      const [, said = ''] = must(cluster.kubectl('exec', pod, '--', `resolve-${libc}`, first, name, last)).split('\n');
      const names: string[] = [];
      for (;;) {
        const { value } = (await entries.next()) as { value: string };
        const entry = JSON.parse(value) as LogEntry;
        assert.equal(entry.pod, `default/${pod}`);
        if (entry.name === last) return { names: [...new Set(names.slice(names.lastIndexOf(first) + 1))], said };
        names.push(entry.name);
      }
    };

    for (const libc of ['glibc', 'musl'] as const) {
      test(`the resolver of ${libc} asks for the names that are told, in that order, and ends as told`, async () => {
        for (const name of NAMES) {
          const { steps, endings } = report(name, '--from', pod);
          const { names, said } = await resolve(libc, name);
          const told = steps.slice(0, endings[libc].tried).map((step) => step.name);
          assert.deepEqual(names, told, `${libc} ${name}`);
          assert.equal(/^\S+ [0-9a-f.:]+( |$)/.test(said), endings[libc].verdict === 'found', said);
        }
      });
    }
  });
}
