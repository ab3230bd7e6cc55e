/** The commands people type, with each stock kubectl at hand, against a real cluster: those that need a kubelet and a container behind them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { Cluster, eventually, kubectls, must, run } from '../support/cluster.ts';

const cluster = new Cluster('k');
before(() => {
  must(cluster.up('--nodes', '1'));
});
after(() => {
  cluster.stop();
});

test("the distribution's kubectl and the machine's are there", (t) => {
  t.diagnostic(kubectls().join(', '));
  assert.ok(
    kubectls().some((file) => file.includes('kubernetes-client')),
    "make setup unpacks the distribution's kubectl",
  );
});

/** With a terminal, as `-it` wants one: `script` gives it. */
function inTerminal(command: readonly string[], input: string): string {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return must(
    run('script', ['-qec', quoted, '/dev/null'], { env: { ...cluster.env, TERM: 'dumb' }, input, timeout: 30_000 }),
  );
}

for (const [index, kubectl] of kubectls().entries()) {
  const version = /v?1\.\d+/.exec(run(kubectl, ['version', '--client'], { env: cluster.env }).stdout)?.[0] ?? kubectl;
  describe(`kubectl ${version}`, () => {
    const name = `shell-${String(index)}`;
    before(() => {
      cluster.kubectlFile = kubectl;
    });

    test('run, wait, get', () => {
      const script = 'echo started; trap "exit 0" TERM; while :; do sleep 0.2; done';
      assert.match(
        cluster.get('run', name, '--image=busybox', '--labels', `app=${name}`, '--command', '--', 'sh', '-c', script),
        /created/,
      );
      cluster.get('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s');
      assert.match(cluster.get('get', 'pod', name), /1\/1\s+Running\s+0/);
      assert.equal(cluster.get('get', 'pod', name, '-o', 'name').trim(), `pod/${name}`);
      assert.match(cluster.get('describe', 'pod', name), /Normal\s+Started/);
    });

    test('exec: output, exit code, standard input', () => {
      assert.equal(cluster.get('exec', name, '--', 'hostname').trim(), name);
      const failed = cluster.kubectl('exec', name, '--', 'sh', '-c', 'echo oops >&2; exit 7');
      assert.equal(failed.code, 7);
      assert.match(failed.stderr, /oops[\s\S]*command terminated with exit code 7/);
      const piped = run(kubectl, ['exec', '-i', name, '--', 'sh', '-c', 'wc -c'], {
        env: cluster.env,
        input: 'x'.repeat(100_000),
      });
      assert.equal(must(piped).trim(), '100000');
    });

    test('exec -it: a terminal', () => {
      const output = inTerminal(
        [kubectl, 'exec', '-it', name, '--', 'sh'],
        'tty; stty size >/dev/null && echo sized; exit\n',
      );
      assert.match(output, /\/dev\/pts\/\d+/);
      assert.match(output, /sized/);
    });

    test('logs, and logs -f until the Pod ends', async () => {
      assert.equal(cluster.get('logs', name).trim(), 'started');
      const writer = `${name}-writer`;
      cluster.get(
        'run',
        writer,
        '--image=busybox',
        '--restart=Never',
        '--command',
        '--',
        'sh',
        '-c',
        'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done',
      );
      await eventually(() => {
        assert.match(cluster.jsonpath('{.status.phase}', 'pod', writer), /Running|Succeeded/);
      });
      const child = spawn(kubectl, ['logs', '-f', writer], {
        env: { ...process.env, ...cluster.env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      const [code] = (await once(child, 'exit')) as [number];
      assert.deepEqual([code, text.trim().split('\n')], [0, ['line 1', 'line 2', 'line 3', 'line 4', 'line 5']]);
      assert.equal(cluster.get('logs', writer, '--tail=1').trim(), 'line 5');
    });

    test('port-forward reaches the container', async () => {
      cluster.get(
        'exec',
        name,
        '--',
        'sh',
        '-c',
        'mkdir -p /www && echo forwarded > /www/index.html && httpd -p 8080 -h /www',
      );
      const child = spawn(kubectl, ['port-forward', `pod/${name}`, '18080:8080'], {
        env: { ...process.env, ...cluster.env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      for (let i = 0; i < 3; i++)
        assert.equal(must(run('curl', ['-sS', '--max-time', '5', 'http://127.0.0.1:18080/'])).trim(), 'forwarded');
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    });

    test('create deployment, scale, expose, label, annotate, edit, rollout, delete', () => {
      const web = `web-${String(index)}`;
      cluster.get('create', 'deployment', web, '--image=nginx');
      cluster.get('scale', 'deployment', web, '--replicas=2');
      assert.match(cluster.get('rollout', 'status', `deployment/${web}`, '--timeout=60s'), /successfully rolled out/);
      assert.match(cluster.get('expose', 'deployment', web, '--port=80'), /exposed/);
      cluster.get('label', 'svc', web, 'tier=front');
      cluster.get('annotate', 'svc', web, 'note=seen');
      const edited = run(kubectl, ['edit', 'svc', web], {
        env: { ...cluster.env, EDITOR: `sed -i s/tier:.front/tier:\\ back/` },
      });
      assert.match(must(edited), /edited/);
      assert.match(cluster.get('get', 'svc', '-l', 'tier=back', '--show-labels'), new RegExp(`${web}.*tier=back`));
      cluster.get('set', 'image', `deployment/${web}`, 'nginx=nginx:latest');
      cluster.get('rollout', 'status', `deployment/${web}`, '--timeout=60s');
      assert.match(cluster.get('rollout', 'history', `deployment/${web}`), /1\s+.*\n2\s+/);
      cluster.get('rollout', 'undo', `deployment/${web}`);
      assert.equal(cluster.jsonpath('{.spec.template.spec.containers[0].image}', 'deployment', web), 'nginx');
      assert.match(cluster.get('delete', 'deployment,svc', web), /deployment.*deleted\nservice.*deleted/);
    });

    test('drain evicts as many as a disruption budget spares, and no more', async () => {
      const kept = `kept-${String(index)}`;
      cluster.get('create', 'deployment', kept, '--image=nginx');
      cluster.get('scale', 'deployment', kept, '--replicas=2');
      cluster.waitRollout(kept);
      cluster.get('create', 'pdb', kept, `--selector=app=${kept}`, '--min-available=50%');
      await eventually(() => {
        assert.equal(cluster.jsonpath('{.status.disruptionsAllowed}', 'pdb', kept), '1');
      });
      // On the only node nothing can take the place of the first that goes, so the second stays.
      const drained = cluster.kubectl('drain', 'node01', `--pod-selector=app=${kept}`, '--timeout=2s');
      assert.match(drained.stdout, /^pod\/kept\S+ evicted$/m, drained.stderr);
      assert.match(drained.stderr, /Cannot evict pod as it would violate the pod's disruption budget/);
      cluster.get('uncordon', 'node01');
      cluster.waitRollout(kept);
      cluster.get('delete', 'deployment,pdb', kept);
    });

    test('get -w shows a Pod come and go', async () => {
      const child = spawn(kubectl, ['get', 'pods', '-w', '-l', `app=${name}`], {
        env: { ...process.env, ...cluster.env },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      await once(child.stdout, 'data'); // the Pod that is there already: from now on it watches
      cluster.get(
        'run',
        `${name}-watched`,
        '--image=busybox',
        '--labels',
        `app=${name}`,
        '--restart=Never',
        '--command',
        '--',
        'true',
      );
      await eventually(() => {
        assert.match(text, /watched\s+0\/1\s+Pending[\s\S]*watched\s+0\/1\s+Completed/);
      });
      cluster.get('delete', 'pod', `${name}-watched`);
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      cluster.get('delete', 'pod', '-l', `app=${name}`, '--grace-period=1');
    });
  });
}

test('a rolling update under load loses no request', { timeout: 120_000 }, async () => {
  const manifest = (answer: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: rolled}
spec:
  replicas: 3
  selector: {matchLabels: {app: rolled}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  template:
    metadata: {labels: {app: rolled}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: c
        image: busybox
        command: [sh, -c, 'mkdir -p /www; echo ${answer} > /www/index.html; trap "exit 0" TERM; httpd -f -p 80 -h /www & wait']
        readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
        lifecycle: {preStop: {exec: {command: [sleep, '1']}}}
---
apiVersion: v1
kind: Service
metadata: {name: rolled}
spec: {selector: {app: rolled}, ports: [{port: 80}]}
`;
  cluster.apply(manifest('one'));
  cluster.waitRollout('rolled');
  const ip = cluster.jsonpath('{.spec.clusterIP}', 'svc', 'rolled');
  const child = cluster.spawnOnNode(
    'node01',
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    'test/support/http-client-loop.ts',
    `http://${ip}/`,
    '50',
  );
  const answers: { body?: string; error?: string }[] = [];
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) answers.push(JSON.parse(line) as { body?: string; error?: string });
  });
  await eventually(() => {
    assert.ok(answers.length > 50);
  });
  cluster.apply(manifest('two'));
  cluster.waitRollout('rolled');
  await eventually(() => {
    assert.ok(answers.slice(-30).every(({ body }) => body === 'two'));
  });
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  assert.deepEqual(
    answers.filter(({ error }) => error !== undefined),
    [],
  );
});
