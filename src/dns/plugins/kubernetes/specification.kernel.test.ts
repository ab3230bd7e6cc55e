/** The same table as `specification.test.ts`, asked by the real dig; and the API servers that a Corefile names, over real TLS. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { promisify } from 'node:util';
import { startTlsApi, type TlsApi } from '../../../../test/support/api.ts';
import { requireOuterNamespace } from '../../../../test/support/outer-namespace.ts';
import { SERVICES } from '../../../api/kinds.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { silentLog } from '../../../lib/log.ts';
import { knowing } from '../../asking.ts';
import { runDns, type RunningDns } from '../../run.ts';
import { typeName } from '../../wire/record-text.ts';
import { fakeUpstream, type FakeUpstream } from '../forward/fake-upstream.ts';
import { SERVICE_IMPORTS, type ServiceImport } from './service-import.ts';
import { inOrder, OUTSIDE, readCluster, readSpecification, type Row, type Section } from './specification.ts';

requireOuterNamespace();

const run = promisify(execFile);

interface Dug {
  readonly status: string;
  readonly flags: string;
  readonly answers: string[];
  readonly additionals: string[];
}

/** One process for all of them. */
async function dig(port: number, folder: string, rows: readonly Row[], ...options: string[]): Promise<Dug[]> {
  const batch = join(folder, 'batch');
  writeFileSync(batch, rows.map(({ question }) => `${question.name} ${typeName(question.type)}\n`).join(''));
  const args = ['@127.0.0.1', '-p', String(port), '+noall', '+comments', '+answer', '+additional', ...options];
  const { stdout } = await run('dig', [...args, '+time=15', '+tries=1', '-f', batch]);
  return stdout.split(';; Got answer:\n').slice(1).map(readDug);
}

function readDug(text: string): Dug {
  const section = (name: string): string[] => {
    const [, after = ''] = text.split(`;; ${name} SECTION:\n`);
    const lines = after.split('\n\n')[0]?.split('\n') ?? [];
    return inOrder(
      lines.filter((line) => line !== '' && !line.startsWith(';')).map((line) => line.split(/\s+/).join(' ')),
    );
  };
  return {
    status: /status: (\w+)/.exec(text)?.[1] ?? '',
    flags: /flags: ([a-z ]+);/.exec(text)?.[1] ?? '',
    answers: section('ANSWER'),
    additionals: section('ADDITIONAL'),
  };
}

describe('dug', () => {
  let upstream: FakeUpstream;
  let dns: RunningDns;
  let api: TlsApi;
  let port = 0;
  const sections = readSpecification();
  const corefile = ({ directive }: Section) => `.:53 {\n${directive}\nforward . ${upstream.to}\n}\n`;

  before(async () => {
    const objects = readCluster();
    const imports = objects.filter((object): object is ServiceImport => object.kind === 'ServiceImport');
    const client = new FakeClient(objects.filter(({ kind }) => kind !== 'ServiceImport'));
    for (const each of imports) await client.create(SERVICE_IMPORTS, each);
    upstream = await fakeUpstream(({ query }) => knowing(OUTSIDE, query));
    api = await startTlsApi();
    const [first] = sections;
    assert.ok(first);
    const text = corefile(first);
    dns = runDns({
      client,
      corefile: { file: 'Corefile', text },
      listen: { addresses: ['127.0.0.1'], port: 0 },
      log: silentLog,
    });
    port = (await dns.listening).get(53) ?? 0;
  });

  after(async () => {
    await dns.stop();
    await upstream.close();
    await api.stop();
  });

  for (const section of sections) {
    test(section.directive.replaceAll('\n', ' '), async () => {
      await dns.load(corefile(section));
      const rows = section.rows.filter(({ code }) => code !== 'REFUSED');
      for (const transport of ['+notcp', '+tcp']) {
        const dug = await dig(port, api.folder, rows, transport);
        for (const [at, row] of rows.entries()) {
          const where = `specification.zone:${String(row.line)} ${row.question.name} ${transport}`;
          const { status, flags, answers, additionals } = dug[at] ?? {
            status: 'nothing',
            flags: '',
            answers: [],
            additionals: [],
          };
          const code = row.code === 'NODATA' ? 'NOERROR' : row.code;
          assert.deepEqual(
            { status, answers, additionals },
            { status: code, answers: inOrder(row.answers), additionals: inOrder(row.additionals) },
            where,
          );
          assert.equal(flags.includes('aa'), !row.isUpstream, `${where}: ${flags}`);
        }
      }
    });
  }

  test('4-027 a transfer is refused', async () => {
    const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', 'cluster.local', 'AXFR']);
    assert.match(stdout, /Transfer failed/);
  });

  test('4-042 the API server is the one that a kubeconfig names, or an endpoint with certificates', async () => {
    const spec = { clusterIP: '10.96.0.77', ports: [{ port: 80 }] };
    await api.client.create(SERVICES, { metadata: { name: 'real', namespace: 'default' }, spec });
    const files = { cert: join(api.folder, 'c.pem'), key: join(api.folder, 'k.pem'), ca: join(api.folder, 'ca.pem') };
    writeFileSync(files.cert, api.admin.cert);
    writeFileSync(files.key, api.admin.key, { mode: 0o600 });
    writeFileSync(files.ca, api.admin.ca);
    for (const options of [
      `kubeconfig ${api.kubeconfig}`,
      `kubeconfig ${api.kubeconfig} test`,
      `endpoint ${api.url}\ntls ${files.cert} ${files.key} ${files.ca}`,
    ]) {
      await dns.load(`.:53 {\nkubernetes cluster.local {\n${options}\nstartup_timeout 30s\n}\n}\n`);
      const { stdout } = await run('dig', [
        '@127.0.0.1',
        '-p',
        String(port),
        '+short',
        'real.default.svc.cluster.local',
      ]);
      assert.equal(stdout, '10.96.0.77\n', options);
    }
    await assert.rejects(
      dns.load(`.:53 {\nkubernetes cluster.local {\nkubeconfig ${api.kubeconfig} nobody\n}\n}\n`),
      /has no context "nobody"/,
    );
  });
});
