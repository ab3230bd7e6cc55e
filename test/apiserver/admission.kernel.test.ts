/** Admission as people meet it: a stock kubectl over TLS, and a webhook that is an endpoint of a Service. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exec } from '../../src/host/exec.ts';
import { startTlsApi, type TlsApi } from '../support/api.ts';
import { eventually, kubectls } from '../support/cluster.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';
import { startWebhook, type WebhookServer } from '../support/webhook.ts';

requireOuterNamespace();

/** Endpoints may not be loopback addresses, so the webhook has one that is none. */
const HOOK_ADDRESS = '10.99.0.9';

let api: TlsApi;
let hook: WebhookServer;
let home: string;
before(async () => {
  api = await startTlsApi();
  home = mkdtempSync(join(tmpdir(), 'fairway-admission-'));
  await exec('ip', ['address', 'replace', `${HOOK_ADDRESS}/32`, 'dev', 'lo']);
  const decide = (blue: boolean) =>
    blue ? { allowed: false, status: { message: 'no blue ones' } } : { allowed: true };
  hook = await startWebhook(
    'hook.default.svc',
    (_path, { object }) => decide(object?.data?.color === 'blue'),
    HOOK_ADDRESS,
  );
});
after(async () => {
  await hook.stop();
  await api.stop();
  await exec('ip', ['address', 'delete', `${HOOK_ADDRESS}/32`, 'dev', 'lo']);
  rmSync(home, { recursive: true });
});

async function kubectl(args: string[], input = ''): Promise<{ code: number | null; text: string }> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, KUBECONFIG: api.kubeconfig };
  const child = spawn(kubectls()[0] ?? 'kubectl', args, { env, timeout: 30_000 });
  child.stdin.end(input);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (text += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text };
}
async function ok(args: string, input?: string): Promise<string> {
  const { code, text } = await kubectl(args.split(' '), input);
  assert.equal(code, 0, `kubectl ${args}\n${text}`);
  return text;
}
const apply = (object: object) => ok('apply -f -', JSON.stringify(object));
async function refused(args: string, message: RegExp): Promise<void> {
  const { code, text } = await kubectl(args.split(' '));
  assert.equal(code, 1, text);
  assert.match(text, message);
}

test('a quota is made, used up, described and freed', async () => {
  await ok('create namespace small');
  await ok('create quota limit --hard=services=1,services.nodeports=0,count/deployments.apps=0 -n small');
  await ok('create service clusterip one --tcp=80 -n small');
  await refused(
    'create service clusterip two --tcp=80 -n small',
    /services "two" is forbidden: exceeded quota: limit, requested: services=1, used: services=1, limited: services=1/,
  );
  await refused(
    'create deployment web --image=a -n small',
    /exceeded quota: limit, requested: count\/deployments.apps=1/,
  );
  assert.match(await ok('describe quota limit -n small'), /services +1 +1\n/);
  assert.match(await ok('get quota -n small'), /limit +.*services: 1\/1/);
  await ok('delete service one -n small');
  await eventually(async () => {
    assert.match(await ok('describe quota limit -n small'), /services +0 +1\s/);
  });
  await ok('create service clusterip two --tcp=80 -n small');
});

test('a LimitRange and a PriorityClass shape a Pod that says nothing', async () => {
  await ok('create namespace shaped');
  const limits = [{ type: 'Container', default: { cpu: '500m' }, defaultRequest: { cpu: '100m' }, max: { cpu: '1' } }];
  await apply({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'limits', namespace: 'shaped' },
    spec: { limits },
  });
  assert.match(await ok('describe limits -n shaped'), /Container +cpu +- +1 +100m +500m/);
  await ok('create priorityclass usual --value=1000 --global-default');
  await ok('run web --image=a -n shaped');
  const fields = '{.spec.priority} {.spec.priorityClassName} {.spec.containers[0].resources.requests.cpu}';
  const { text } = await kubectl(['get', 'pod', 'web', '-n', 'shaped', '-o', `jsonpath=${fields}`]);
  assert.equal(text, '1000 usual 100m');
  assert.match(await ok('get priorityclass'), /system-node-critical +2000001000 +false/);
  await ok('delete priorityclass usual');
});

test('a webhook behind a Service denies, and what it allows passes; without endpoints nothing does', async () => {
  await apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'hook' }, spec: { ports: [{ port: 443 }] } });
  await apply({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'hook-1', labels: { 'kubernetes.io/service-name': 'hook' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [HOOK_ADDRESS] }],
    ports: [{ port: hook.port }],
  });
  const service = { name: 'hook', namespace: 'default', path: '/check' };
  await apply({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'colors' },
    webhooks: [
      {
        name: 'colors.example.com',
        clientConfig: { service, caBundle: hook.caBundle },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  });
  await ok('create configmap red --from-literal=color=red');
  await refused(
    'create configmap blue --from-literal=color=blue',
    /admission webhook "colors.example.com" denied the request: no blue ones/,
  );
  await ok('create configmap blue --from-literal=color=blue -n kube-public');
  await ok('delete endpointslice hook-1');
  await refused(
    'create configmap green --from-literal=color=green',
    /failed calling webhook "colors.example.com": no endpoints available for service "hook"/,
  );
  await ok('delete validatingwebhookconfiguration colors');
  await ok('create configmap green --from-literal=color=green');
});
