import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireRoot } from './common.ts';
import { candidates } from './completion.ts';
import { program } from './main.ts';
import { renderStatus } from './status.ts';

const FAIRWAY = join(import.meta.dirname, '..', '..', 'bin', 'fairway');
const fairway = (...args: string[]) => spawnSync(FAIRWAY, args, { encoding: 'utf8' });

const KNOWN = { clusters: () => ['lab'], nodes: (cluster: string) => [`${cluster}01`] };
const COMPLETIONS: [words: string[], includes: string[], excludes: string[]][] = [
  [[''], ['up', 'down', 'node'], ['__complete']],
  [['node', ''], ['exec'], ['up']],
  [['up', '--'], ['--nodes', '--hairpin-mode', '--name'], ['--purge']],
  [['up', '--hairpin-mode', ''], ['promiscuous-bridge', 'none'], ['--nodes']],
  [['down', '--name', ''], ['lab'], ['--purge']],
  [['node', 'exec', ''], ['default01', '--name'], ['lab']],
  [['node', 'exec', '--name', 'lab', ''], ['lab01'], ['default01']],
  [['node', 'exec', 'default01', ''], [], ['default01']],
  [['logs', '--tail', '5', ''], ['server', 'default01', 'default01-containerd', '--follow'], []],
  [['completion', ''], ['bash'], []],
  [['up', '--nodes', ''], [], ['--nodes']],
  [['proxy', '--'], ['--kubeconfig', '--dry-run', '--cluster-cidr', '--ipvs-scheduler'], ['--nodes']],
  [['proxy', '--proxy-mode', ''], ['nftables', 'iptables', 'ipvs', 'userspace'], ['--kubeconfig']],
];
for (const [words, includes, excludes] of COMPLETIONS) {
  test(`fairway ${words.join(' ')}<TAB>`, () => {
    const found = candidates(program(), words, KNOWN);
    for (const word of includes) assert.ok(found.includes(word), `${word} is missing in ${found.join(' ')}`);
    for (const word of excludes) assert.ok(!found.includes(word), word);
  });
}

test('every command and subcommand answers --help with a sentence and exits 0', () => {
  const visit = (path: string[], command = program()): string[][] => [
    path,
    ...command.commands
      .filter((one) => !one.name().startsWith('_'))
      .flatMap((one) => visit([...path, one.name()], one)),
  ];
  for (const path of visit([])) {
    const { status, stdout } = fairway(...path, '--help');
    assert.equal(status, 0, path.join(' '));
    assert.match(stdout, /^Usage: fairway/);
  }
});

const WRONG: [args: string[], code: number, message: RegExp][] = [
  [['upp'], 2, /unknown command 'upp'/],
  [['up', '--nodes', 'many'], 2, /must be a whole number/],
  [['up', '--proxy-mode', 'magic'], 2, /Allowed choices are nftables, iptables/],
  [['up', '--node', 'node02=ipvs'], 2, /must look like node02:proxy-mode=MODE/],
  [['up', '--name', '../x'], 2, /must be 1 to 20 lower-case letters/],
  [['status', '--data-dir', '/nonexistent'], 1, /there is no cluster default in \/nonexistent; run: fairway up/],
  [['kubeconfig', '--data-dir', '/nonexistent', '--name', 'lab'], 1, /run: fairway up --name lab/],
  [
    ['node', 'exec', 'node01', '--data-dir', '/nonexistent', '--', 'ip', '-br', 'a'],
    1,
    /no cluster default in \/nonexistent/,
  ],
  [
    ['node', 'exec', '--data-dir', '/nonexistent', 'node01', 'ip', '-br', 'a'],
    1,
    /no cluster default in \/nonexistent/,
  ],
  [['proxy', '--proxy-mode', 'magic'], 2, /Allowed choices are nftables, iptables, ipvs, userspace/],
  [
    ['proxy', '--conntrack-min', 'many', '--iptables-sync-period', '5'],
    2,
    /--iptables-sync-period: must be a duration such as 30s.*\n.*--conntrack-min: must be a whole number/,
  ],
  [['proxy', '--config', '/nonexistent'], 1, /--config \/nonexistent cannot be read/],
  [['proxy', '--dry-run'], 1, /which API server\? Say it with --kubeconfig FILE/],
  [['proxy', '--dry-run', '--kubeconfig', '/nonexistent'], 1, /kubeconfig \/nonexistent: ENOENT/],
  [['proxy', 'now'], 2, /too many arguments/],
  [['lan', 'exec', '--nmae', 'x', '--', 'true'], 2, /unknown option '--nmae'/],
];
for (const [args, code, message] of WRONG) {
  test(`fairway ${args.join(' ')} ends with ${String(code)}`, () => {
    const { status, stderr } = fairway(...args);
    assert.match(stderr, message);
    assert.equal(status, code);
  });
}

test('without root a command says how to get it', () => {
  assert.throws(() => {
    requireRoot('status', 65534);
  }, /sudo fairway status/);
  requireRoot('status', 0);
});

test('status lines up', () => {
  const text = renderStatus({
    name: 'default',
    state: 'degraded',
    apiServer: 'https://172.30.0.1:6443',
    server: 'running',
    proxyMode: 'iptables',
    kubeconfig: '/k',
    pods: 3,
    services: 2,
    nodes: [
      {
        name: 'node01',
        ready: true,
        address: '172.30.0.11',
        podCidr: '10.244.0.0/24',
        agent: 'running',
        containerd: 'running',
      },
      { name: 'node02', ready: false, address: '172.30.0.12', podCidr: '', agent: 'stopped', containerd: 'running' },
    ],
  });
  assert.equal(
    text,
    `Cluster      default (degraded)
API server   https://172.30.0.1:6443 (running)
Proxy mode   iptables
Objects      3 Pods, 2 Services
Kubeconfig   /k

NODE     STATUS     ADDRESS       POD-CIDR        AGENT     CONTAINERD
node01   Ready      172.30.0.11   10.244.0.0/24   running   running
node02   NotReady   172.30.0.12   <none>          stopped   running
`,
  );
});

test('the bash script is valid', () => {
  const script = fairway('completion', 'bash').stdout;
  execFileSync('bash', ['-n'], { input: script });
});

test('without a server the status claims nothing about what the cluster holds', () => {
  const node = { name: 'node01', ready: false, address: '172.30.0.11', podCidr: '' };
  const text = renderStatus({
    name: 'default',
    state: 'degraded',
    apiServer: 'https://172.30.0.1:6443',
    server: 'stopped',
    proxyMode: 'iptables',
    kubeconfig: '/k',
    pods: 0,
    services: 0,
    nodes: [{ ...node, agent: 'running', containerd: 'running' }],
  });
  assert.match(text, /^Objects +unknown$/m);
  assert.match(text, /^node01 +Unknown +172\.30\.0\.11 +unknown +running +running$/m);
});
