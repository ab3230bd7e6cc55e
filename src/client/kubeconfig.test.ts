import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { loadKubeconfig, parseKubeconfig, renderKubeconfig } from './kubeconfig.ts';

const noFile = (file: string): Buffer => {
  throw new Error(`no file ${file}`);
};
const config = (user: object, cluster: object = {}) =>
  stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://h:6443', ...cluster } }],
    users: [{ name: 'u', user }],
  });

test('what is rendered is what is loaded', () => {
  const text = renderKubeconfig({
    name: 'fairway',
    user: 'admin',
    server: 'https://172.30.0.1:6443',
    ca: 'CA',
    cert: 'CERT',
    key: 'KEY',
  });
  assert.deepEqual(parseKubeconfig(text, noFile), {
    server: 'https://172.30.0.1:6443',
    ca: Buffer.from('CA'),
    cert: Buffer.from('CERT'),
    key: Buffer.from('KEY'),
  });
});

test('files are found beside the kubeconfig, a token file is read anew each time', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-kubeconfig-'));
  context.after(() => {
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, 'ca.pem'), 'CA');
  writeFileSync(join(folder, 'token'), 'first\n');
  writeFileSync(join(folder, 'config'), config({ tokenFile: 'token' }, { 'certificate-authority': 'ca.pem' }));
  const { ca, token } = loadKubeconfig(join(folder, 'config'));
  assert.equal(String(ca), 'CA');
  assert.ok(typeof token === 'function');
  assert.equal(token(), 'first');
  writeFileSync(join(folder, 'token'), 'second');
  assert.equal(token(), 'second');
  assert.throws(() => loadKubeconfig(join(folder, 'none')), /kubeconfig .*none: ENOENT/);
});

test('another context can be asked for', () => {
  assert.equal(parseKubeconfig(config({ token: 't' }), noFile, 'c').token, 't');
  assert.throws(() => parseKubeconfig(config({}), noFile, 'd'), /has no context "d"/);
});

test('what is wrong with the YAML of a kubeconfig is told without the line it is in: that may be a secret', () => {
  assert.throws(
    () => parseKubeconfig('users:\n- user: {token: "sesame" open\n', noFile),
    (error: Error) => /^is no YAML: .*line 2/.test(error.message) && !error.message.includes('sesame'),
  );
});

const bad: [string, string, RegExp][] = [
  ['no map', 'just text', /not a YAML map/],
  ['no current context', 'contexts: []', /no current-context/],
  [
    'a missing cluster',
    'current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]',
    /has no cluster "k"/,
  ],
  ['an exec plugin', config({ exec: { command: 'x' } }), /logs in by "exec"/],
  ['a server that is a number', config({}, { server: 1 }), /server must be text/],
];
for (const [name, text, message] of bad) {
  test(`a kubeconfig with ${name} is refused`, () => {
    assert.throws(() => parseKubeconfig(text, noFile), message);
  });
}
