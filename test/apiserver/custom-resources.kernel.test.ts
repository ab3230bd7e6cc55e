/** Custom resources with kubectl, and with the JavaScript client, over TLS on loopback. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import { startTlsApi, type TlsApi } from '../support/api.ts';
import { kubectls } from '../support/cluster.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';

requireOuterNamespace();

const EXAMPLES = join(import.meta.dirname, '../../examples');
const DEFINITION = join(EXAMPLES, 'crontabs.yaml');
const OBJECT = join(EXAMPLES, 'crontab.yaml');

/** The machine's own, and the oldest and the newest of the versions that lie beside it. */
function someKubectls(): string[] {
  const known = kubectls().map((file) => realpathSync(file));
  const beside = known.flatMap((file) =>
    readdirSync(dirname(file))
      .filter((name) => /^kubectl\.\d+\.\d+$/.test(name))
      .map((name) => join(dirname(file), name)),
  );
  const [oldest, newest] = [beside.sort()[0], beside.at(-1)];
  return [...new Set([...known, oldest, newest])].filter((file) => file !== undefined);
}

interface Result {
  code: number | null;
  out: string;
  err: string;
}

for (const file of someKubectls()) {
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

    async function run(args: string[], input = ''): Promise<Result> {
      const child = spawn(file, args, { env: environment, timeout: 30_000 });
      child.stdin.end(input);
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

    test('apply defines the kind, and then makes one', async () => {
      assert.match(await ok('apply', '-f', DEFINITION), /crontabs.stable.example.com created/);
      await ok('wait', '--for=condition=Established', 'crd/crontabs.stable.example.com', '--timeout=20s');
      assert.match(await ok('apply', '-f', OBJECT), /crontab.stable.example.com\/nightly created/);
      assert.match(await ok('apply', '-f', OBJECT), /nightly unchanged/);
      assert.match(await ok('get', 'crd'), /^crontabs.stable.example.com +\d{4}-/m);
    });

    test('get prints its columns, by short name and by category', async () => {
      assert.match(await ok('get', 'ct'), /^NAME +SPEC +REPLICAS +AGE\nnightly +0 3 \* \* \*\/1 +1 +\d+s$/m);
      assert.match(await ok('get', 'ct', '-o', 'wide'), /IMAGE +AGE\n.* backup +\d+s/);
      assert.match(await ok('get', 'all'), /crontab.stable.example.com\/nightly/);
      assert.match(await ok('get', 'ct', '--field-selector=spec.image=backup', '-o', 'name'), /nightly/);
      assert.match(
        await ok('api-resources', '--api-group=stable.example.com'),
        /crontabs +ct +stable.example.com\/v1 +true +CronTab/,
      );
    });

    test('explain, describe, scale, patch and label work as on every other kind', async () => {
      assert.match(await ok('explain', 'crontab.spec.cronSpec'), /When, in the five fields of cron/);
      assert.match(await ok('describe', 'ct', 'nightly'), /Cron Spec: +0 3/);
      assert.match(await ok('scale', 'ct/nightly', '--replicas=3'), /scaled/);
      await ok('patch', 'ct', 'nightly', '--type=merge', '-p', '{"spec":{"image":"other"}}');
      await ok('label', 'ct', 'nightly', 'tier=back');
      const path = 'jsonpath={.spec.replicas} {.spec.image} {.metadata.labels.tier}';
      assert.equal(await ok('get', 'ct', 'nightly', '-o', path), '3 other back');
    });

    test('what does not fit is refused in words that help', async () => {
      const manifest = (spec: string) =>
        `apiVersion: stable.example.com/v1\nkind: CronTab\nmetadata: {name: bad}\nspec: ${spec}\n`;
      const wrong = await run(['create', '--validate=false', '-f', '-'], manifest('{cronSpec: now, replicas: 99}'));
      assert.match(wrong.err, /spec.cronSpec: Invalid value: "now": spec.cronSpec in body should match/);
      assert.match(wrong.err, /spec.replicas in body should be less than or equal to 10/);
      const unknown = await run(['create', '-f', '-'], manifest('{cronSpec: "* * * * *", imag: x}'));
      assert.equal(unknown.code, 1);
      assert.match(unknown.err, /unknown field "(spec\.)?imag"/);
      const strategic = await run(['patch', 'ct', 'nightly', '-p', '{"spec":{"replicas":1}}']);
      assert.match(strategic.err, /UnsupportedMediaType|application\/merge-patch\+json/);
    });

    test('get -w sees a change, and delete takes the kind with all that is of it', async () => {
      const args = ['get', 'ct', '-w', '-o', 'jsonpath={.metadata.name}={.spec.image}{"\\n"}'];
      const child = spawn(file, args, { env: environment, timeout: 30_000 });
      let out = '';
      const seen = (text: string) =>
        new Promise<void>((resolve) => {
          const look = () => {
            if (out.includes(text)) resolve();
          };
          child.stdout.on('data', look);
          look();
        });
      child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
      await seen('nightly=other');
      await ok('patch', 'ct', 'nightly', '--type=merge', '-p', '{"spec":{"image":"third"}}');
      await seen('nightly=third');
      child.kill();
      await once(child, 'close');
      assert.match(await ok('delete', 'crd', 'crontabs.stable.example.com'), /deleted/);
      assert.match(
        (await run(['get', 'ct', 'nightly'])).err,
        /the server (could not find the requested resource|doesn't have a resource type)/,
      );
    });
  });
}

test('the JavaScript client reads and writes custom objects', async () => {
  const api = await startTlsApi();
  const config = new KubeConfig();
  config.loadFromFile(api.kubeconfig);
  const apply = spawn(someKubectls()[0] ?? 'kubectl', ['apply', '-f', DEFINITION], {
    env: { PATH: process.env['PATH'] ?? '', HOME: api.folder, KUBECONFIG: api.kubeconfig },
  });
  await once(apply, 'close');
  const objects = config.makeApiClient(CustomObjectsApi);
  const at = { group: 'stable.example.com', version: 'v1', namespace: 'default', plural: 'crontabs' };
  const body = {
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    metadata: { name: 'js' },
    spec: { cronSpec: '* * * * *' },
  };
  const made = (await objects.createNamespacedCustomObject({ ...at, body })) as typeof body;
  assert.deepEqual(made.spec, { cronSpec: '* * * * *', replicas: 1 });
  const list = (await objects.listNamespacedCustomObject(at)) as { kind: string; items: unknown[] };
  assert.deepEqual([list.kind, list.items.length], ['CronTabList', 1]);
  const changed = { ...made, spec: { ...made.spec, image: 'x' } };
  await objects.replaceNamespacedCustomObject({ ...at, name: 'js', body: changed });
  await objects.deleteNamespacedCustomObject({ ...at, name: 'js' });
  await assert.rejects(objects.getNamespacedCustomObject({ ...at, name: 'js' }), /404/);
  await api.stop();
});
