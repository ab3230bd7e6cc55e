/** The README's own examples, run as they stand, on a cluster of that name in a folder of the test's. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Cluster, FAIRWAY, must, run } from './support/cluster.ts';

const ROOT = join(import.meta.dirname, '..');
const cluster = new Cluster('default');
const env = { FAIRWAY_DATA_DIR: cluster.dataDir, HOME: cluster.dataDir };

before(() => {
  must(cluster.up());
});
after(() => {
  cluster.stop();
});

test('the examples under "What you can do with it" work line by line', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const block = /## What you can do with it[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  assert.ok(block.split('\n').filter((line) => line.trim() !== '').length >= 5, 'the block is there');
  const output = must(run('bash', ['-c', `set -euo pipefail; cd "$0"; ${block}`, ROOT], { env }));
  assert.match(output, /deployment\.apps\/hostnames created/);
  assert.match(output, /10\.96\.\d+\.\d+ \. tcp \. 80 comment "default\/hostnames:default" : goto /);
  assert.match(output.trim().split('\n').at(-1) ?? '', /^hostnames-[0-9a-z]+-[0-9a-z]{5}$/);
});

test('the examples of other proxy modes work line by line', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const block =
    readme
      .split('```sh\n')
      .find((part) => part.includes('--proxy-mode iptables'))
      ?.split('```')[0] ?? '';
  const output = must(run('bash', ['-c', `set -euo pipefail; cd "$0"; ${block}`, ROOT], { env }));
  assert.match(output, /KUBE-SVC-ODX2UBAZM7RQWOIU/);
  assert.match(must(run(FAIRWAY, ['status'], { env })), /Proxy mode +nftables \(node02: userspace\)/);
});

test('the examples about DNS work line by line', () => {
  const blocksOf = (page: string) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```sh\n([^]*?)^```$/gm)].map((match) => match[1] ?? '');
  const blocks = blocksOf(join('docs', 'dns.md'));
  assert.ok(blocks.length >= 6, 'the blocks are there');
  blocks.push(blocksOf('README.md').find((block) => block.includes('dig +short')) ?? 'false');
  // They write files where they stand: a folder that looks like the checkout.
  const folder = join(cluster.dataDir, 'checkout');
  mkdirSync(folder);
  for (const name of ['bin', 'examples']) symlinkSync(join(ROOT, name), join(folder, name));
  const output = must(run('bash', ['-c', `set -euo pipefail; cd "$0"; ${blocks.join('\n')}`, folder], { env }));
  for (const expected of [
    /^kube-dns +ClusterIP +10\.96\.0\.10 /m,
    /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/m,
    /^Name:\thostnames\.default\.svc\.cluster\.local$/m,
    /^0 100 80 hostnames\.default\.svc\.cluster\.local\.$/m,
    /^The application gets +10\.96\.\d+\.\d+$/m,
    /^1\.0\.96\.10\.in-addr\.arpa\.\s+\d+\s+IN\s+PTR\s+kubernetes\.default\.svc\.cluster\.local\.$/m,
    /^lab\.test\.:53 {2}\(Corefile\.after:1\)\n {4}errors\n/m,
    /Warning +InvalidCorefile .* not taken on node01, .*Corefile:\d+: unknown plugin "loadbalanse"/,
    /^coredns_dns_requests_total\{/m,
  ])
    assert.match(output, expected);
});

test("make up's demonstration shows three answers", () => {
  const output = must(run(join(ROOT, 'examples', 'demo'), [], { env }));
  for (const way of ['By cluster IP', 'By name', 'By node port'])
    assert.match(output, new RegExp(`${way}.*\\n\\$ .*\\nhostnames-[0-9a-z]+-[0-9a-z]{5}`));
});
