/**
 * Every kubectl on this machine against the real API server over TLS on loopback, with the manifests of the walkthroughs. No controller
 * and no node runs here: what is proved is that the client and the server understand each other.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { apiVersionOf, DEPLOYMENTS, KINDS, NODES, PODS } from '../../src/api/kinds.ts';
import type { Pod } from '../../src/api/types.ts';
import { newestKubectl, onlyOnX64, present } from '../clients/tools.ts';
import { startTlsApi, type TlsApi } from '../support/api.ts';
import { eventually, kubectls } from '../support/cluster.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';

requireOuterNamespace();

const MANIFESTS = join(import.meta.dirname, '../../examples/walkthroughs');

/** Those of the other tests, and the versions that lie beside the machine's own. */
function everyKubectl(): string[] {
  const known = kubectls();
  const beside = known.flatMap((file) => {
    const folder = dirname(realpathSync(file));
    return readdirSync(folder)
      .filter((name) => /^kubectl\.\d+\.\d+$/.test(name))
      .map((name) => join(folder, name));
  });
  // The newest, from an npm package that carries it; setup fetches it where there is such a package.
  const fetched = 'skip' in onlyOnX64 ? [] : [present(newestKubectl)];
  return [...new Set([...known.map((file) => realpathSync(file)), ...beside, ...fetched])];
}

interface Result {
  code: number | null;
  out: string;
  err: string;
}

const files = everyKubectl();
/** The machine's own, the oldest and the newest are asked everything. */
const ASKED_ALL = new Set([files[0], ...kubectls().map((file) => realpathSync(file)), files.at(-1)]);
/** What those between are asked in turns, beside what all are asked: each group comes to every third of them. */
const GROUPS = ['edit', 'create', 'other'] as const;
const between = files.filter((file) => !ASKED_ALL.has(file));
const isAsked = (file: string, group: (typeof GROUPS)[number]): boolean =>
  ASKED_ALL.has(file) || GROUPS[between.indexOf(file) % GROUPS.length] === group;

for (const file of files) {
  const testIn = (group: (typeof GROUPS)[number], name: string, body: () => Promise<void>) => {
    if (isAsked(file, group)) test(name, body);
  };
  describe(file, () => {
    let api: TlsApi;
    let home: string;
    let environment: Record<string, string>;
    before(async () => {
      api = await startTlsApi();
      home = mkdtempSync(join(tmpdir(), 'fairway-kubectl-'));
      environment = { PATH: process.env['PATH'] ?? '', HOME: home, KUBECONFIG: api.kubeconfig };
    });
    after(async () => {
      rmSync(home, { recursive: true });
      await api.stop();
    });

    /** Not spawnSync: the server runs in this process. */
    async function run(args: string[], more: { env?: Record<string, string>; input?: string } = {}): Promise<Result> {
      const child = spawn(file, args, { env: { ...environment, ...more.env }, timeout: 30_000 });
      child.stdin.end(more.input ?? '');
      const result = { out: '', err: '' };
      child.stdout.on('data', (chunk: Buffer) => (result.out += String(chunk)));
      child.stderr.on('data', (chunk: Buffer) => (result.err += String(chunk)));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, ...result };
    }
    async function ok(...args: string[]): Promise<string> {
      const { code, out, err } = await run(args);
      assert.equal(code, 0, `kubectl ${args.join(' ')}\n${out}${err}`);
      return out;
    }
    async function refused(...args: string[]): Promise<string> {
      const { code, out, err } = await run(args);
      assert.equal(code, 1, `kubectl ${args.join(' ')}\n${out}${err}`);
      return err;
    }
    const manifest = (name: string) => join(MANIFESTS, `${name}.yaml`);

    test('api-resources, api-versions, version and cluster-info know the server', async () => {
      const resources = await ok('api-resources', '-o', 'wide');
      assert.match(resources, /^services +svc +v1 +true +Service +\S*create/m);
      assert.match(resources, /^deployments +deploy +apps\/v1 +true +Deployment/m);
      const versions = await ok('api-versions');
      for (const version of new Set(KINDS.map(apiVersionOf)))
        assert.ok(versions.split('\n').includes(version), version);
      assert.match(await ok('version'), /v1\.36\.2\+fairway/);
      assert.match(await ok('cluster-info'), /is running at .*https:\/\/127\.0\.0\.1/);
      assert.match(await ok('get', '--raw', '/readyz?verbose'), /readyz check passed/);
    });

    testIn('other', 'explain shows the fields of a kind of every group and version', async () => {
      const ports = await ok('explain', 'service.spec.ports', '--recursive');
      assert.match(ports, /nodePort\s+<integer>/);
      assert.match(ports, /name of this port within the service|port that will be exposed|list of ports/i);
      assert.match(await ok('explain', 'tokenreviews.spec'), /audiences/);
      assert.match(await ok('explain', 'localsubjectaccessreviews.spec'), /resourceAttributes/);
      assert.match(await ok('explain', 'ingress', '--api-version=extensions/v1beta1', '--recursive'), /servicePort/);
      // The oldest reads version 2 of OpenAPI, all others read version 3 alike.
      if (!file.includes('kubernetes-client') && file !== files.at(-1)) return;
      const pending = [...new Map(KINDS.map((kind) => [apiVersionOf(kind), kind])).values()];
      const explain = async (): Promise<void> => {
        for (let kind = pending.pop(); kind; kind = pending.pop()) {
          const text = await ok('explain', kind.plural, `--api-version=${apiVersionOf(kind)}`, '--recursive');
          assert.match(text, new RegExp(`KIND: +${kind.kind}\\n`));
          assert.match(text, /metadata\s+<Object(Meta)?>/, kind.kind);
        }
      };
      await Promise.all([explain(), explain(), explain()]);
    });

    testIn('other', 'apply takes a manifest of years ago, checks its fields and warns of its version', async () => {
      const old = `apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata: {name: old}
spec:
  rules:
  - host: old.example
    http: {paths: [{path: /, backend: {serviceName: web, servicePort: 80}}]}
`;
      const applied = await run(['apply', '-f', '-'], { input: old });
      assert.equal(applied.code, 0, applied.err);
      assert.match(applied.out, /ingress.networking.k8s.io\/old created/);
      assert.match(
        applied.err,
        /networking.k8s.io\/v1beta1 Ingress is deprecated in v1.19\+, unavailable in v1.22\+; use networking.k8s.io\/v1 Ingress/,
      );
      const present = await ok(
        'get',
        'ingress',
        'old',
        '-o',
        'jsonpath={.apiVersion} {.spec.rules[0].http.paths[0].backend}',
      );
      assert.equal(present, 'networking.k8s.io/v1 {"service":{"name":"web","port":{"number":80}}}');
      assert.match(await ok('get', 'ingresses.v1beta1.extensions', 'old', '-o', 'yaml'), /serviceName: web/);
      const again = await run(['apply', '-f', '-'], { input: old.replace('servicePort: 80', 'servicePort: http') });
      assert.match(again.out, /ingress.networking.k8s.io\/old configured/, again.err);
      const wrong = await run(['apply', '--validate=true', '-f', '-'], {
        input: old.replace('serviceName', 'service'),
      });
      assert.equal(wrong.code, 1, wrong.out);
      assert.match(wrong.err, /unknown field/);
      await ok('delete', 'ingress', 'old');
    });

    testIn('other', 'autoscale, certificate approve and the tables of kinds beside Services', async () => {
      await ok('create', 'deployment', 'scaled', '--image=i');
      await ok('autoscale', 'deployment', 'scaled', '--max=3', '--cpu-percent=60');
      assert.match(await ok('get', 'hpa', 'scaled'), /scaled +Deployment\/scaled +cpu: <unknown>\/60% +1 +3 +0 /);
      await ok('delete', 'hpa,deployment', 'scaled');
      const pem = '-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n';
      const csr = `apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: ann}
spec: {request: ${Buffer.from(pem).toString('base64')}, signerName: example.com/x, usages: [client auth]}
`;
      const made = await run(['create', '-f', '-'], { input: csr });
      assert.equal(made.code, 0, made.err);
      await ok('certificate', 'approve', 'ann');
      assert.match(await ok('get', 'csr'), /^ann +\S+ +example.com\/x +\S+ +<none> +Approved$/m);
      assert.match(await ok('get', 'priorityclasses'), /^system-node-critical +2000001000 +false /m);
      assert.match(await ok('get', 'apiservices', 'v1.apps'), /^v1.apps +Local +True +/m);
      await ok('delete', 'csr', 'ann');
    });

    test('create -f takes every manifest of the walkthroughs with a v1 kind', async () => {
      for (const name of ['my-nginx', 'external-mysql', 'nginx-rc', 'nginx-nodeport', 'my-nginx-ports']) {
        assert.match(await ok('create', '-f', manifest(name)), /created/, name);
      }
      await ok('run', 'dig', '--image=bind9-dnsutils', '--restart=Never', '--', 'sleep', '1000');
    });

    test('apply creates, changes and leaves alone', async () => {
      const apply = () => ok('apply', '-f', manifest('hostnames'));
      assert.match(await apply(), /deployment.apps\/hostnames created\nservice\/hostnames created/);
      assert.match(await apply(), /deployment.apps\/hostnames unchanged\nservice\/hostnames unchanged/);
      await ok('patch', 'svc', 'hostnames', '-p', '{"spec":{"selector":{"app":"other"}}}');
      assert.match(await apply(), /service\/hostnames configured/);
    });

    test('get prints tables, names, labels, YAML and JSON', async () => {
      const wide = await ok('get', 'deploy,svc', '-o', 'wide');
      assert.match(wide, /NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR/);
      assert.match(wide, /service\/my-nginx-nodeport +NodePort +10\.96\.\S+ +<none> +80:30380\/TCP/);
      assert.match(await ok('get', 'svc', '-A'), /^NAMESPACE +NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE/);
      assert.match(await ok('get', 'svc', '-l', 'run=my-nginx', '--show-labels'), /^my-nginx .* run=my-nginx$/m);
      assert.equal(await ok('get', 'svc', 'hostnames', '-o', 'name'), 'service/hostnames\n');
      assert.match(await ok('get', 'svc', 'hostnames', '-o', 'yaml'), /^ {2}selector:\n {4}app: hostnames$/m);
      const json = JSON.parse(await ok('get', 'svc', '-o', 'json')) as { kind: string; items: { kind: string }[] };
      assert.deepEqual([json.kind, json.items[0]?.kind], ['List', 'Service']);
      assert.match(await ok('get', 'pods', '--chunk-size=1'), /^dig/m);
      assert.match(await ok('get', 'all'), /replicationcontroller\/nginx-controller/);
      assert.match(await ok('get', 'svc', '--field-selector', 'spec.type=NodePort'), /my-nginx-nodeport/);
    });

    test('get -w shows a change when it happens', async () => {
      // A list, because with a name kubectl drops the first event, whatever happened since it printed the object.
      const args = ['get', 'svc', '--field-selector=metadata.name=hostnames', '-w'];
      const child = spawn(file, args, { env: environment, timeout: 30_000 });
      let out = '';
      const seen = (pattern: RegExp) =>
        new Promise<void>((resolve) => {
          const look = () => {
            if (pattern.test(out)) resolve();
          };
          child.stdout.on('data', look);
          look();
        });
      child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
      await seen(/hostnames +ClusterIP/);
      await ok('patch', 'svc', 'hostnames', '-p', '{"spec":{"type":"NodePort"}}');
      await seen(/hostnames +NodePort/);
      child.kill();
      await once(child, 'close');
    });

    test('describe shows what a Service is', async () => {
      const text = await ok('describe', 'svc', 'my-nginx');
      for (const line of [
        'Type: +ClusterIP',
        'IP: +10\\.96\\.',
        'Port: +<unset> +80/TCP',
        'TargetPort: +80/TCP',
        'Session Affinity: +None',
        'Events: +<none>',
      ]) {
        assert.match(text, new RegExp(`^${line}`, 'm'));
      }
      assert.match(await ok('describe', 'deploy', 'hostnames'), /Image: +\S*serve_hostname/);
      assert.match(await ok('describe', 'rc', 'nginx-controller'), /Replicas: +0 current \/ 3 desired/);
      assert.match(await ok('describe', 'pod', 'dig'), /Status: +Pending/);
    });

    testIn('edit', 'label, annotate, edit, set and scale change what they say', async () => {
      assert.match(await ok('label', 'svc', 'hostnames', 'tier=front'), /labeled/);
      assert.match(await ok('annotate', 'svc', 'hostnames', 'note=hello'), /annotate/);
      const editor = join(home, 'editor.sh');
      writeFileSync(editor, '#!/bin/sh\nexec sed -i s/tier:.front/tier:\\ back/ "$1"\n');
      chmodSync(editor, 0o755);
      const edited = await run(['edit', 'svc', 'hostnames'], { env: { EDITOR: editor } });
      assert.match(edited.out, /service\/hostnames edited/, edited.err);
      assert.equal(await ok('get', 'svc', 'hostnames', '-o', 'jsonpath={.metadata.labels.tier}'), 'back');
      assert.match(await ok('scale', 'deploy', 'hostnames', '--replicas=5'), /scaled/);
      assert.match(await ok('scale', 'rc', 'nginx-controller', '--replicas=1', '--current-replicas=3'), /scaled/);
      assert.equal(await ok('get', 'deploy', 'hostnames', '-o', 'jsonpath={.spec.replicas}'), '5');
      assert.match(await ok('set', 'image', 'deploy/hostnames', 'hostnames=other:1'), /image updated/);
    });

    testIn('edit', 'expose and run make what they always make', async () => {
      await ok('expose', 'deploy', 'hostnames', '--name=exposed', '--port=80', '--target-port=9376', '--type=NodePort');
      assert.match(await ok('get', 'svc', 'exposed'), /NodePort +10\.96\.\S+ +<none> +80:3\d{4}\/TCP/);
      await ok('run', 'busy', '--image=busybox', '--restart=Never', '--', 'sleep', '1');
      assert.equal(await ok('get', 'pod', 'busy', '-o', 'jsonpath={.spec.containers[0].args[0]}'), 'sleep');
    });

    testIn('create', 'create makes namespaces, configmaps, secrets, Services and Deployments', async () => {
      assert.match(await ok('create', 'namespace', 'made'), /namespace\/made created/);
      await ok('create', 'configmap', 'c', '-n', 'made', '--from-literal=a=b');
      await ok('create', 'secret', 'generic', 's', '-n', 'made', '--from-literal=a=b');
      assert.equal(await ok('get', 'secret', 's', '-n', 'made', '-o', 'jsonpath={.data.a}'), 'Yg==');
      await ok('create', 'service', 'clusterip', 'cs', '--tcp=80:8080');
      assert.equal(await ok('get', 'svc', 'cs', '-o', 'jsonpath={.spec.ports[0].targetPort}'), '8080');
      await ok('create', 'deployment', 'web', '--image=nginx');
      assert.match(await ok('get', 'deploy', 'web', '-o', 'wide'), /nginx/);
      assert.match(await ok('delete', 'namespace', 'made', '--wait=false'), /deleted/);
      assert.match(await ok('get', 'namespace', 'made'), /Terminating/);
    });

    testIn('create', 'wait sees a condition that comes and an object that goes', async () => {
      const waiting = ok('wait', '--for=condition=Available', 'deploy/web', '--timeout=20s');
      const deployment = await api.client.get(DEPLOYMENTS, 'web', 'default');
      const condition = {
        type: 'Available',
        status: 'True',
        lastTransitionTime: '2026-01-01T00:00:00Z',
        reason: 'x',
        message: '',
      };
      const status = {
        ...deployment.status,
        observedGeneration: 1,
        replicas: 1,
        updatedReplicas: 1,
        availableReplicas: 1,
        conditions: [condition],
      };
      await api.client.update(DEPLOYMENTS, { ...deployment, status }, { subresource: 'status' });
      assert.match(await waiting, /condition met/);
      assert.match(await ok('rollout', 'status', 'deploy/web', '--timeout=20s'), /successfully rolled out/);
      const finalizers = (list: string) =>
        ok('patch', 'svc', 'cs', '--type=merge', '-p', `{"metadata":{"finalizers":${list}}}`);
      await finalizers('["example.com/held"]');
      await ok('delete', 'svc', 'cs', '--wait=false');
      const gone = ok('wait', '--for=delete', 'svc/cs', '--timeout=20s');
      await eventually(async () => {
        assert.match(
          await ok('get', '--raw', '/metrics'),
          /longrunning_requests\{.*resource="services".*verb="WATCH".*\} 1/,
        );
      });
      await finalizers('null');
      await gone;
    });

    testIn('edit', 'what is wrong is refused in words that help', async () => {
      const bad = join(home, 'bad.yaml');
      writeFileSync(bad, 'apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {foo: 1, ports: [{port: 80}]}\n');
      assert.match(await refused('apply', '-f', bad), /unknown field "(spec\.)?foo"/);
      const stranger = join(home, 'stranger.yaml');
      writeFileSync(stranger, 'apiVersion: v1\nkind: Stranger\nmetadata: {name: a}\n');
      assert.match(await refused('create', '-f', stranger), /no matches for kind "Stranger" in version "v1"/);
      assert.match(await refused('get', 'svc', 'bad'), /services "bad" not found/);
      await ok('apply', '--validate=false', '-f', bad);
      const outside = '[{"op":"replace","path":"/spec/ports/0/nodePort","value":80}]';
      assert.match(
        await refused('patch', 'svc', 'exposed', '--type=json', '-p', outside),
        /spec.ports\[0\].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767/,
      );
      assert.match(await refused('get', 'nothings'), /the server doesn't have a resource type "nothings"/);
    });

    testIn('edit', 'replace, diff and delete', async () => {
      const diff = await run(['diff', '-f', manifest('hostnames')]);
      assert.equal(diff.code, 1);
      assert.match(diff.out, /^-  replicas: 5$/m);
      assert.match(await ok('replace', '-f', manifest('hostnames')), /deployment.apps\/hostnames replaced/);
      assert.match(await ok('delete', '-f', manifest('hostnames')), /service "hostnames" deleted/);
      assert.match(await ok('delete', 'pod', 'busy', '--grace-period=0', '--force'), /force deleted/);
      await ok('delete', 'svc', '-l', 'run=my-nginx');
      assert.match(await refused('get', 'svc', 'my-nginx'), /not found/);
    });

    test('logs come from the kubelet, and its refusal is passed on', async () => {
      const kubelet = await fakeKubelet(api);
      const pod: Pod = {
        metadata: { name: 'speaks', namespace: 'default' },
        spec: { nodeName: 'node01', containers: [{ name: 'c', image: 'i' }] },
      };
      await api.client.create(PODS, pod);
      assert.equal(await ok('logs', 'speaks', '--tail=5'), '/containerLogs/default/speaks/c?tailLines=5\n');
      assert.match(
        await refused('logs', 'speaks', '-p'),
        /previous terminated container "c" in pod "speaks" not found/,
      );
      assert.match(await refused('logs', 'speaks', '-c', 'd'), /container d is not valid for pod speaks/);
      assert.match(await refused('exec', 'speaks', '--', 'true'), /this kubelet does not exec/);
      kubelet.close();
    });
  });
}

/** Answers logs with what it was asked for, and refuses what is previous and what is to be run. */
async function fakeKubelet(api: TlsApi): Promise<Server> {
  const { ca, cert, key } = api.serving;
  const server = createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    const url = request.url ?? '';
    const refuse = (status: number, text: string) => response.writeHead(status).end(text);
    if (url.includes('previous=true')) refuse(400, 'previous terminated container "c" in pod "speaks" not found');
    else if (url.startsWith('/exec')) refuse(500, 'this kubelet does not exec');
    else response.end(`${url}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const Port = typeof address === 'object' && address ? address.port : 0;
  const node = await api.client.create(NODES, { metadata: { name: 'node01' } });
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port } },
  };
  await api.client.update(NODES, { ...node, status }, { subresource: 'status' });
  return server;
}
