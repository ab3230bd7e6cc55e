/** Every directive that names a file, in a Corefile of somebody who may not read files of this machine. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { FakeClient } from '../client/fake-client.ts';
import { buildServers } from './routing/chain.ts';
import { parseCorefile } from './corefile/parse.ts';
import { fakeRuntime } from './fake-runtime.ts';

const folder = mkdtempSync(join(tmpdir(), 'fence-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const file = join(folder, 'secret');
writeFileSync(file, 'do-not-tell 1\n');

function build(lines: string, readsFiles: boolean): void {
  const blocks = parseCorefile(`. {\n${lines}\n}\n`, { file: 'Corefile' });
  buildServers(blocks, fakeRuntime({ client: new FakeClient([]), readsFiles }));
}

const REFUSED: readonly (readonly [lines: string, line: number, by: string])[] = [
  [`hosts ${file}`, 2, 'hosts'],
  [`root ${folder}\nhosts secret`, 3, 'hosts'],
  [`hosts /etc/../etc/shadow`, 2, 'hosts'],
  [`loadbalance weighted ${file}`, 2, 'loadbalance'],
  [`autopath ${file}`, 2, 'autopath'],
  [`kubernetes {\nkubeconfig ${file}\n}`, 3, 'kubernetes: kubeconfig'],
  [`kubernetes {\nendpoint https://192.0.2.1\ntls ${file} ${file} ${file}\n}`, 4, 'kubernetes: tls'],
  [`forward . ${file}`, 2, 'forward'],
  [`forward . /etc/resolv.conf/../shadow`, 2, 'forward'],
  [`forward . tls://192.0.2.1 {\ntls ${file}\n}`, 2, 'forward: tls'],
  [`forward . tls://192.0.2.1 {\ntls ${file} ${file}\n}`, 2, 'forward: tls'],
];
for (const [lines, line, by] of REFUSED) {
  test(`refused: ${lines.replaceAll(folder, '').replaceAll('\n', ' ')}`, () => {
    assert.throws(
      () => {
        build(lines, false);
      },
      ({ name, message }: Error) => {
        assert.equal(name, 'CorefileError');
        assert.ok(message.startsWith(`Corefile:${String(line)}: ${by}: files of the node are not read`), message);
        assert.doesNotMatch(message, /do-not-tell/);
        return true;
      },
    );
  });
}

for (const lines of [
  'hosts',
  'hosts /etc/hosts lab.test',
  'hosts {\n192.0.2.1 a.test\nfallthrough\n}',
  'forward . /etc/resolv.conf 192.0.2.1',
  'forward . tls://192.0.2.1 {\ntls\ntls_servername dns.example\n}',
  'kubernetes cluster.local {\npods verified\n}\nautopath @kubernetes',
  'loadbalance round_robin',
]) {
  test(`taken: ${lines.replaceAll('\n', ' ')}`, () => {
    build(lines, false);
  });
}

test('whoever starts the program may have it read any file', () => {
  build(`hosts ${file}\nloadbalance weighted ${file}\nforward . ${file}`, true);
});

for (const [lines, reason] of [
  ['forward . /nonexistent', /^Corefile:2: forward: cannot read \/nonexistent$/],
  ['forward . tls://192.0.2.1 {\ntls /nonexistent\n}', /^Corefile:2: forward: tls: .*nonexistent/],
  ['autopath @kubernetes', /^Corefile:2: autopath: @kubernetes needs the plugin kubernetes/],
] as const) {
  test(`told before anything is opened: ${lines.replaceAll('\n', ' ')}`, () => {
    assert.throws(
      () => {
        build(lines, true);
      },
      { name: 'CorefileError', message: reason },
    );
  });
}
