import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { withoutCoreDnsFlags } from './coredns-flags.ts';

const FAIRWAY = join(import.meta.dirname, '..', '..', 'bin', 'fairway');
const folder = mkdtempSync(join(tmpdir(), 'fw-dns-cli-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const dns = (args: readonly string[], input = '') =>
  spawnSync(FAIRWAY, ['dns', ...args], { encoding: 'utf8', cwd: folder, input });
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

test("CoreDNS' flags are ours under other names, and nobody else's", () => {
  const cases: [string[], string[]][] = [
    [
      ['dns', '-conf', 'F', '-dns.port', '1053', '-plugins'],
      ['dns', '--corefile', 'F', '--port', '1053', '--plugins'],
    ],
    [
      ['dns', '-conf=F', '--dns.port=1053', '-quiet'],
      ['dns', '--corefile=F', '--port=1053', '--quiet'],
    ],
    [
      ['dns', '-p', '53', '-v', '4', '-constructor'],
      ['dns', '-p', '53', '-v', '4', '-constructor'],
    ],
    [
      ['logs', '-conf'],
      ['logs', '-conf'],
    ],
  ];
  for (const [given, ours] of cases) assert.deepEqual(withoutCoreDnsFlags(given), ours);
});

test('--check prints each block with its plugins in the order in which they see a question', () => {
  const corefile = file(
    'good',
    'example.org:1053 {\n    bind 127.0.0.1\n    forward . 127.0.0.9\n    cache\n    errors\n}\n.:53 {\n    errors\n}\n',
  );
  const { status, stdout, stderr } = dns(['-conf', corefile, '--check', '-p', '5353']);
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(
    stdout,
    `example.org.:1053 on 127.0.0.1  (${corefile}:1)
    bind
    errors
    cache
    forward
.:5353  (${corefile}:7)
    errors
`,
  );
  const json = JSON.parse(dns(['--corefile', corefile, '--dry-run', '-o', 'json']).stdout) as { zones: string[] }[];
  assert.deepEqual(
    json.map(({ zones }) => zones),
    [['example.org.'], ['.']],
  );
});

test('--check of what is wrong is 1, with file, line and reason', () => {
  const corefile = file('bad', '.:53 {\n    errors\n    frobnicate\n}\n');
  const { status, stdout, stderr } = dns(['--corefile', corefile, '--check']);
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /^fairway: \S+\/bad:3: unknown plugin "frobnicate", there are /);
  const piped = dns(['--corefile', '-', '--check'], '.:53 {\n');
  assert.deepEqual([piped.status, piped.stderr.split(': ')[1]], [1, 'stdin:1']);
});

test('without a Corefile there is one for a cluster, with the domain that is asked for', () => {
  const { status, stdout } = dns(['--check', '--cluster-domain', 'Lab.Example.']);
  assert.equal(status, 0);
  assert.match(stdout, /^\.:53 {2}\(the default Corefile:1\)\n[^]* {4}kubernetes\n/);
  const lonely = dns([]);
  assert.equal(lonely.status, 1);
  assert.match(lonely.stderr, /^fairway: which API server\? Say it with --kubeconfig FILE/);
});

test('what is no file, no address and no port is told', () => {
  const cases: [string[], number, RegExp][] = [
    [['--corefile', '/nonexistent'], 1, /^fairway: the Corefile cannot be read: ENOENT/],
    [['--corefile', folder, '--check'], 1, /^fairway: the Corefile cannot be read: EISDIR/],
    [['--kubeconfig', '/nonexistent'], 1, /^fairway: kubeconfig \/nonexistent: ENOENT/],
    [['--bind', 'here'], 2, /must be an address of this machine/],
    [['--port', '70000'], 2, /must be 1 to 65535/],
    [['--cluster-domain', 'a_b'], 2, /must be a domain name/],
    [
      ['--corefile', file('away', '.:1053 {\n    bind 192.0.2.1\n}\n')],
      1,
      /^fairway: cannot listen at 192\.0\.2\.1 port 1053: this machine has no such address/,
    ],
  ];
  for (const [args, status, said] of cases) {
    const result = dns(args);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, said);
  }
});

test('--plugins and --version', () => {
  const names = dns(['-plugins']).stdout.trim().split('\n');
  assert.ok(
    names.indexOf('cache') < names.indexOf('kubernetes') && names.indexOf('kubernetes') < names.indexOf('forward'),
  );
  assert.match(dns(['-version']).stdout, /^fairway \d+\.\d+\.\d+ \(Kubernetes v/);
});

test('it serves until it is told to stop, and takes another Corefile on SIGHUP', { timeout: 60_000 }, async (t) => {
  const corefile = file('live', '.:0 {\n    bind 127.0.0.1\n}\n');
  const child = spawn(FAIRWAY, ['dns', '--corefile', corefile], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  const hears = async (words: string) => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`it never said ${words}`);
      if (value.includes(words)) return value;
    }
  };
  await hears('serving DNS');
  writeFileSync(corefile, '.:0 {\n    frobnicate\n}\n');
  child.kill('SIGHUP');
  assert.match(await hears('this Corefile is not taken'), /live:2: unknown plugin/);
  writeFileSync(corefile, '.:0 {\n    bind 127.0.0.1\n    errors\n}\n');
  child.kill('SIGHUP');
  await hears('another Corefile from now on');
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 0);
});
