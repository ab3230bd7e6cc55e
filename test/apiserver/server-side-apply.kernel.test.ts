/** The oldest and the newest kubectl of this machine apply on the server's side: over real TLS on loopback, nothing else runs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CONFIG_MAPS, SERVICES } from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/types.ts';
import { startTlsApi, type TlsApi } from '../support/api.ts';
import { kubectls } from '../support/cluster.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';

requireOuterNamespace();

const service = (spec: object, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', labels },
  spec: { selector: { app: 'web' }, ...spec },
});
const map = (data: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'moved' }, data });
const http = { name: 'http', port: 80 };
const https = { name: 'https', port: 443 };

const managersOf = ({ metadata }: KubeObject): string[] =>
  (metadata.managedFields ?? []).map(({ manager = '', operation = '' }) => `${manager} ${operation}`);

for (const file of kubectls()) {
  describe(file, () => {
    let api: TlsApi;
    let home: string;
    before(async () => {
      api = await startTlsApi();
      home = mkdtempSync(join(tmpdir(), 'fairway-kubectl-'));
    });
    after(async () => {
      rmSync(home, { recursive: true });
      await api.stop();
    });

    /** Not spawnSync: the server runs in this process. */
    async function kubectl(args: string[], input: unknown, expected = 0): Promise<string> {
      const env = { PATH: process.env['PATH'] ?? '', HOME: home, KUBECONFIG: api.kubeconfig };
      const child = spawn(file, args, { env, timeout: 30_000 });
      child.stdin.end(JSON.stringify(input));
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
      child.stderr.on('data', (chunk: Buffer) => (out += String(chunk)));
      const [code] = (await once(child, 'close')) as [number | null];
      assert.equal(code, expected, `kubectl ${args.join(' ')}\n${out}`);
      return out;
    }
    const apply = (input: unknown, ...more: string[]) => kubectl(['apply', '--server-side', '-f', '-', ...more], input);
    const web = () => api.client.get(SERVICES, 'web', 'default');

    test('apply makes, changes, leaves alone, and takes out what is not applied any more', async () => {
      const made = await apply(service({ ports: [http, https] }, { tier: 'front' }));
      assert.match(made, /service\/web serverside-applied/);
      const first = await web();
      await apply(service({ ports: [http, https] }, { tier: 'front' }));
      assert.equal((await web()).metadata.resourceVersion, first.metadata.resourceVersion);
      await apply(service({ ports: [https], type: 'NodePort' }));
      const { metadata, spec } = await web();
      assert.deepEqual([metadata.labels, spec.type, spec.clusterIP], [undefined, 'NodePort', first.spec.clusterIP]);
      assert.deepEqual(
        spec.ports?.map(({ name }) => name),
        ['https'],
      );
      assert.deepEqual(managersOf(await web()), ['kubectl Apply']);
    });

    test('a conflict is told in the words of Kubernetes, and --force-conflicts overcomes it', async () => {
      await kubectl(['patch', 'svc', 'web', '--type=merge', '-p', '{"spec":{"sessionAffinity":"ClientIP"}}'], '');
      const wanted = service({ ports: [https], type: 'NodePort', sessionAffinity: 'None' });
      const refused = await kubectl(['apply', '--server-side', '-f', '-'], wanted, 1);
      assert.match(
        refused,
        /Apply failed with 1 conflict: conflict with "kubectl(-patch)?" using v1: \.spec\.sessionAffinity/,
      );
      const dry = await apply(wanted, '--force-conflicts', '--dry-run=server');
      assert.match(dry, /service\/web serverside-applied \(server dry run\)/);
      assert.equal((await web()).spec.sessionAffinity, 'ClientIP');
      await apply(wanted, '--force-conflicts');
      assert.equal((await web()).spec.sessionAffinity, 'None');
      const other = service({ ports: [https], sessionAffinity: 'None' }, { team: 'blue' });
      await apply(other, '--field-manager=alice');
      assert.deepEqual(
        managersOf(await web())
          .filter((name) => name.endsWith('Apply'))
          .sort(),
        ['alice Apply', 'kubectl Apply'],
      );
    });

    test('what was applied on the client side before moves over without a conflict', async () => {
      await kubectl(['apply', '-f', '-'], map({ a: '1', b: '2' }));
      const before = await api.client.get(CONFIG_MAPS, 'moved', 'default');
      assert.deepEqual(managersOf(before), ['kubectl-client-side-apply Update']);
      await apply(map({ a: '3' }));
      const moved = await api.client.get(CONFIG_MAPS, 'moved', 'default');
      const managers = managersOf(moved);
      assert.ok(managers.includes('kubectl Apply'));
      // Since 1.26 kubectl takes over what it owned before, and so takes out what it does not apply any more.
      const old = managers.includes('kubectl-client-side-apply Update') ? { b: '2' } : {};
      assert.deepEqual(moved.data, { a: '3', ...old });
      const last = moved.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
      assert.deepEqual((JSON.parse(last ?? '{}') as { data?: unknown }).data, { a: '3' });
    });

    test('managedFields are shown where they are asked for', async () => {
      const [all, shown] = await Promise.all([
        kubectl(['get', 'svc', 'web', '-o', 'yaml'], ''),
        kubectl(['get', 'svc', 'web', '-o', 'yaml', '--show-managed-fields'], '').catch(() => undefined),
      ]);
      // Before 1.21 kubectl shows them always.
      assert.match(
        shown ?? all,
        /managedFields:\n[^]*f:sessionAffinity: \{\}[^]*manager: kubectl\n {4}operation: Apply/,
      );
      if (shown !== undefined) assert.doesNotMatch(all, /managedFields/);
    });
  });
}
