/**
 * What a user waits for: `fairway up`, the first answer of a Service, a Pod's first packet; and what the idle stack weighs.
 * Run by `make bench` (or scripts/in-outer-namespace node bench/cluster.ts), inside a namespace that plays the host.
 */
import { createInterface } from 'node:readline';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PODS } from '../src/api/kinds.ts';
import type { Pod } from '../src/api/types.ts';
import { createHttpClient } from '../src/client/http-client.ts';
import { loadKubeconfig } from '../src/client/kubeconfig.ts';
import { Cluster, eventually, must, run } from '../test/support/cluster.ts';
import { report } from './report.ts';

const now = () => performance.timeOrigin + performance.now();
const RUNS = Number(process.env['BENCH_RUNS'] ?? 5);
const SAMPLES = Number(process.env['BENCH_SAMPLES'] ?? 200);

/** Floor of `up`: two containerds started at once until both answer, and Node started three times. */
async function floorOfUp(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'fwb-'));
  const start = now();
  const started = [1, 2].map((number) => {
    const state = join(folder, String(number));
    mkdirSync(state);
    const config = join(state, 'config.toml');
    writeFileSync(
      config,
      `version = 2\nroot = "${state}/root"\nstate = "${state}/state"\n[grpc]\naddress = "${state}/c.sock"\n[ttrpc]\naddress = "${state}/t.sock"\n`,
    );
    return {
      child: spawn('containerd', ['--config', config, '--log-level', 'error'], { stdio: 'ignore' }),
      socket: `${state}/c.sock`,
    };
  });
  for (let i = 0; i < 3; i++) spawnSync(process.execPath, ['-e', '0']);
  for (const { socket } of started) await eventually(() => answers(socket), 20_000, 5);
  const took = now() - start;
  for (const { child } of started) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  run('umount', ['--lazy', ...[1, 2].map((number) => join(folder, String(number)))]);
  rmSync(folder, { recursive: true, force: true });
  return took;
}

const answers = (socket: string) =>
  new Promise<void>((resolve, reject) => {
    const connection = connect(socket, () => {
      connection.destroy();
      resolve();
    });
    connection.on('error', reject);
  });

async function upAndFirstAnswer(): Promise<void> {
  const first: number[] = [];
  const up: number[] = [];
  const floor: number[] = [];
  const answer: number[] = [];
  const kubectlAlone: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    floor.push(await floorOfUp());
    const cluster = new Cluster('b');
    const begin = now();
    must(cluster.up('--quiet'));
    first.push(now() - begin);
    must(cluster.fairway('down', '--purge')); // the starter images stay
    const start = now();
    must(cluster.up('--quiet'));
    up.push(now() - start);
    const alone = now();
    cluster.get('version', '--client');
    kubectlAlone.push(now() - alone);
    const applied = now();
    cluster.applyFile('hostnames.yaml');
    const ip = cluster.jsonpath('{.spec.clusterIP}', 'svc', 'hostnames');
    const loop = ['-c', 'until curl -s --max-time 1 http://$0 >/dev/null; do sleep 0.01; done', ip];
    must(cluster.onNode('node01', 'sh', ...loop));
    answer.push(now() - applied);
    cluster.stop();
  }
  report({
    figure: 'the first fairway up, two nodes, to all Ready, starter images built',
    unit: 'ms',
    samples: first,
    floor,
    mustBeAtMost: 3000,
  });
  report({
    figure: 'fairway up, two nodes, to all Ready',
    unit: 'ms',
    samples: up,
    floor,
    mustBeAtMost: 3000,
    note: 'floor: two containerds and three Nodes started',
  });
  report({
    figure: 'kubectl apply of hostnames.yaml to the first answer by cluster IP',
    unit: 'ms',
    samples: answer,
    floor: kubectlAlone,
    mustBeAtMost: 1500,
    note: 'floor: kubectl version --client; the time holds two runs of kubectl',
  });
}

const GATED = (name: string) => `apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{port: 80, targetPort: 9376}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  readinessGates: [{conditionType: fairway.test/gate}]
  containers: [{name: c, image: k8s.gcr.io/serve_hostname}]
`;

/** A readiness gate is opened and shut; the clock runs from the watch event that says Ready to the first connection through the cluster IP. */
async function readyToFirstPacket(cluster: Cluster): Promise<void> {
  cluster.apply(GATED('gated'));
  await eventually(() => {
    if (cluster.jsonpath('{.status.phase}', 'pod', 'gated') !== 'Running') throw new Error('the Pod does not run');
  });
  const client = createHttpClient(loadKubeconfig(join(cluster.dir, 'kubeconfig')));
  const ip = cluster.jsonpath('{.spec.clusterIP}', 'svc', 'gated');
  const child = cluster.spawnOnNode(
    'node01',
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, 'connect-loop.ts'),
    ip,
    '80',
  );
  if (!child.stdout) throw new Error('no output');
  const outcomes: { at: number; ok: boolean }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    outcomes.push(JSON.parse(line) as { at: number; ok: boolean }),
  );
  const readyAt: number[] = [];
  let waitingFor = 0;
  const abort = new AbortController();
  const watching = (async () => {
    for await (const event of client.watch(PODS, {
      namespace: 'default',
      fieldSelector: 'metadata.name=gated',
      signal: abort.signal,
    })) {
      const ready =
        (event.object as Pod).status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ??
        false;
      if (ready && readyAt.length <= waitingFor) readyAt[waitingFor] ??= now();
    }
  })();

  const gate = (status: 'True' | 'False') =>
    client.patch(
      PODS,
      'gated',
      'default',
      'strategic',
      { status: { conditions: [{ type: 'fairway.test/gate', status }] } },
      { subresource: 'status' },
    );
  const samples: number[] = [];
  for (; waitingFor < SAMPLES; waitingFor++) {
    await eventually(
      () => {
        if (outcomes.at(-1)?.ok !== false) throw new Error('the Service still answers');
      },
      10_000,
      5,
    );
    const seen = outcomes.length;
    await gate('True');
    const first = await eventually(
      () => {
        const found = outcomes.slice(seen).find(({ ok }) => ok);
        const at = readyAt[waitingFor];
        if (!found || at === undefined) throw new Error('no connection yet');
        return found.at - at;
      },
      10_000,
      5,
    );
    samples.push(Math.max(0, first));
    await gate('False');
  }
  abort.abort();
  await watching;
  child.kill('SIGTERM');
  client.close();
  report({
    figure: 'Pod Ready to first connection through the cluster IP',
    unit: 'ms',
    samples,
    mustBeAtMost: 100,
    statistic: 'p99',
    note: 'a connection is tried every 4 ms',
  });
}

/** Resident memory of everything started but containerd and its shims. */
function idleMemory(cluster: Cluster): void {
  const all = run('ps', ['-eo', 'pid=,ppid=,rss=,args='])
    .stdout.trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const supervisors = new Set(Object.values(cluster.state().processes).map(({ pid }) => String(pid)));
  const ours = all.filter(
    ([pid = '', parent = '', , ...args]) =>
      (supervisors.has(pid) || supervisors.has(parent)) && !args.some((word) => word.endsWith('containerd')),
  );
  const total = ours.reduce((sum, [, , rss = '0']) => sum + Number(rss), 0) / 1024;
  const bare = Number(
    spawnSync(process.execPath, ['-e', 'console.log(process.memoryUsage().rss / 1048576)'], { encoding: 'utf8' })
      .stdout,
  );
  report({
    figure: 'whole two-node stack idle, containerd left out',
    unit: 'MB RSS',
    samples: [total],
    floor: [bare * 3],
    mustBeAtMost: 350,
    note: `${String(ours.length)} processes; floor: three empty Nodes`,
  });
}

await upAndFirstAnswer();
const cluster = new Cluster('b');
must(cluster.up('--quiet'));
await new Promise((resolve) => setTimeout(resolve, 20_000)); // idle means idle: start-up garbage has been collected
idleMemory(cluster);
await readyToFirstPacket(cluster);
cluster.stop();
