/** One real cluster, and programs that others wrote doing their ordinary work against it, all at the same time. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { Exec, KubeConfig, Log, PortForward, type V1Status } from '@kubernetes/client-node';
import { Cluster, eventually, must } from '../support/cluster.ts';
import {
  end,
  helms,
  newestKubectl,
  oldestKubectl,
  onlyOnX64,
  output,
  present,
  PYTHON,
  runTool,
  said,
  start,
} from './tools.ts';

const cluster = new Cluster('c');
/** What runs in the cluster: a web server with a second, silent container, two that talk, and one that has crashed before. */
const fixtures = `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: busybox
    command: [sh, -c, 'mkdir -p /www; hostname > /www/index.html; trap "exit 0" TERM; echo started; httpd -f -p 8080 -h /www & wait']
    ports: [{name: http, containerPort: 8080}]
  - name: silent
    image: busybox
    command: [sh, -c, 'trap "exit 0" TERM; while :; do sleep 0.2; done']
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: talk}
spec:
  replicas: 2
  selector: {matchLabels: {app: talk}}
  template:
    metadata: {labels: {app: talk}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: talk, image: busybox, command: [sh, -c, 'trap "exit 0" TERM; while :; do echo "$(hostname) speaks"; sleep 0.5; done']}
---
apiVersion: v1
kind: Service
metadata: {name: talk}
spec: {selector: {app: talk}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: crashed}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'trap "exit 0" TERM; if [ -e /v/been ]; then echo second life; sleep 600 & wait; fi; touch /v/been; echo first life; exit 1']
    volumeMounts: [{name: v, mountPath: /v}]
  volumes: [{name: v, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: looked-at}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: busybox, command: [sleep, '600']}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: scraper}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: scraper}
rules:
- {apiGroups: [''], resources: [nodes/metrics], verbs: [get]}
- {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: scraper}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: scraper}
subjects: [{kind: ServiceAccount, name: scraper, namespace: default}]
`;

before(() => {
  must(cluster.up('--nodes', '1'));
  cluster.apply(fixtures);
  cluster.get('wait', '--for=condition=Ready', 'pod/web', '--timeout=30s');
  cluster.waitRollout('talk');
});
after(() => {
  cluster.stop();
});

const kubectls = [oldestKubectl, ...('skip' in onlyOnX64 ? [] : [newestKubectl])];

describe('clients', { concurrency: true, timeout: 120_000 }, () => {
  for (const [index, kubectl] of kubectls.entries()) {
    const own = (name: string) => `${name}-${String(index)}`;
    const env = () => cluster.env;
    const ok = (...args: string[]) => output(present(kubectl), args, env());
    const withInput = (input: string, ...args: string[]) => output(kubectl, args, env(), input);

    describe(index === 0 ? 'the oldest kubectl' : 'the newest kubectl', () => {
      test('logs: by container, label, number, bytes, age and life (7-063, 7-064)', async () => {
        assert.equal(await ok('logs', 'web', '-c', 'web'), 'started\n');
        assert.equal(await ok('logs', 'web', '--all-containers'), 'started\n');
        assert.match(await ok('logs', 'web', '-c', 'web', '--timestamps'), /^\d{4}-\d\d-\d\dT[\d:]+\.\d+Z started\n$/);
        assert.equal(await ok('logs', 'web', '-c', 'web', '--limit-bytes=5'), 'start');
        assert.equal(await ok('logs', 'web', '-c', 'web', '--since-time=2100-01-01T00:00:00Z'), '');
        assert.equal(await ok('logs', 'web', '-c', 'web', '--since=1h'), 'started\n');
        const both = (await ok('logs', '-l', 'app=talk', '--tail=2')).trim().split('\n');
        assert.equal(both.length, 4);
        assert.equal(new Set(both).size, 2, 'two lines of each of the two Pods');
        await eventually(async () => {
          assert.equal(await ok('logs', 'crashed', '--previous'), 'first life\n');
        });
        const none = await runTool(kubectl, ['logs', 'web', '-c', 'web', '-p'], env());
        assert.match(none.stderr, /previous terminated container "web" in pod "web" not found/);
      });

      test('exec: a terminal of the size of the one it is typed in, and no process that outlives its input', async () => {
        const typed = `stty rows 33 cols 77; '${kubectl}' exec -it web -c web -- sh -c 'sleep 0.3; stty size'`;
        assert.match(await output('script', ['-qec', typed, '/dev/null'], { ...env(), TERM: 'dumb' }), /33 77/);
        const mark = own('lasting');
        const lasting = start(
          kubectl,
          ['exec', '-i', 'web', '-c', 'web', '--', 'sh', '-c', `echo begun; cat - ${mark}`],
          env(),
        );
        await said(lasting, /begun/);
        lasting.kill('SIGKILL');
        await eventually(async () => {
          assert.doesNotMatch(await ok('exec', 'web', '-c', 'web', '--', 'ps'), new RegExp(`cat - ${mark}`));
        });
      });

      test('attach -i: what is typed reaches the container, and its end ends it', async () => {
        const name = own('reader');
        const spec = { containers: [{ name, image: 'busybox', stdin: true, stdinOnce: true, command: ['cat'] }] };
        const flags = [
          '--image=busybox',
          '--restart=Never',
          `--overrides=${JSON.stringify({ apiVersion: 'v1', spec })}`,
        ];
        await ok('run', name, ...flags);
        await ok('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=20s');
        assert.match(await withInput('over the wire\n', 'attach', '-i', name), /over the wire/);
        await eventually(async () => {
          assert.equal(await ok('get', 'pod', name, '-o', 'jsonpath={.status.phase}'), 'Succeeded');
        });
      });

      test('cp: a file and a folder there and back (7-070)', async () => {
        const folder = join(cluster.dataDir, own('files'));
        mkdirSync(join(folder, 'a', 'b'), { recursive: true });
        writeFileSync(join(folder, 'one'), Buffer.alloc(300_000, 'x'));
        writeFileSync(join(folder, 'a', 'b', 'two'), 'two\n');
        const there = `/tmp/${own('there')}`;
        await ok('exec', 'web', '-c', 'web', '--', 'mkdir', '-p', there);
        await ok('cp', '-c', 'web', join(folder, 'one'), `web:${there}/one`);
        await ok('cp', '-c', 'web', join(folder, 'a'), `web:${there}`);
        assert.match(await ok('exec', 'web', '-c', 'web', '--', 'wc', '-c', `${there}/one`), /^300000 /);
        await ok('cp', '-c', 'web', `web:${there}/one`, join(folder, 'back'));
        await ok('cp', '-c', 'web', `web:${there}/a`, join(folder, 'tree'));
        assert.ok(readFileSync(join(folder, 'back')).equals(readFileSync(join(folder, 'one'))));
        assert.equal(readFileSync(join(folder, 'tree', 'b', 'two'), 'utf8'), 'two\n');
      });

      test('debug: a container beside the others, with the processes of one, and a Pod on the node (KEP-277)', async () => {
        const name = own('debugger');
        const look = (command: string) => [
          '--image=busybox',
          '--',
          'sh',
          '-c',
          `read line; echo "$line: $(${command})"; sleep 2`,
        ];
        /** Input stays open and the container lives on for a moment: at the end of either the runtime shows no more output. */
        const typing = async (args: string[], pattern: RegExp) => {
          const child = start(kubectl, ['debug', '-i', ...args], env());
          child.stdin.write('typed\n');
          await said(child, pattern);
          await end(child);
        };
        const target = look('tr "\\0" " " </proc/1/cmdline');
        await typing(['looked-at', '--target=c', '-c', name, ...target], /typed: sleep 600/);
        await eventually(async () => {
          const path = `jsonpath={.status.ephemeralContainerStatuses[?(@.name=="${name}")].state.terminated.reason}`;
          assert.equal(await ok('get', 'pod', 'looked-at', '-o', path), 'Completed');
        });
        assert.match(await ok('get', 'pod', 'looked-at'), /1\/1 +Running +0/);
        assert.match(await ok('logs', 'looked-at', '-c', name), /typed: sleep 600/);
        await typing(['node/node01', ...look('ls /host/etc/hostname')], /typed: \/host\/etc\/hostname/);
      });

      test('port-forward: to a Pod, a Deployment and a Service, by number, name and chance (7-060, 7-061)', async () => {
        for (const target of [
          ['pod/web', ':8080'],
          ['svc/web', ':80'],
          ['svc/web', ':http'],
          ['web', ':http'],
        ]) {
          const child = start(kubectl, ['port-forward', ...target], env());
          const [, port = ''] = await said(child, /127\.0\.0\.1:(\d+) ->/);
          const answers = [1, 2].map(() => output('curl', ['-sS', '--max-time', '5', `http://127.0.0.1:${port}/`], {}));
          assert.deepEqual(await Promise.all(answers), ['web\n', 'web\n'], target.join(' '));
          await end(child);
        }
        const refused = start(kubectl, ['port-forward', 'pod/web', ':1'], env());
        const [, port = ''] = await said(refused, /127\.0\.0\.1:(\d+) ->/);
        assert.notEqual((await runTool('curl', ['-sS', '--max-time', '5', `http://127.0.0.1:${port}/`], {})).code, 0);
        await said(refused, /an error occurred forwarding \d+ -> 1: /);
        await end(refused);
      });

      test('proxy: Services, Pods and nodes through it (7-069, 8-114)', async () => {
        const child = start(kubectl, ['proxy', '--port=0'], env());
        const [, address = ''] = await said(child, /Starting to serve on (\S+)/);
        const get = (path: string) => output('curl', ['-sSL', '--max-time', '5', `http://${address}${path}`], {});
        assert.equal(await get('/api/v1/namespaces/default/services/web:http/proxy'), 'web\n');
        assert.equal(await get('/api/v1/namespaces/default/services/http:web:80/proxy/index.html'), 'web\n');
        assert.equal(await get('/api/v1/namespaces/default/pods/web/proxy/'), 'web\n');
        assert.match(await get('/api/v1/namespaces/default/pods/web/proxy/none'), /404 Not Found/);
        assert.match(await get('/api/v1/nodes/node01/proxy/pods'), /"name":"web"/);
        assert.match(await get('/api/v1/nodes/node01/proxy/logs/'), /default_web_/);
        assert.match(await get('/api/v1/namespaces/default/services/talk/proxy/'), /connect: connection refused/);
        await end(child);
      });

      test('top says that there are no metrics', async () => {
        for (const what of ['pod', 'node'])
          assert.match((await runTool(kubectl, ['top', what], env())).stderr, /error: Metrics API not available/);
      });
    });
  }

  for (const [name, helm] of Object.entries(helms)) {
    test(`${name} installs, upgrades, rolls back and uninstalls a chart`, onlyOnX64, async () => {
      const release = name.toLowerCase().replace(' ', '');
      const ok = (...args: string[]) => output(present(helm), args, cluster.env);
      const answer = async () =>
        cluster.kubectlFile &&
        (await output(
          cluster.kubectlFile,
          ['get', 'configmap', release, '-o', 'jsonpath={.data.answer}'],
          cluster.env,
        ));
      const chart = join(import.meta.dirname, 'chart');
      const wait = ['--wait', '--timeout', '40s'];
      assert.match(await ok('install', release, chart, ...wait), /STATUS: deployed\nREVISION: 1/);
      assert.equal(await answer(), 'one');
      assert.match(await ok('upgrade', release, chart, '--set', 'answer=two', ...wait), /REVISION: 2/);
      assert.equal(await answer(), 'two');
      assert.match(await ok('rollback', release, '1', ...wait), /Rollback was a success/);
      assert.equal(await answer(), 'one');
      const history = JSON.parse(await ok('history', release, '-o', 'json')) as { status: string }[];
      assert.deepEqual(
        history.map(({ status }) => status),
        ['superseded', 'superseded', 'deployed'],
      );
      assert.match(await ok('uninstall', release, ...wait), /uninstalled/);
      const left = await runTool(cluster.kubectlFile, ['get', 'deploy,svc,cm', release], cluster.env);
      assert.match(left.stderr, new RegExp(`deployments.apps "${release}" not found`));
    });
  }

  test("Python's client: objects, watches, streams and leader election", async () => {
    assert.match(await output(PYTHON, [join(import.meta.dirname, 'everyday.py')], cluster.env), /^well$/m);
  });

  test("JavaScript's client: exec, logs and port-forward over WebSockets", async () => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.env['KUBECONFIG'] ?? '');
    const collect = () => {
      let text = '';
      const stream = new PassThrough().on('data', (chunk: Buffer) => (text += String(chunk)));
      return { stream, text: () => text };
    };
    const [out, err] = [collect(), collect()];
    const script = 'read line; echo got $line; echo oops >&2; exit 3';
    const status = await new Promise<V1Status>((resolve, reject) => {
      // Where input ends, this client hangs up unless the fifth protocol is spoken, and may miss the rest.
      const input = new PassThrough();
      input.write('hello\n');
      new Exec(config)
        .exec('default', 'web', 'web', ['sh', '-c', script], out.stream, err.stream, input, false, resolve)
        .catch(reject);
    });
    assert.equal(status.details?.causes?.[0]?.message, '3');
    assert.deepEqual([out.text(), err.text()], ['got hello\n', 'oops\n']);

    const log = collect();
    const ended = once(log.stream, 'end');
    await new Log(config).log('default', 'web', 'web', log.stream, { tailLines: 1 });
    await ended;
    assert.equal(log.text(), 'started\n');

    const answer = collect();
    const asked = new PassThrough();
    const socket = await new PortForward(config).portForward('default', 'web', [8080], answer.stream, null, asked);
    asked.write('GET / HTTP/1.0\r\n\r\n');
    await eventually(() => {
      assert.match(answer.text(), /\r\n\r\nweb\n$/);
    });
    (typeof socket === 'function' ? socket() : socket)?.close();
  });

  test('kubetail follows the two Pods of a Service', async () => {
    // It was written for bash before 5.2, where `&` in a replacement is a letter like others.
    const kubetail = ['+O', 'patsub_replacement', '/usr/bin/kubetail'];
    const child = start('bash', [...kubetail, '-l', 'app=talk', '--since', '10s', '-k', 'false'], cluster.env);
    try {
      const [, first = ''] = await said(child, /\[(talk-\S+)\] \1 speaks/);
      await said(child, new RegExp(`\\[(?!${first})(talk-\\S+)\\] \\1 speaks`));
    } finally {
      await end(child);
    }
  });

  test('Prometheus scrapes the API server and the kubelet with a token that may do nothing else', async () => {
    const folder = join(cluster.dataDir, 'prometheus');
    mkdirSync(folder);
    const request = await output(
      cluster.kubectlFile,
      ['create', '--raw', '/api/v1/namespaces/default/serviceaccounts/scraper/token', '-f', '-'],
      cluster.env,
      JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }),
    );
    const { token } = (JSON.parse(request) as { status: { token: string } }).status;
    writeFileSync(join(folder, 'token'), token, { mode: 0o600 });
    const config = JSON.parse(cluster.get('config', 'view', '--raw', '-o', 'json')) as {
      clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
    };
    const [{ cluster: { server, 'certificate-authority-data': ca } } = assert.fail('no cluster')] = config.clusters;
    writeFileSync(join(folder, 'ca.crt'), Buffer.from(ca, 'base64'));
    const node = cluster.jsonpath('{.status.addresses[?(@.type=="InternalIP")].address}', 'node', 'node01');
    const job = (name: string, target: string) => ({
      job_name: name,
      scheme: 'https',
      tls_config: { ca_file: join(folder, 'ca.crt') },
      authorization: { credentials_file: join(folder, 'token') },
      static_configs: [{ targets: [target] }],
    });
    const jobs = [job('apiserver', new URL(server).host), job('kubelet', `${node}:10250`)];
    const text = JSON.stringify({
      global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
      scrape_configs: jobs,
    });
    writeFileSync(join(folder, 'prometheus.yml'), text);
    const flags = [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      '--web.listen-address=127.0.0.1:19090',
    ];
    const child = start('prometheus', flags, {});
    try {
      const query = async (expression: string) => {
        const args = ['-sS', '-G', '--data-urlencode', `query=${expression}`, 'http://127.0.0.1:19090/api/v1/query'];
        const { data } = JSON.parse(await output('curl', args, {})) as {
          data: { result: { metric: Record<string, string>; value: [number, string] }[] };
        };
        return data.result.map(({ metric, value: [, value] }) => `${metric['job'] ?? ''} ${value}`).sort();
      };
      await eventually(async () => {
        assert.deepEqual(await query('up'), ['apiserver 1', 'kubelet 1'], child.text());
      });
      assert.match((await query('sum by (job) (apiserver_request_total)'))[0] ?? '', /^apiserver [1-9]\d*$/);
      assert.match((await query('kubelet_running_pods'))[0] ?? '', /^kubelet [1-9]\d*$/);
    } finally {
      await end(child);
    }
    const asScraper = async (path: string) => {
      const headers = ['-H', `Authorization: Bearer ${token}`, '--cacert', join(folder, 'ca.crt')];
      return await output(
        'curl',
        ['-sS', '-o', '/dev/null', '-w', '%{http_code}', ...headers, `https://${node}:10250${path}`],
        {},
      );
    };
    assert.deepEqual([await asScraper('/metrics'), await asScraper('/pods')], ['200', '403']);
  });
});
